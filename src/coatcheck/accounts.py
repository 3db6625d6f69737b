"""What an application may ask, and end, from outside of a session: the calls of every host's object.

    for info in coatcheck.sessions_of(user.id): ...
    coatcheck.revoke(handle, user_id=user.id)              # one
    coatcheck.revoke_user(user.id, keep=session)           # all others
    coatcheck.revoke_everyone()                            # every user's, and those of guests

An object for asyncio has the same, to be awaited.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from coatcheck.devices import name_device
from coatcheck.drive import run, run_async
from coatcheck.errors import StoreError

if TYPE_CHECKING:
    from coatcheck.async_sessions import AsyncSession, AsyncSessions  # noqa: F401  # named below in a text
    from coatcheck.core.accounts import Found
    from coatcheck.core.facts import UserId
    from coatcheck.core.operations import Steps
    from coatcheck.core.session import Session
    from coatcheck.request_session import RequestSession
    from coatcheck.sessions import Sessions

_T = TypeVar("_T")
_SessionsT = TypeVar("_SessionsT", bound="Sessions")
_SessionT = TypeVar("_SessionT", bound="RequestSession")


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A live session of a user, for a page that shows it. Times are in UTC. Its repr shows no address.

    Attributes:
        handle: its name, through all its ids: safe to show, useless as a cookie, and what `revoke` takes.
        created_at: when it began; before that of `authenticated_at` where a guest came first.
        seen_at: when it was last used, some minutes more or less (`refresh_interval`).
        authenticated_at: when its user signed in.
        expires_at: when it ends unless it is used again.
        ip: the address that the user signed in from, as the framework says; "" where it is not known.
        user_agent: what the browser said of itself then, at most 300 characters: hostile text.
        device: the same in words, such as "Firefox on Windows"; "" where nothing is known.
        current: whether it is the one that was given as such.
    """

    handle: str
    created_at: datetime
    seen_at: datetime
    authenticated_at: datetime
    expires_at: datetime
    ip: str = field(repr=False)
    user_agent: str = field(repr=False)
    device: str
    current: bool


class AccountCalls:
    """The calls, for a sync program.

    All raise `UsageError` where nothing remembers which sessions there are, and for what is no
    user id; `StoreError` where that fails.
    """

    def _accounts(self) -> Sessions:
        raise NotImplementedError

    def _current(self) -> Session | None:
        """Gives the session of the request that is under way, where the host knows."""
        return None

    def sessions_of(self, user_id: UserId, *, current: Session | None = None) -> list[SessionInfo]:
        """Gives the live sessions of a user, the current one first and then those last seen.

        Args:
            current: the session of this request, to have it marked. Where the framework says which one that is, it
                need not be given.
        """
        sessions = self._accounts()
        steps = sessions.engine.accounts.sessions_of(
            user_id, self._current() if current is None else current, sessions.clock()
        )
        return _shown(self._run(sessions, steps))

    def revoke(self, handle: str, *, user_id: UserId) -> bool:
        """Ends one session of a user, wherever it is. Gives False, and ends nothing, where this user has none such.

        Args:
            handle: as `sessions_of` gives it; `session.handle` is taken too.
        """
        sessions = self._accounts()
        return self._run(sessions, sessions.engine.accounts.revoke(handle, user_id, sessions.clock()))

    def revoke_user(self, user_id: UserId, *, keep: Session | None = None) -> int:
        """Ends all sessions of a user (ASVS 7.4.2), or all but one (7.4.3). Gives how many the user had.

        Args:
            keep: the session that goes on.
        """
        sessions = self._accounts()
        return self._run(sessions, sessions.engine.accounts.revoke_user(user_id, keep, sessions.clock()))

    def revoke_everyone(self) -> None:
        """Ends all sessions there are, those of guests too (ASVS 7.4.5)."""
        sessions = self._accounts()
        self._run(sessions, sessions.engine.accounts.revoke_everyone(sessions.clock()))

    def _answerable(self, error: StoreError) -> StoreError:
        """Gives the error as one that the framework has an answer to, where that wants its own kind."""
        return error

    def _run(self, sessions: Sessions, steps: Steps[_T]) -> _T:
        try:
            return run(steps, sessions.stores)
        except StoreError as error:
            sessions.watch.store_down(error)
            raise self._answerable(error) from None


class AsyncAccountCalls:
    """As `AccountCalls`, for asyncio."""

    def _answerable(self, error: StoreError) -> StoreError:
        return error

    def _accounts(self) -> AsyncSessions:
        raise NotImplementedError

    def _current(self) -> Session | None:
        return None

    async def sessions_of(self, user_id: UserId, *, current: Session | None = None) -> list[SessionInfo]:
        """As `AccountCalls.sessions_of`."""
        sessions = self._accounts()
        steps = sessions.engine.accounts.sessions_of(
            user_id, self._current() if current is None else current, sessions.clock()
        )
        return _shown(await self._run_async(sessions, steps))

    async def revoke(self, handle: str, *, user_id: UserId) -> bool:
        """As `AccountCalls.revoke`."""
        sessions = self._accounts()
        return await self._run_async(sessions, sessions.engine.accounts.revoke(handle, user_id, sessions.clock()))

    async def revoke_user(self, user_id: UserId, *, keep: Session | None = None) -> int:
        """As `AccountCalls.revoke_user`."""
        sessions = self._accounts()
        return await self._run_async(sessions, sessions.engine.accounts.revoke_user(user_id, keep, sessions.clock()))

    async def revoke_everyone(self) -> None:
        """As `AccountCalls.revoke_everyone`."""
        sessions = self._accounts()
        await self._run_async(sessions, sessions.engine.accounts.revoke_everyone(sessions.clock()))

    async def _run_async(self, sessions: AsyncSessions, steps: Steps[_T]) -> _T:
        try:
            return await run_async(steps, sessions.stores)
        except StoreError as error:
            sessions.watch.store_down(error)
            raise self._answerable(error) from None


class _OfRequest(Generic[_SessionsT, _SessionT]):
    """What the calls within a request know, sync and async alike."""

    def __init__(self, sessions: _SessionsT, session: _SessionT) -> None:
        self._sessions = sessions
        self._session = session

    def _accounts(self) -> _SessionsT:
        return self._sessions

    def _current(self) -> _SessionT:
        return self._session

    def _answerable(self, error: StoreError) -> StoreError:
        # A framework that makes a page of every error lets no integration see this one.
        self._session.fail()
        return error


class RequestAccounts(_OfRequest["Sessions", "RequestSession"], AccountCalls):
    """The calls within a request: they know its session, and it knows if one has failed."""


class AsyncRequestAccounts(_OfRequest["AsyncSessions", "AsyncSession"], AsyncAccountCalls):
    """As `RequestAccounts`, for asyncio."""

    async def sessions_of(self, user_id: UserId, *, current: Session | None = None) -> list[SessionInfo]:
        if current is None:
            # Not every framework has the store asked before the application begins.
            await self._session.load()
        return await super().sessions_of(user_id, current=current)


def _shown(found: list[Found]) -> list[SessionInfo]:
    return [
        SessionInfo(
            # Of the family, which stays when the id does not: a page that was loaded before names the same session.
            handle=row.family.hex(),
            created_at=datetime.fromtimestamp(row.created_at, UTC),
            seen_at=datetime.fromtimestamp(row.seen_at, UTC),
            authenticated_at=datetime.fromtimestamp(row.authenticated_at, UTC),
            expires_at=datetime.fromtimestamp(row.expires_at, UTC),
            ip=row.ip,
            user_agent=row.agent,
            device=name_device(row.agent),
            current=current,
        )
        for row, current in found
    ]
