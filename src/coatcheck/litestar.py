"""Sessions for Litestar, as a plugin.

from coatcheck.litestar import Coatcheck

Litestar(plugins=[Coatcheck(secret_key=...)])                                       # encrypted, in the cookie
Litestar(plugins=[Coatcheck(secret_key=..., store="redis://localhost:6379/0")])     # or on the server
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, Unpack, cast

try:
    from litestar.exceptions import ServiceUnavailableException
    from litestar.middleware.session import SessionMiddleware as LitestarSessionMiddleware
    from litestar.plugins import InitPlugin
    from litestar.serialization import decode_json, encode_json
    from litestar.types import Empty
    from litestar.utils import get_serializer_from_scope
except ImportError as _error:
    raise ImportError("coatcheck.litestar needs Litestar: pip install 'coatcheck[litestar]'") from _error

from litestar.config.app import AppConfig

from coatcheck.accounts import AsyncAccountCalls
from coatcheck.asgi import SessionMiddleware
from coatcheck.asgi_response import ASGIApp, Message, Receive, Scope, Send
from coatcheck.asgi_session import ScopeSession
from coatcheck.async_sessions import AsyncSession, AsyncSessions
from coatcheck.core.headers import protection
from coatcheck.core.session import Session
from coatcheck.errors import StoreError, UsageError
from coatcheck.options import Options

__all__ = ["AsyncSession", "Coatcheck"]


class Coatcheck(AsyncAccountCalls, InitPlugin):
    """Gives the handlers, guards and middleware of a Litestar application `request.session`.

    `sessions_of`, `revoke`, `revoke_user` and `revoke_everyone` are here, and in `scope["coatcheck"]`, which knows
    the session of the request.

    Args:
        secret_key: what sessions are sealed with; at least 16 bytes, better 32 random ones.
        options: `secret_key_fallbacks=`, `store=`, `cookie_name=`, `permanent_lifetime=`, and the others of
            `coatcheck.Settings`.

    Raises `UsageError` for what cannot be right.
    """

    def __init__(self, secret_key: Any, **options: Unpack[Options]) -> None:
        try:
            self.sessions: AsyncSessions = AsyncSessions({**options, "secret_key": secret_key})
        except (UsageError, ImportError) as error:
            # An error reporter shows the variables of the frames, and these hold keys.
            del secret_key, options
            raise error.with_traceback(None) from None

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Puts the sessions above all other middleware, and closes their stores with the application.

        Raises `UsageError` where Litestar's own are there too: what they put into the scope would end ours.
        """
        for each in app_config.middleware:
            kind = getattr(each, "middleware", each)
            if isinstance(kind, type) and issubclass(kind, LitestarSessionMiddleware):
                raise UsageError("Litestar's own session middleware is installed too: one of the two must go")
        app_config.middleware.insert(0, cast(Any, self._wrap))
        app_config.type_encoders = {Session: dict, **(app_config.type_encoders or {})}
        app_config.on_shutdown.append(self.sessions.close)
        return app_config

    def _accounts(self) -> AsyncSessions:
        return self.sessions

    def _answerable(self, error: StoreError) -> StoreError:
        return _StoreUnavailable(error)

    def _wrap(self, app: ASGIApp) -> ASGIApp:
        # Litestar builds its middleware once for each handler, and all have the same sessions.
        return _Middleware(app, self.sessions)


class _StoreUnavailable(StoreError, ServiceUnavailableException):
    """Answers 503 where the application has no handler for `StoreError`. The visitor is told no more than that."""

    def __init__(self, error: StoreError) -> None:
        ServiceUnavailableException.__init__(self, headers=protection((), no_store=True))
        self.args: tuple[Any, ...] = error.args

    def __str__(self) -> str:
        return Exception.__str__(self)

    def __reduce__(self) -> tuple[type[Self], tuple[StoreError]]:
        return type(self), (StoreError(*self.args),)


class _Middleware(SessionMiddleware):
    # Its encoder, written in C, would read a dict without asking it; of anything else it asks what to write.
    session_type = ScopeSession

    def __init__(self, app: ASGIApp, sessions: AsyncSessions) -> None:
        async def translated(scope: Scope, receive: Receive, send: Send) -> None:
            session = scope["session"]

            async def translate(message: Message) -> None:
                if scope["session"] is not session:
                    scope["session"] = _content(scope)
                await send(message)

            await app(scope, receive, translate)
            if scope["session"] is not session:
                scope["session"] = _content(scope)

        self.app = translated
        self.sessions = sessions


def _content(scope: Scope) -> Any:
    """Gives what `clear_session` and `set_session` have put in the place of the session: nothing, or a model."""
    value = scope["session"]
    if value is Empty or value is None or isinstance(value, Mapping):
        return None if value is Empty else value
    content: Any = decode_json(encode_json(value, get_serializer_from_scope(cast(Any, scope))))
    return content
