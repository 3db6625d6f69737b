"""Requests to an ASGI application without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

from hosts.host import Answer, View, pieces_async


async def pieces_of(view: View, scope: MutableMapping[str, Any]) -> str | Iterator[str]:
    """Runs a page of an application below our ASGI middleware."""
    return await pieces_async(view, scope["session"], scope["coatcheck"])


class AsgiCaller:
    """Calls an application in an event loop of its own, which goes on between the requests, as in a server."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app
        self._runner = asyncio.Runner()
        self._lifespan: asyncio.Task[None] | None = None
        self._inbox: asyncio.Queue[dict[str, Any]]
        self._runner.run(self._begin())

    async def _begin(self) -> None:
        self._inbox = asyncio.Queue()
        self._outbox: asyncio.Queue[Any] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}

        async def live() -> None:
            try:
                await self._app(scope, self._inbox.get, self._outbox.put)
            except Exception:  # noqa: BLE001  # an application without a lifespan raises
                await self._outbox.put(None)

        self._lifespan = asyncio.create_task(live())
        await self._inbox.put({"type": "lifespan.startup"})
        await self._outbox.get()

    def close(self) -> None:
        self._runner.run(self._end())
        self._runner.close()

    async def _end(self) -> None:
        if self._lifespan is not None and not self._lifespan.done():
            await self._inbox.put({"type": "lifespan.shutdown"})
            await self._outbox.get()
            await self._lifespan

    def get(
        self,
        path: str,
        cookies: str | Sequence[str] = (),
        *,
        https: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        return self._runner.run(self._get(path, cookies, https, headers))

    async def _get(
        self, path: str, cookies: str | Sequence[str], https: bool, headers: Sequence[tuple[str, str]]
    ) -> Answer:
        raw = [(b"host", b"shop.example")]
        raw += [(b"cookie", each.encode("latin-1")) for each in ([cookies] if isinstance(cookies, str) else cookies)]
        raw += [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https" if https else "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": raw,
            "client": ("127.0.0.1", 50000),
            "server": ("shop.example", 443 if https else 80),
            "state": {},
        }
        sent: list[Any] = []
        asked, complete = asyncio.Event(), asyncio.Event()

        async def receive() -> dict[str, Any]:
            if not asked.is_set():
                asked.set()
                return {"type": "http.request", "body": b"", "more_body": False}
            # A client that waits for its answer, and goes away when it has it.
            await complete.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                complete.set()

        broken = False
        try:
            await self._app(scope, receive, send)
        except Exception:  # noqa: BLE001  # as a server does
            broken = bool(sent)
            if not sent:
                return Answer(500, (), "")
        start = next(message for message in sent if message["type"] == "http.response.start")
        found = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
        body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
        return Answer(start["status"], found, body.decode(), broken and not complete.is_set())
