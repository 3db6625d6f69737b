"""FastAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from hosts.adapters.starlette import rename
from hosts.asgi_call import AsgiCaller
from hosts.host import Answer, Asking, Host, View, headers_of, pieces

from coatcheck.asgi import SessionMiddleware


class FastAPIHost(Host):
    name = "FastAPI"
    is_async = True

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        app = FastAPI()

        async def view_of(name: str, request: Request) -> View:
            """The page runs in a thread and awaits nothing. What is to be awaited is done before, as a dependency."""
            view = self.views[name]
            if isinstance(view, Asking):
                text = await view.text_async(request.scope["session"], request.scope["coatcheck"])
                return lambda _: text
            return view

        @app.get("/{name}")
        # An annotation is text here, and FastAPI would look for `view_of` among the names of the module.
        def page(request: Request, view: Any = Depends(view_of)) -> Response:  # noqa: B008, FAST002
            result = pieces(view, request.scope["session"], request.scope["coatcheck"])
            return (
                PlainTextResponse(result, headers=headers_of(result))
                if isinstance(result, str)
                else StreamingResponse(result)
            )

        app.add_middleware(SessionMiddleware, **rename(options))
        self._caller = AsgiCaller(app)

    def get(
        self,
        path: str,
        cookies: str | Sequence[str] = (),
        *,
        https: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        return self._caller.get(path, cookies, https=https, headers=headers)

    def close(self) -> None:
        self._caller.close()
