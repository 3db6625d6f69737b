"""aiohttp, with its own server on the loopback interface: it has no other way in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from hosts.host import Answer, Host, View, headers_of, pieces_async

from coatcheck.aiohttp import get_accounts, get_session, setup


class AiohttpHost(Host):
    name = "aiohttp"
    is_async = True

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        app = web.Application(middlewares=[_behind_a_proxy])

        async def page(request: web.Request) -> web.StreamResponse:
            view = self.views[request.match_info["name"]]
            result = await pieces_async(view, await get_session(request), get_accounts(request))
            if isinstance(result, str):
                return web.Response(text=result, headers=headers_of(result))
            response = web.StreamResponse()
            await response.prepare(request)
            for piece in result:
                await response.write(piece.encode())
            return response

        app.router.add_get("/{name}", page)
        setup(app, **{"secret_key": None, **options})
        self._runner = asyncio.Runner()
        self._server = web.AppRunner(app, access_log=None)
        self._port = self._runner.run(self._begin())

    async def _begin(self) -> int:
        await self._server.setup()
        site = web.TCPSite(self._server, "127.0.0.1", 0)
        await site.start()
        port: int = self._server.addresses[0][1]
        return port

    def get(
        self,
        path: str,
        cookies: str | Sequence[str] = (),
        *,
        https: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        lines = [f"GET {path} HTTP/1.1", "Host: shop.example", "Connection: close"]
        lines += [f"Cookie: {each}" for each in ([cookies] if isinstance(cookies, str) else cookies)]
        lines += [f"{name}: {value}" for name, value in [("X-Forwarded-Proto", "https" if https else "http"), *headers]]
        return self._runner.run(self._get("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")))

    async def _get(self, request: bytes) -> Answer:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(request)
        received = await reader.read()
        writer.close()
        await writer.wait_closed()
        head, _, body = received.partition(b"\r\n\r\n")
        status, *found = head.decode("latin-1").split("\r\n")
        fields = [line.partition(": ")[::2] for line in found]
        answer = Answer(int(status.split()[1]), tuple(fields), "")
        if not answer.all("Transfer-Encoding"):
            return answer._replace(text=body.decode())
        text, complete = _join(body)
        return answer._replace(text=text.decode(), broken=not complete)

    def close(self) -> None:
        self._runner.run(self._server.cleanup())
        self._runner.close()


@web.middleware
async def _behind_a_proxy(request: web.Request, handler: Any) -> web.StreamResponse:
    """Takes the scheme from the proxy, as applications do that stand behind one."""
    response: web.StreamResponse = await handler(request.clone(scheme=request.headers["X-Forwarded-Proto"]))
    return response


def _join(chunks: bytes) -> tuple[bytes, bool]:
    """Gives the content of a chunked body, and whether its end was sent."""
    content = b""
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        if size == b"0":
            return content, True
        content += rest[: int(size, 16)]
        chunks = rest[int(size, 16) + 2 :]
    return content, False
