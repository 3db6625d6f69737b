"""Sessions for any ASGI application: Starlette, FastAPI, and whatever else speaks it.

from coatcheck.asgi import SessionMiddleware

app.add_middleware(SessionMiddleware, secret_key=...)                                       # encrypted, in the cookie
app.add_middleware(SessionMiddleware, secret_key=..., store="redis://localhost:6379/0")     # or on the server
"""

from __future__ import annotations

from asyncio import CancelledError
from datetime import timedelta
from typing import Any, ClassVar, Literal, Unpack

from coatcheck.accounts import AsyncAccountCalls, AsyncRequestAccounts
from coatcheck.asgi_response import ASGIApp, Message, Receive, Response, Scope, Send
from coatcheck.asgi_session import DictSession, ScopeSession
from coatcheck.async_sessions import AsyncSession, AsyncSessions
from coatcheck.core.session import Session
from coatcheck.errors import StoreError, UsageError
from coatcheck.options import Options

__all__ = ["ASGIApp", "AsyncSession", "Message", "Receive", "Scope", "Send", "SessionMiddleware"]


class SessionMiddleware(AsyncAccountCalls):
    """Gives each request and each websocket its session, in `scope["session"]`.

    `scope["coatcheck"]` has `sessions_of`, `revoke`, `revoke_user` and `revoke_everyone`, and so has this object,
    for use outside of a request.

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

    session_type: ClassVar[type[ScopeSession]] = DictSession

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
        around = scope.get("session")
        if around is not None and not isinstance(around, Session):
            # The middleware of another library is around this one. It would write our content into its own cookie, in
            # clear: it keeps its scope, and its session.
            scope = {**scope}
        scope["session"] = session = self.session_type(sessions, scope)
        scope["coatcheck"] = AsyncRequestAccounts(sessions, session)
        if sessions.asks:
            await session.load()
        response = Response(sessions, session, scope, send)
        try:
            await self.app(scope, receive, response.send)
        except (Exception, CancelledError) as error:
            if isinstance(error, StoreError) and kind == "http" and not response.begun:
                await response.refuse(error)
                return
            # A client that is gone, or a task that is cancelled, is no reason to forget what a stream has changed.
            if response.keeps:
                await session.rescue(error)
            else:
                session.shut()
            raise
        if response.keeps:
            response.take_over()
            await session.finish()

    def _accounts(self) -> AsyncSessions:
        return self.sessions

    def _closing(self, send: Send) -> Send:
        async def closing(message: Message) -> None:
            if message["type"] == "lifespan.shutdown.complete":
                await self.sessions.close()
            await send(message)

        return closing
