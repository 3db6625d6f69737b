"""A bare callable that speaks ASGI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hosts.adapters.starlette import rename
from hosts.asgi_call import AsgiCaller, pieces_of
from hosts.host import Answer, Host, View, headers_of

from coatcheck.asgi import SessionMiddleware
from coatcheck.asgi_response import Receive, Scope, Send


class PlainASGIHost(Host):
    name = "plain ASGI"
    is_async = True

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        self._caller = AsgiCaller(SessionMiddleware(self._app, **rename(options)))

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        result = await pieces_of(self.views[scope["path"].removeprefix("/")], scope)
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        if isinstance(result, Iterator):
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            for piece in result:
                await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            return
        body = result.encode()
        headers += [(field.lower().encode(), value.encode()) for field, value in headers_of(result).items()]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

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


async def _live(receive: Receive, send: Send) -> None:
    for stage in ("startup", "shutdown"):
        message = await receive()
        assert message["type"] == f"lifespan.{stage}"
        await send({"type": f"lifespan.{stage}.complete"})
