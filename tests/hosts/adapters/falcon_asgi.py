"""Falcon, as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import falcon.asgi
from hosts.adapters.starlette import rename
from hosts.asgi_call import AsgiCaller, pieces_of
from hosts.host import Answer, Host, View, headers_of

from coatcheck.asgi import SessionMiddleware


class FalconASGIHost(Host):
    name = "Falcon, ASGI"
    is_async = True

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        app: Any = falcon.asgi.App()
        app.add_route("/{name}", self)
        self._caller = AsgiCaller(SessionMiddleware(app, **rename(options)))

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response, name: str) -> None:
        response.content_type = falcon.MEDIA_TEXT
        result = await pieces_of(self.views[name], request.scope)
        if isinstance(result, Iterator):
            response.stream = _stream(result)
        else:
            for field, value in headers_of(result).items():
                response.append_header(field, value)
            response.text = result

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


async def _stream(result: Iterator[str]) -> AsyncIterator[bytes]:
    for piece in result:
        yield piece.encode()
