"""Quart's sessions, kept by coatcheck.

from quart import Quart, session
from coatcheck.quart import Coatcheck

Coatcheck(app)                                       # encrypted, in the cookie
Coatcheck(app, store="redis://localhost:6379/0")     # or on the server
"""

from __future__ import annotations

from abc import ABCMeta
from asyncio import CancelledError, Lock
from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import isawaitable, signature
from typing import Any, cast

try:
    import quart
    from quart.globals import app_ctx
    from quart.sessions import SessionInterface, SessionMixin
    from quart.signals import got_request_exception
    from quart.wrappers import Request, Websocket
except ImportError as _error:
    raise ImportError("coatcheck.quart needs Quart: pip install 'coatcheck[quart]'") from _error

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as WerkzeugResponse

from coatcheck.accounts import AsyncAccountCalls
from coatcheck.async_sessions import AsyncSession, AsyncSessions
from coatcheck.config import Configuration, Extension
from coatcheck.errors import StoreError, TooManySessions
from coatcheck.werkzeug import StoreUnavailable, answerable, protect

__all__ = ["AsyncSession", "Coatcheck", "session"]

session: AsyncSession = cast(AsyncSession, quart.session)
"""Quart's own `session`, typed as what it is here."""

# What extensions ask before they take an object for one of Quart's sessions.
cast(ABCMeta, SessionMixin).register(AsyncSession)


class _QuartSession(AsyncSession):
    """The session of one request, or of one websocket."""

    committed = False
    """Whether the headers say what is to be said of it."""

    def __init__(self, sessions: AsyncSessions, request: Request | Websocket) -> None:
        self._sessions = sessions
        self.request: Request | Websocket = request

    @property
    def header(self) -> str:  # type: ignore[override]
        return "; ".join(self.request.headers.getlist("Cookie"))

    def _answerable(self, error: StoreError) -> StoreError:
        return StoreUnavailable(error)

    def _client(self) -> tuple[str, str]:
        return self.request.remote_addr or "", self.request.headers.get("User-Agent", "")

    @property
    def late(self) -> bool:
        """Whether no headers leave any more that can say something of it."""
        if self.committed or isinstance(self.request, Request):
            return self.committed
        # Most servers cannot send the response that refuses a websocket.
        return "websocket.http.response" not in (self.request.scope.get("extensions") or {})

    async def commit(self, headers: Headers) -> None:
        """Adds to the headers what they must say."""
        streamed = "Content-Length" not in headers
        if streamed or not self.pass_by():
            decision = await self._sessions.commit_async(
                self,
                https=self.request.scheme in ("https", "wss"),
                host=self.request.headers.get("Host", ""),
                streamed=streamed,
            )
            if decision.vary:
                protect(headers, no_store=bool(decision.cookies), clears=decision.clears)
            for cookie in decision.cookies:
                headers.add("Set-Cookie", cookie)
        self.committed = True

    def reopen(self) -> None:
        super().reopen()
        self.committed = False

    def attend(self, websocket: Websocket) -> None:
        """Has the headers that accept a websocket say what they must."""
        accept, turn = websocket.accept, Lock()

        async def accept_with_session(
            headers: dict[str, str] | Headers | None = None, subprotocol: str | None = None
        ) -> None:
            # Quart calls this before each message, and one task may send while another waits for the first.
            async with turn:
                if not self.committed:
                    headers = Headers(headers)
                    try:
                        await self.commit(headers)
                    except StoreError as error:
                        raise StoreUnavailable(error) from None
                await accept(headers, subprotocol)

        websocket.accept = accept_with_session  # type: ignore[method-assign]


class _SessionInterface(Configuration[AsyncSessions], SessionInterface):
    """Keeps Quart's sessions."""

    _kind = AsyncSessions
    _framework = SessionInterface

    async def open_session(self, app: quart.Quart, request: Request | Websocket) -> _QuartSession | None:  # type: ignore[override]
        """Gives the session of a request, for which the store has been asked; None without a secret key."""
        if not self.has_key(app):
            return None
        sessions = self.sessions(app)
        opened = _QuartSession(sessions, request)
        if isinstance(request, Websocket):
            opened.attend(request)
        if sessions.asks:
            await opened.load()
        return opened

    async def save_session(  # type: ignore[override]
        self, app: quart.Quart, session: _QuartSession, response: quart.Response | WerkzeugResponse | None
    ) -> None:
        """Adds to the response what it must say. What was changed too late for it is kept when the context ends.

        Raises `SessionTooLarge`, `Unserializable` and `UsageError`. Where the store fails, what the
        application answers to a `StoreError` takes the place of the response.
        """
        if response is None or session.late:
            return
        try:
            await session.commit(response.headers)
        except (StoreError, TooManySessions) as error:
            if _current() is not session:
                # A transaction of a test has no response that anybody sees.
                raise
            await _answer_in_place(app, error, response)

    async def close(self) -> None:
        """Closes the stores that were opened from a URL."""
        for _, _, sessions in self._configured:
            await sessions.close()


class Coatcheck(AsyncAccountCalls, Extension[quart.Quart]):
    """Keeps the sessions of a Quart application: in encrypted cookies, or with `store=` on the server.

    Options are the configuration keys that Quart shares with Flask, in lower case without
    `SESSION_` (`secret_key=`, `cookie_name=`, `permanent_lifetime=`). They win over the
    configuration, which may still change after this. `sessions_of`, `revoke`, `revoke_user` and
    `revoke_everyone` work within an application context.

    Raises `UsageError` for what cannot be right: here, if the configuration
    shows it already, and else when a request comes.
    """

    _interface = _SessionInterface
    _application = quart.Quart

    def _accounts(self) -> AsyncSessions:
        app: quart.Quart = cast(Any, quart.current_app)._get_current_object()  # noqa: SLF001
        return cast(AsyncSessions, self._sessions_of(app))

    def _current(self) -> AsyncSession | None:
        return _current()

    def _answerable(self, error: StoreError) -> StoreError:
        return StoreUnavailable(error)

    def init_app(self, app: quart.Quart) -> None:
        """Does for an application what the constructor does for the one it is given."""
        super().init_app(app)
        app.teardown_request(_finish)
        app.teardown_websocket(_finish)
        app.after_serving(cast(_SessionInterface, app.session_interface).close)
        add_background_task = app.add_background_task

        def add(func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
            @wraps(func)
            async def run() -> None:
                try:
                    await app.ensure_async(func)(*args, **kwargs)
                except (Exception, CancelledError) as error:
                    await _finish(error)
                    raise
                await _finish(None)

            add_background_task(run)

        # Before Quart 0.23, a task has the session of the request that it was added in, and nobody else keeps
        # what it changes. Since then it has none, but by `copy_current_request_context`.
        app.add_background_task = add  # type: ignore[method-assign]


async def _finish(error: BaseException | None) -> None:
    """Keeps what a stream, a websocket or a task with a copy of the context has changed, however it ends."""
    current = _current()
    if current is None or not (current.committed or isinstance(current.request, Websocket)):
        # Without a response, as where a request is cancelled, nothing is kept.
        return
    if error is None:
        await current.finish()
    else:
        await current.rescue(error)


def _current() -> _QuartSession | None:
    try:
        current = cast(Any, quart.session)._get_current_object()  # noqa: SLF001
    except (RuntimeError, AttributeError):
        return None
    return current if isinstance(current, _QuartSession) else None


async def _answer_in_place(
    app: quart.Quart, error: StoreError | TooManySessions, response: quart.Response | WerkzeugResponse
) -> None:
    """Has the application answer to the error, and makes the response say that."""
    handle = cast(Callable[..., Awaitable[Any]], app.handle_user_exception)
    # Since Quart 0.23, it is told the context too.
    context = () if len(signature(handle).parameters) == 1 else (cast(Any, app_ctx)._get_current_object(),)  # noqa: SLF001
    answer = await app.make_response(await handle(*context, answerable(error)))
    body = answer.get_data()
    response.status = answer.status
    response.headers = answer.headers
    response.set_data(await body if isawaitable(body) else body)
    protect(response.headers, no_store=True)


@got_request_exception.connect
async def _reopen(_app: quart.Quart, **_: object) -> None:
    """An error page takes the place of the response that the session may have been committed to."""
    current = _current()
    if current is not None:
        current.reopen()
