"""One request or websocket at an ASGI application, message by message, so that a test says what happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import Any, Self, TypeAlias

from kit import SECRET

from coatcheck.asgi import AsyncSession, SessionMiddleware
from coatcheck.testing import Clock

App: TypeAlias = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]
_PATIENCE = 120


def in_loop(program: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Makes a test of a coroutine function; nothing that it has begun may be left."""

    async def watched(*arguments: Any, **fixtures: Any) -> None:
        async with asyncio.timeout(_PATIENCE):
            await program(*arguments, **fixtures)
        # What was cancelled, or has just ended, gets its turn.
        for _ in range(3):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"{left} is still running"

    @wraps(program)
    def test(*arguments: Any, **fixtures: Any) -> None:
        asyncio.run(watched(*arguments, **fixtures))

    return test


def middleware(app: App, **options: Any) -> SessionMiddleware:
    """Gives the application with sessions that live until the browser closes, and with a clock that stands."""
    # What has been ended is listed elsewhere, so that a store is asked for sessions alone.
    apart = {"revocations": "memory:"} if options.get("store") is not None else {}
    return SessionMiddleware(app, **{"secret_key": SECRET, "max_age": None, "clock": Clock(), **apart, **options})


def session_of(scope: Mapping[str, Any]) -> AsyncSession:
    found: AsyncSession = scope["session"]
    return found


async def answer(send: Any, text: str = "", *, status: int = 200) -> None:
    """Sends a whole response."""
    await begin(send, status=status, length=len(text))
    await piece(send, text, more=False)


async def begin(send: Any, *, status: int = 200, length: int | None = None) -> None:
    """Sends the headers of a response."""
    headers = [] if length is None else [(b"content-length", b"%d" % length)]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def piece(send: Any, text: str, *, more: bool = True) -> None:
    """Sends a part of a body."""
    await send({"type": "http.response.body", "body": text.encode(), "more_body": more})


class Exchange:
    """A call of an application, in a task of its own.

    Attributes:
        sent: the messages so far.
        gone: whether the client is: then sending raises `OSError`, as ASGI has it since 2.4.
    """

    def __init__(  # noqa: PLR0913  # what a request consists of
        self,
        app: App,
        cookie: str = "",
        *,
        kind: str = "http",
        path: str = "/",
        query: bytes = b"",
        extensions: tuple[str, ...] = (),
    ) -> None:
        self.sent: list[Any] = []
        self.gone = False
        self._news = asyncio.Event()
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        headers = [(b"host", b"shop.example")] + [(b"cookie", cookie.encode("latin-1"))] * bool(cookie)
        scope = {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https" if kind == "http" else "wss",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 50000),
            "server": ("shop.example", 443),
            "subprotocols": [],
            "extensions": {name: {} for name in extensions},
            "state": {},
        }
        first = {"type": "http.request", "body": b"", "more_body": False}
        self._inbox.put_nowait(first if kind == "http" else {"type": "websocket.connect"})
        self.task = asyncio.ensure_future(app(scope, self._inbox.get, self._take))
        self.task.add_done_callback(lambda _: self._news.set())

    async def _take(self, message: Any) -> None:
        # A server hands it on to a transport here.
        await asyncio.sleep(0)
        if self.gone:
            raise OSError("the client is gone")
        self.sent.append(message)
        self._news.set()

    def say(self, text: str) -> None:
        """Sends a message to a websocket."""
        self._inbox.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self, kind: str = "http.disconnect") -> None:
        """Closes the connection."""
        self.gone = True
        self._inbox.put_nowait({"type": kind, "code": 1001})

    async def until(self, kind: str, count: int = 1) -> Any:
        """Gives the message of this kind, when so many of them have been sent."""
        while len(found := [message for message in self.sent if message["type"] == kind]) < count:
            assert not self.task.done(), f"it ended with {self.task}, and had sent {self.sent}"
            self._news.clear()
            await self._news.wait()
        return found[count - 1]

    async def end(self) -> Self:
        """Waits for the end. Raises what the application raises."""
        await self.task
        return self

    async def error(self) -> BaseException | None:
        """Waits for the end. Gives what the application raises."""
        await asyncio.wait({self.task})
        return asyncio.CancelledError() if self.task.cancelled() else self.task.exception()

    @property
    def status(self) -> int:
        """What the client is told; 0 where the server has to make the answer itself."""
        starts = [message for message in self.sent if message["type"].endswith("response.start")]
        assert len(starts) <= 1
        return int(starts[0]["status"]) if starts else 0

    @property
    def text(self) -> str:
        """The body so far, or the messages of a websocket."""
        parts = [message.get("body", b"").decode() for message in self.sent if message["type"].endswith("body")]
        return "".join(parts + [message["text"] for message in self.sent if message["type"] == "websocket.send"])

    @property
    def complete(self) -> bool:
        """Whether the body has come to its end."""
        return any(m["type"] == "http.response.body" and not m.get("more_body", False) for m in self.sent)

    def header(self, name: str) -> list[str]:
        """Gives the values of a header."""
        found = [pair for message in self.sent for pair in message.get("headers", ())]
        return [value.decode("latin-1") for each, value in found if each == name.lower().encode()]

    @property
    def cookies(self) -> dict[str, str]:
        """What the response sets, by name; "" for a cookie that it deletes."""
        return dict(value.partition(";")[0].split("=", 1) for value in self.header("set-cookie"))


class Visitor:
    """A browser that has the cookies of one site."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.cookies: dict[str, str] = {}

    @property
    def header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items() if value)

    def ask(self, path: str = "/", **how: Any) -> Exchange:
        """Begins a request."""
        return Exchange(self.app, self.header, path=path, **how)

    def connect(self, path: str = "/", **how: Any) -> Exchange:
        """Begins a websocket."""
        return Exchange(self.app, self.header, path=path, kind="websocket", **how)

    async def get(self, path: str = "/", **how: Any) -> Exchange:
        """Makes a request, and keeps its cookies."""
        exchange = await self.ask(path, **how).end()
        self.keep(exchange)
        return exchange

    def keep(self, exchange: Exchange) -> None:
        """Keeps the cookies of an exchange."""
        self.cookies |= exchange.cookies
