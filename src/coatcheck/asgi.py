"""Sessions for any ASGI application: Starlette, FastAPI, and whatever else speaks it.

from coatcheck.asgi import SessionMiddleware

app.add_middleware(SessionMiddleware, secret_key=...)                                       # encrypted, in the cookie
app.add_middleware(SessionMiddleware, secret_key=..., store="redis://localhost:6379/0")     # or on the server
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from datetime import timedelta
from functools import wraps
from typing import Any, ClassVar, Literal, TypeAlias, Unpack

from coatcheck.async_sessions import AsyncSession, AsyncSessions
from coatcheck.core.headers import protection, put
from coatcheck.core.session import Session
from coatcheck.errors import StoreError, UsageError
from coatcheck.options import Options
from coatcheck.sessions import UNAVAILABLE

__all__ = ["AsyncSession", "SessionMiddleware"]

_ERROR = 500

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

    session_type: ClassVar[type[ScopeSession]]

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
        **options: Unpack[Options],
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
            self.sessions: AsyncSessions = AsyncSessions({**given, **options, "secret_key": secret_key})
        except (UsageError, ImportError) as error:
            # An error reporter shows the variables of the frames, and these hold keys.
            del secret_key, options
            raise error.with_traceback(None) from None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self.app(scope, receive, self._closing(send) if kind == "lifespan" else send)
            return
        sessions = self.sessions
        scope["session"] = session = self.session_type(sessions, scope["headers"])
        if sessions.on_server:
            await session.load()
        response = _Response(sessions, session, scope, send)
        try:
            await self.app(scope, receive, response.send)
        except (Exception, CancelledError) as error:
            if isinstance(error, StoreError) and kind == "http" and not response.begun:
                await response.refuse()
                return
            # A client that is gone, or a task that is cancelled, is no reason to forget what a stream has changed.
            if response.keeps:
                await session.rescue(error)
            else:
                session.shut()
            raise
        if response.keeps:
            await session.finish()

    def _closing(self, send: Send) -> Send:
        async def closing(message: Message) -> None:
            if message["type"] == "lifespan.shutdown.complete":
                await self.sessions.close()
            await send(message)

        return closing


class ScopeSession(AsyncSession):
    """The session of a scope. It looks for its cookie when it is looked at itself: most requests never do."""

    def __init__(self, sessions: AsyncSessions, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._sessions = sessions
        self._headers = headers

    @property
    def header(self) -> str:  # type: ignore[override]
        return header_of(self._headers, b"cookie")


_UNREAD: Any = object()


class _DictSession(ScopeSession, dict[str, Any]):  # type: ignore[misc]  # both say what a dict has
    """One that is a dict, as Starlette's is: `JSONResponse(request.session)` works.

    What reads a dict without asking it, as encoders written in C do, finds a copy of the content from the first
    look on, and before it a key that none of them can write: that is an error, where nothing would be a lie.
    """

    def __init__(self, sessions: AsyncSessions, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._sessions = sessions
        self._headers = headers
        _put(self, _UNREAD, None)

    def mark_accessed(self) -> None:
        """Counts as a look: Starlette calls it where an application says `request.session`."""
        self._content()

    def _open(self) -> dict[str, Any]:
        content = super()._open()
        dict.clear(self)
        dict.update(self, content)
        return content


_put = dict.__setitem__


def _copying(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def change(self: _DictSession, *arguments: Any, **items: Any) -> Any:
        try:
            return method(self, *arguments, **items)
        finally:
            if self._data is not None:
                dict.clear(self)
                dict.update(self, self._data)

    return change


for _name in (
    "__setitem__",
    "__delitem__",
    "__ior__",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "clear",
    "destroy",
    "gather",
    "_follow",
    "_lose",
):
    setattr(_DictSession, _name, _copying(getattr(AsyncSession, _name)))

SessionMiddleware.session_type = _DictSession


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

    @property
    def keeps(self) -> bool:
        """Whether what the application changes is to be kept, or to be an error, though no commit follows."""
        return not self._refused and (self.begun or self._scope["type"] == "websocket")

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if self._refused:
            return
        if kind in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
            if message.get("status") == _ERROR and kind == "http.response.start" and self._session.failed:
                # Some frameworks make a page of any exception that the application has no handler for.
                await self.refuse()
                return
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
        elif kind == "websocket.close" and not self._session.settled():
            await self._session.save()
        # An error reporter shows the variables of this frame, and the message may have our cookie.
        sending = self._send(message)
        del message
        await sending

    async def _commit(self, message: Message) -> Message:
        session, scope = self._session, self._scope
        if scope.get("session") is not session:
            _replace(session, scope.get("session"))
        streamed, plain = True, True
        present = message.get("headers") or ()
        if not isinstance(present, (list, tuple)):
            # Any iterable is allowed, and some can be read but once.
            present = list(present)
            message = {**message, "headers": present}
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
    if other is not None and not isinstance(other, Mapping):
        raise UsageError(f"scope['session'] is a {type(other).__name__} now: only a dict or None can take its place")
    session.clear()
    session.update(other or {})
