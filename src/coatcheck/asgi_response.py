"""The response to an ASGI request, on its way to the client: what the session has to say in it is put in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, TypeAlias

from coatcheck.asgi_session import header_of
from coatcheck.async_sessions import AsyncSession, AsyncSessions
from coatcheck.core.headers import BODILESS, protection, put
from coatcheck.core.session import Session
from coatcheck.errors import StoreError, TooManySessions, UsageError
from coatcheck.sessions import refusal

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_ERROR = 500


class Response:
    """What goes to one client: the session is committed when it begins, and kept again before it ends."""

    begun: bool = False
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
            except (StoreError, TooManySessions) as error:
                # The answer would confirm what is not kept.
                if kind != "http.response.start":
                    raise
                await self.refuse(error)
                return
            self.begun = True
        elif kind == "http.response.body":
            if message.get("more_body", False):
                self._streamed = True
            elif self._streamed:
                # Whoever gets the end of a stream may rely on what it said.
                await self._keep()
        elif kind == "websocket.close":
            await self._keep()
        # An error reporter shows the variables of this frame, and the message may have our cookie.
        sending = self._send(message)
        del message
        await sending

    async def _keep(self) -> None:
        self.take_over()
        if not self._session.settled():
            await self._session.save()

    def take_over(self) -> None:
        """Takes over what the application has put in the place of its session: a dict, or nothing."""
        session, scope = self._session, self._scope
        other = scope.get("session")
        # Another of these middlewares, below, has put in a session of its own.
        if other is session or isinstance(other, Session):
            return
        if other is not None and type(other) is not dict:
            if not isinstance(other, Mapping):
                raise UsageError(
                    f"scope['session'] is a {type(other).__name__}: only a dict or None can take its place"
                )
            # As of Starlette's own middleware below, of a mounted application perhaps: what it puts there is no wish
            # of the application to end this one.
            self._sessions.watch.foreign(type(other))
            return
        if other:
            # It says what is in the session, and not whose it is: nobody is signed out by that.
            for key in [*session]:
                del session[key]
            session.update(other)
        else:
            session.clear()
        scope["session"] = session

    async def _commit(self, message: Message) -> Message:
        session, scope = self._session, self._scope
        if scope.get("session") is not session:
            self.take_over()
        streamed, plain = message.get("status") not in BODILESS, True
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
        if sessions.asks:
            decision = await sessions.commit_async(session, https=https, host=host, streamed=streamed)
        else:
            decision = sessions.commit(session, https=https, host=host, streamed=streamed)
        vary, cookies, _, clears = decision
        if not vary:
            return message
        if plain and not clears:
            # As most responses are: bytes and text need not be turned into each other for all headers.
            headers = [*present, *(_ALONE_WITH_COOKIE if cookies else _ALONE)]
            headers += [(b"set-cookie", cookie.encode("latin-1")) for cookie in cookies]
        else:
            as_text = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in present]
            put(as_text, cookies, clears=clears)
            headers = _encoded(as_text)
        return {**message, "headers": headers}

    async def refuse(self, error: StoreError | TooManySessions | None = None) -> None:
        """Says that the session cannot be had, in place of what the application says."""
        self._refused = self.begun = True
        status, _, text = refusal(error or StoreError())
        body = text.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"vary", b"Cookie"),
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


# What `put` adds to a response that has none of these headers.
_ALONE = _encoded(protection((), no_store=False).items())
_ALONE_WITH_COOKIE = _encoded(protection((), no_store=True).items())
_REPLACED = {name for name, _ in _ALONE_WITH_COOKIE}
