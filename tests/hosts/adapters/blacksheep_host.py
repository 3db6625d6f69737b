"""BlackSheep."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, cast

from blacksheep import Application, Content, Request, Response, Router, StreamedContent
from hosts.adapters.starlette import rename
from hosts.asgi_call import AsgiCaller, pieces_of
from hosts.host import Answer, Host, View, headers_of

from coatcheck.asgi import SessionMiddleware


class BlackSheepHost(Host):
    name = "BlackSheep"
    is_async = True

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        # A router of its own: by default all applications of a process share one.
        app = Application(router=Router())

        @app.router.get("/{name}")
        async def page(name: str, request: Request) -> Response:
            result = await pieces_of(self.views[name], cast(Any, request.scope))
            if isinstance(result, Iterator):

                async def provide() -> AsyncIterator[bytes]:
                    for piece in result:
                        yield piece.encode()

                return Response(200, content=StreamedContent(b"text/plain", provide))
            headers = [(name.encode(), value.encode()) for name, value in headers_of(result).items()]
            return Response(200, headers, content=Content(b"text/plain", result.encode()))

        self._caller = AsgiCaller(SessionMiddleware(app, **rename(options)))

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
