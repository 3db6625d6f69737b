"""FastAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from hosts.adapters.starlette import rename
from hosts.asgi_call import AsgiCaller
from hosts.host import Answer, Host, View, headers_of, pieces

from coatcheck import Session
from coatcheck.asgi import SessionMiddleware


class FastAPIHost(Host):
    name = "FastAPI"
    is_async = True

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        app = FastAPI()

        @app.get("/{name}")
        def page(name: str, request: Request) -> Response:
            session = cast(Session, request.scope["session"])
            result = pieces(self.views[name], session)
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
