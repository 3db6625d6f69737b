"""Lists and ends the sessions of Django's users: functions, for the engine of a project is no object.

In an async view, those that begin with an a are awaited.
"""

from __future__ import annotations

from coatcheck.accounts import AccountCalls, SessionInfo
from coatcheck.core.facts import UserId
from coatcheck.core.session import Session
from coatcheck.django.configuration import configuration
from coatcheck.sessions import Sessions


class _Accounts(AccountCalls):
    def _accounts(self) -> Sessions:
        return configuration.sessions()


_calls = _Accounts()


def sessions_of(user_id: UserId, *, current: Session | None = None) -> list[SessionInfo]:
    """As `AccountCalls.sessions_of`; `current` is `request.session`."""
    return _calls.sessions_of(user_id, current=current)


def revoke(handle: str, *, user_id: UserId) -> bool:
    """As `AccountCalls.revoke`."""
    return _calls.revoke(handle, user_id=user_id)


def revoke_user(user_id: UserId, *, keep: Session | None = None) -> int:
    """As `AccountCalls.revoke_user`."""
    return _calls.revoke_user(user_id, keep=keep)


def revoke_everyone() -> None:
    """As `AccountCalls.revoke_everyone`."""
    _calls.revoke_everyone()


async def asessions_of(user_id: UserId, *, current: Session | None = None) -> list[SessionInfo]:
    """As `sessions_of`."""
    return await (await configuration.here()).sessions_of(user_id, current=current)


async def arevoke(handle: str, *, user_id: UserId) -> bool:
    """As `revoke`."""
    return await (await configuration.here()).revoke(handle, user_id=user_id)


async def arevoke_user(user_id: UserId, *, keep: Session | None = None) -> int:
    """As `revoke_user`."""
    return await (await configuration.here()).revoke_user(user_id, keep=keep)


async def arevoke_everyone() -> None:
    """As `revoke_everyone`."""
    await (await configuration.here()).revoke_everyone()
