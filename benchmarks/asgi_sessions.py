"""Sessions of coatcheck under any ASGI application, as far as a benchmark needs them."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from coatcheck import Keyring, Session, Settings, StoreError
from coatcheck.core.engine import Engine
from coatcheck.core.headers import add_no_store, add_vary
from coatcheck.core.loaded import Loaded
from coatcheck.drive import run_async
from coatcheck.stores import open_async_store

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]


class AsyncSession(Session):
    """The session of one request: `await scope["session"].load()` comes before the first look."""

    def __init__(self, sessions: SessionMiddleware, headers: Headers) -> None:
        super().__init__(os.urandom)
        self._sessions = sessions
        self._headers = headers
        self._found: Loaded | None = None

    async def load(self) -> None:
        """Reads the session. Raises `StoreError`."""
        if self._found is None:
            header = b"; ".join([value for name, value in self._headers if name == b"cookie"]).decode("latin-1")
            self._found = await run_async(self._sessions.engine.load(header, now=time.time()), self._sessions.stores)

    def _load(self) -> Loaded:
        assert self._found is not None, "load() comes first"
        return self._found


class SessionMiddleware:
    """Puts a session into the scope of each request, and commits it when the response begins.

    Where it cannot be kept, the status becomes 503. The server must run with `--lifespan off`.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], *, secret_key: str, store: str) -> None:
        self._app = app
        self.engine = Engine(Settings(), Keyring(secret_key), random=os.urandom, emit=lambda _: None, store=True)
        self.stores = (open_async_store(store),)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        session = scope["session"] = AsyncSession(self, scope["headers"])

        async def send_committed(message: Message) -> None:
            if message["type"] == "http.response.start":
                steps = self.engine.commit(session, now=time.time(), https=scope["scheme"] == "https")
                try:
                    vary, cookies, *_ = await run_async(steps, self.stores)
                except StoreError:
                    message["status"], vary, cookies = 503, True, ()
                headers: Headers = message["headers"]
                if vary:
                    _put(headers, b"vary", add_vary)
                if cookies:
                    _put(headers, b"cache-control", add_no_store)
                headers += [(b"set-cookie", cookie.encode("latin-1")) for cookie in cookies]
            await send(message)

        await self._app(scope, receive, send_committed)


def _put(headers: Headers, name: bytes, add: Callable[[list[str]], str | None]) -> None:
    value = add([value.decode("latin-1") for present, value in headers if present == name])
    if value is not None:
        headers[:] = [*(header for header in headers if header[0] != name), (name, value.encode("latin-1"))]
