"""Sessions for aiohttp.

from coatcheck.aiohttp import get_session, setup

setup(app, secret_key)                                       # encrypted, in the cookie
setup(app, secret_key, store="redis://localhost:6379/0")     # or on the server

session = await get_session(request)
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from typing import Any, Unpack

try:
    from aiohttp import hdrs, web
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.payload import Payload
except ImportError as _error:
    raise ImportError("coatcheck.aiohttp needs aiohttp: pip install 'coatcheck[aiohttp]'") from _error

from coatcheck.accounts import AsyncAccountCalls, AsyncRequestAccounts
from coatcheck.async_sessions import AsyncSession, AsyncSessions
from coatcheck.core.engine import Decision
from coatcheck.core.headers import BODILESS, protection
from coatcheck.errors import StoreError, TooManySessions, UsageError
from coatcheck.options import Options
from coatcheck.sessions import refusal

__all__ = ["AsyncSession", "get_accounts", "get_session", "setup"]


def setup(app: web.Application, secret_key: Any, **options: Unpack[Options]) -> None:
    """Gives the requests of an application their sessions, and those of the applications that are nested in it.

    Call it before the application starts. Of two nested applications that are both set up, the inner
    one says what the session of a request is.

    Args:
        secret_key: what sessions are sealed with; at least 16 bytes, better 32 random ones.
        options: `store=`, `cookie_name=`, `permanent_lifetime=`, and the others of `coatcheck.Settings`.

    Raises `UsageError` for what cannot be right.
    """
    if _SESSIONS in app:
        del secret_key, options
        raise UsageError("coatcheck.aiohttp.setup has been called for this application before")
    try:
        sessions = AsyncSessions({**options, "secret_key": secret_key})
    except (UsageError, ImportError) as error:
        # An error reporter shows the variables of the frames, and these hold keys.
        del secret_key, options
        raise error.with_traceback(None) from None

    async def close(_: web.Application) -> None:
        await sessions.close()

    # Above all others: what they do to the session and to the response is done when it is committed.
    app.middlewares.insert(0, _middleware)
    app.on_response_prepare.append(_prepare)
    app.on_cleanup.append(close)
    app[_SESSIONS] = sessions


async def get_session(request: web.Request) -> AsyncSession:
    """Gives the session of a request. Where there is a store, it is asked now, and only if the request has our cookie.

    That the store fails is raised at the first look. Raises `UsageError` for an application without `setup`.
    """
    exchange = _exchange(request)
    if exchange is None:
        raise UsageError("call coatcheck.aiohttp.setup(app, secret_key) for this application")
    return await exchange.session(request).load()


def get_accounts(app_or_request: web.Application | web.Request) -> AsyncAccountCalls:
    """Gives what lists and ends the sessions of users: `await get_accounts(request).sessions_of(user_id)`.

    Raises `UsageError` for an application without `setup`.
    """
    if isinstance(app_or_request, web.Request):
        exchange = _exchange(app_or_request)
        if exchange is not None:
            return exchange.accounts(app_or_request)
    elif _SESSIONS in app_or_request:
        return app_or_request[_SESSIONS]
    raise UsageError("call coatcheck.aiohttp.setup(app, secret_key) for this application")


class _AiohttpSession(AsyncSession):
    """The session of one request."""

    def __init__(self, sessions: AsyncSessions, request: web.Request) -> None:
        super().__init__(sessions, "; ".join(request.headers.getall(hdrs.COOKIE, ())))
        self._from = request.remote or "", request.headers.get(hdrs.USER_AGENT, "")

    def _client(self) -> tuple[str, str]:
        return self._from


class _Exchange:
    """A request, its session, and what its response must say of that."""

    begun = False
    """Whether the headers are gone."""
    attended = False
    """Whether the middleware is at work on it."""
    _session: AsyncSession | None = None
    _decision: Decision | None = None

    def __init__(self, sessions: AsyncSessions, request: web.Request) -> None:
        self._sessions = sessions
        self._request = request

    def session(self, request: web.Request) -> AsyncSession:
        """Gives the session, without a look at it."""
        if self._session is None:
            # As the handler knows it: a middleware may have cloned it, to say what a proxy has said.
            self._request = request
            self._session = _AiohttpSession(self._sessions, request)
            if self._decision is not None:
                self._session.pass_by()
        return self._session

    def accounts(self, request: web.Request) -> AsyncAccountCalls:
        """Gives the calls about users, which know the session."""
        return AsyncRequestAccounts(self._sessions, self.session(request))

    async def commit(self) -> None:
        """Decides, once, what the response must say."""
        if self._decision is not None:
            return
        self.give_up()
        if self._sessions.engine.sends_always:
            await self.session(self._request).load()
        session, request = self._session, self._request
        if session is not None and not session.pass_by():
            self._decision = await self._sessions.commit_async(
                session, https=request.secure, host=request.headers.get(hdrs.HOST, "")
            )

    def give_up(self) -> None:
        """Has the response say nothing new: it is none that the session was changed for."""
        if self._decision is None:
            self._decision = Decision(self._session is not None and self._session.accessed)

    def put(self, response: web.StreamResponse) -> None:
        """Puts the decision into the headers that are about to leave."""
        decision, headers = self._decision, response.headers
        # A body without a length is streamed, and may look at the session yet.
        streamed = hdrs.CONTENT_LENGTH not in headers and response.status not in BODILESS
        if decision is None or not (decision.vary or streamed):
            return
        for name, value in protection(headers.items(), no_store=bool(decision.cookies), clears=decision.clears).items():
            headers[name] = value
        for cookie in decision.cookies:
            headers.add(hdrs.SET_COOKIE, cookie)

    async def finish(self, response: web.StreamResponse) -> None:
        """Keeps what a handler has changed that is done."""
        if self.begun:
            await self.keep()
            return
        await self.commit()
        if isinstance(response, web.Response) and isinstance(body := response.body, Payload) and body.size is None:
            response.body = _Body(body, self)

    async def keep(self) -> None:
        """Keeps what was changed when the headers were gone."""
        if self._session is not None:
            await self._session.finish()

    async def rescue(self, error: BaseException) -> None:
        """Keeps what a handler has changed in a stream or a websocket that ends by an error."""
        if self.begun and self._session is not None:
            await self._session.rescue(error)
        self.give_up()


class _Body(Payload):
    """A body that is made while it is sent. What is changed meanwhile is kept before its end is sent."""

    def __init__(self, body: Payload, exchange: _Exchange) -> None:
        super().__init__(body)
        self._exchange = exchange

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        text: str = self._value.decode(encoding, errors)
        return text

    async def write(self, writer: AbstractStreamWriter) -> None:
        try:
            await self._value.write(writer)
        except (Exception, CancelledError) as error:
            await self._exchange.rescue(error)
            raise
        await self._exchange.keep()

    async def close(self) -> None:
        await self._value.close()


@web.middleware
async def _middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    exchange = _exchange(request)
    if exchange is None or exchange.attended:
        return await handler(request)
    exchange.attended = True
    try:
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            response = answer
        except (Exception, CancelledError) as error:
            await exchange.rescue(error)
            raise
        await exchange.finish(response)
    except (StoreError, TooManySessions) as error:
        if exchange.begun:
            raise
        status, _, text = refusal(error)
        return web.Response(status=status, text=text, headers={hdrs.CACHE_CONTROL: "no-store", hdrs.VARY: "Cookie"})
    if isinstance(response, web.HTTPException):
        try:
            raise response
        finally:
            # An error in a variable of its own frame is a circle.
            del response
    return response


async def _prepare(request: web.Request, response: web.StreamResponse) -> None:
    exchange = _exchange(request)
    if exchange is None or exchange.begun:
        return
    try:
        await exchange.commit()
    except BaseException:
        # The response that does not leave has set up what writes the one that takes its place.
        for name, value in {"length": None, "chunked": False, "_compress": None}.items():
            setattr(request.writer, name, value)
        raise
    exchange.put(response)
    exchange.begun = True


_SESSIONS = web.AppKey("coatcheck.sessions", AsyncSessions)
# Before aiohttp 3.14, a request has no typed keys, and no warning for others.
_EXCHANGE: Any = getattr(web, "RequestKey", lambda name, _: name)("coatcheck.exchange", _Exchange)


def _exchange(request: web.Request) -> _Exchange | None:
    found: _Exchange | None = request.get(_EXCHANGE)
    if found is None:
        for app in reversed(request.match_info.apps):
            if _SESSIONS in app:
                request[_EXCHANGE] = found = _Exchange(app[_SESSIONS], request)
                break
    return found
