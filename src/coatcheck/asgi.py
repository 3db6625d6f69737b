"""Sessions for any ASGI application: Starlette, FastAPI, and whatever else speaks it.

from coatcheck.asgi import SessionMiddleware

app.add_middleware(SessionMiddleware, secret_key=...)                                       # encrypted, in the cookie
app.add_middleware(SessionMiddleware, secret_key=..., store="redis://localhost:6379/0")     # or on the server
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from coatcheck.async_sessions import AsyncSession, AsyncSessions
from coatcheck.core.headers import protection, put
from coatcheck.core.session import Session
from coatcheck.errors import StoreError, UsageError
from coatcheck.sessions import UNAVAILABLE

__all__ = ["AsyncSession", "SessionMiddleware"]

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class SessionMiddleware:
    """Gives each request and each websocket its session, in `scope["session"]`.

    It takes what Starlette's own takes, and every other option as a keyword.

    Args:
        secret_key: what sessions are sealed with; at least 16 bytes, better 32 random ones.
        session_cookie: the cookie's name.
        max_age: how long a session lives unseen, in seconds; None for until the browser
            closes, and 31 days at most. With a number, sessions outlive the browser.
        path: where the browser sends the cookie.
        same_site: "lax", "strict" or "none".
        https_only: True for Secure always, False for never, None for exactly when the request came by https.
        domain: None for the host that set the cookie alone.
        partitioned: a jar of its own for each embedding site.
        options: `store=`, `refresh_interval=`, and the others of `coatcheck.Settings`.

    Raises `UsageError` for what cannot be right.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # as Starlette's
        self,
        app: ASGIApp,
        secret_key: Any,
        session_cookie: str = "session",
        max_age: float | timedelta | None = 14 * 24 * 60 * 60,
        path: str = "/",
        same_site: Literal["lax", "strict", "none"] | None = "lax",
        https_only: bool | None = None,
        domain: str | None = None,
        partitioned: bool = False,
        **options: Any,
    ) -> None:
        self.app = app
        given: dict[str, Any] = {
            "cookie_name": session_cookie,
            "cookie_path": path,
            "cookie_samesite": same_site,
            "cookie_secure": https_only,
            "cookie_domain": domain,
            "cookie_partitioned": partitioned,
        }
        if max_age is not None:
            given |= {"permanent": True, "permanent_lifetime": max_age}
        try:
            # A secret of Starlette's configuration shows itself as text only when it is asked to.
            secret = secret_key if isinstance(secret_key, (str, bytes)) else str(secret_key)
            self.sessions: AsyncSessions = AsyncSessions({**given, **options, "secret_key": secret})
        except (UsageError, ImportError) as error:
            # An error reporter shows the variables of the frames, and these hold keys.
            del secret_key, options
            secret = None
            raise error.with_traceback(None) from None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self.app(scope, receive, self._closing(send) if kind == "lifespan" else send)
            return
        sessions = self.sessions
        scope["session"] = session = _ScopeSession(sessions, scope["headers"])
        if sessions.on_server:
            await session.load()
        response = _Response(sessions, session, scope, send)
        try:
            await self.app(scope, receive, response.send)
        except StoreError:
            if response.begun or kind != "http":
                raise
            await response.refuse()
        if response.begun and not session.settled():
            await session.save()

    def _closing(self, send: Send) -> Send:
        async def closing(message: Message) -> None:
            if message["type"] == "lifespan.shutdown.complete":
                await self.sessions.close()
            await send(message)

        return closing


class _ScopeSession(AsyncSession):
    """A session that looks for its cookie when it is looked at itself: most requests never do."""

    __slots__ = ("_headers",)

    def __init__(self, sessions: AsyncSessions, headers: Iterable[tuple[bytes, bytes]]) -> None:
        # As in the base class, whose call would take as long again.
        self._random = os.urandom
        self._data = self._found = self._turn = None
        self._closed = self._forced = self.accessed = self._failed_to_load = False
        self._sessions = sessions
        self._headers = headers

    @property
    def header(self) -> str:  # type: ignore[override]
        return header_of(self._headers, b"cookie")


def header_of(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """Gives a header of a request. HTTP/2 may send `Cookie` in several parts (RFC 9113, section 8.2.3)."""
    found = [value for each, value in headers if each == name]
    return b"; ".join(found).decode("latin-1") if found else ""


class _Response:
    """What goes to one client: the session is committed when it begins, and kept again before it ends."""

    begun = False
    _streamed = False
    _refused = False

    def __init__(self, sessions: AsyncSessions, session: AsyncSession, scope: Scope, send: Send) -> None:
        self._sessions = sessions
        self._session = session
        self._scope = scope
        self._send = send

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if self._refused:
            return
        if kind in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
            try:
                message = await self._commit(message)
            except StoreError:
                # The answer would confirm what is not kept.
                if kind != "http.response.start":
                    raise
                await self.refuse()
                return
            self.begun = True
        elif kind == "http.response.body":
            if message.get("more_body", False):
                self._streamed = True
            elif self._streamed and not self._session.settled():
                # Whoever gets the end of a stream may rely on what it said.
                await self._session.save()
        elif kind == "websocket.close" and self.begun and not self._session.settled():
            await self._session.save()
        await self._send(message)

    async def _commit(self, message: Message) -> Message:
        session, scope = self._session, self._scope
        if scope.get("session") is not session:
            _replace(session, scope.get("session"))
        streamed, plain = True, True
        present = message.get("headers", ())
        for name, _ in present:
            lower = name.lower()
            if lower == b"content-length":
                streamed = False
            elif lower in _REPLACED:
                plain = False
        if not streamed and session.pass_by():
            return message
        https = scope.get("scheme") in ("https", "wss")
        host = "" if https else header_of(scope["headers"], b"host")
        sessions = self._sessions
        if sessions.on_server:
            decision = await sessions.commit_async(session, https=https, host=host, streamed=streamed)
        else:
            decision = sessions.commit(session, https=https, host=host, streamed=streamed)
        vary, cookies, _ = decision
        if not vary:
            return message
        if plain:
            # As most responses are: bytes and text need not be turned into each other for all headers.
            headers = [*present, *(_ALONE_WITH_COOKIE if cookies else _ALONE)]
            headers += [(b"set-cookie", cookie.encode("latin-1")) for cookie in cookies]
        else:
            as_text = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in present]
            put(as_text, cookies)
            headers = _encoded(as_text)
        return {**message, "headers": headers}

    async def refuse(self) -> None:
        """Says that the session cannot be had, in place of what the application says."""
        self._refused = self.begun = True
        body = UNAVAILABLE.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"vary", b"Cookie"),
        ]
        await self._send({"type": "http.response.start", "status": 503, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


# What `put` adds to a response that has none of these headers.
_ALONE = _encoded(protection((), no_store=False).items())
_ALONE_WITH_COOKIE = _encoded(protection((), no_store=True).items())
_REPLACED = {name for name, _ in _ALONE_WITH_COOKIE}


def _replace(session: Session, other: object) -> None:
    """Takes over what an application has put in the place of its session: a dict, or nothing."""
    if isinstance(other, Session):
        return
    session.clear()
    if isinstance(other, Mapping):
        session.update(other)
