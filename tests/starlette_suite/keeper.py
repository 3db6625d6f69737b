"""What Starlette's tests import in place of its sessions: ours, with the short keys that these tests use."""

from __future__ import annotations

import os
from typing import Any

from coatcheck import asgi
from coatcheck.async_sessions import AsyncSession, AsyncSessions

_STORE = os.environ.get("KEEPER_STORE") or None


class SessionMiddleware(asgi.SessionMiddleware):
    def __init__(self, app: asgi.ASGIApp, secret_key: str, **options: Any) -> None:
        super().__init__(app, secret_key, **options, allow_weak_key=True, store=_STORE)


def Session(content: dict[str, Any]) -> AsyncSession:  # noqa: N802  # as Starlette's class, which has the content as its argument
    """Gives the session of a request that brought this content."""
    sessions = AsyncSessions({"secret_key": "9f3c1b7ad0e84c52b6e1f70a2d95c8437be00f6a1c24d98e"})
    first = AsyncSession(sessions, "")
    first.update(content)
    (cookie,) = sessions.commit(first, https=True).cookies
    return AsyncSession(sessions, cookie.partition(";")[0])
