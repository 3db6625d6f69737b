"""What may be asked and ended from outside of a session: by its user elsewhere, or by the application."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from coatcheck.core.confined import Confined
from coatcheck.core.endings import EVERYONE, NO_FAMILY, REVOKED, USER, Ending
from coatcheck.core.events import Event, Kind
from coatcheck.core.facts import check_user_id
from coatcheck.core.operations import STORE, Steps, delete, read
from coatcheck.core.record import StoredRecord
from coatcheck.core.register import HANDLE_ON_SERVER, Register
from coatcheck.core.roster import Rows, Signed
from coatcheck.core.session import Session
from coatcheck.errors import UsageError


class Found(NamedTuple):
    """A session of a user. Times are seconds since 1970."""

    row: Signed
    current: bool


class Accounts(Confined):
    """The verbs, as generators of operations. All raise `StoreError`, and `UsageError` for what is no user id."""

    def __init__(self, register: Register | None, emit: Callable[[Event], None]) -> None:
        self._kept = register
        self._emit = emit

    @property
    def _register(self) -> Register:
        if self._kept is None:
            raise UsageError(
                "nothing remembers which sessions there are: keep them in a store, or give revocations= a URL,"
                " such as sqlite:///revoked.db"
            )
        return self._kept

    def sessions_of(self, user_id: object, current: Session | None, now: float) -> Steps[list[Found]]:
        """Gives the live sessions of a user, those last seen first."""
        user, register = check_user_id(user_id), self._register
        family = _family(current)
        yield from register.revocations.catch_up(now)
        rows: Rows = yield from register.rosters.read(user, int(now))
        found = []
        for row in rows.values():
            seen = row
            if register.is_ended(row, user, int(now)):
                continue
            if register.store and len(row.handle) == HANDLE_ON_SERVER:
                stored: StoredRecord | None = yield read(STORE, row.handle)
                if stored is None:
                    continue
                seen = row._replace(
                    seen_at=stored.used_at,
                    expires_at=register.limits.expiry(stored.used_at, row.authenticated_at),
                )
            if seen.expires_at >= now:
                found.append(Found(seen, row.family == family))
        return sorted(found, key=lambda each: (each.current, each.row.seen_at), reverse=True)

    def revoke(self, handle: object, user_id: object, now: float) -> Steps[bool]:
        """Ends one session of a user. Gives False where this user has no such session."""
        user, register = check_user_id(user_id), self._register
        rows: Rows = yield from register.rosters.read(user, int(now))
        row = next((each for each in rows.values() if handle in (each.family.hex(), each.handle.hex())), None)
        if row is None:
            return False
        yield from register.revocations.append([Ending(REVOKED, row.family, register.last_use(now))], now)
        yield from self._clear(register, [row])
        family = row.family
        yield from register.rosters.edit(user, lambda rows: rows.pop(family, None), int(now))
        return True

    def revoke_user(self, user_id: object, keep: Session | None, now: float) -> Steps[int]:
        """Ends all sessions of a user but one. Gives how many the roster had."""
        user, register = check_user_id(user_id), self._register
        kept = _family(keep)
        if keep is not None and (kept is None or str(keep.user_id) != str(user)):
            raise UsageError("keep= takes a session that this user is signed in with")
        until = register.last_use(now)
        subjects = register.revocations.owners.find(user).subjects
        endings = [Ending(USER, subject, until, kept or NO_FAMILY) for subject in subjects]
        instant = yield from register.revocations.append(endings, now)
        ended: list[Signed] = []

        def empty(rows: Rows) -> None:
            # Whoever has signed in since then stays.
            ended[:] = [row for row in rows.values() if row.family != kept and row.seen < instant]
            for row in ended:
                rows.pop(row.family)

        yield from register.rosters.edit(user, empty, int(now))
        yield from self._clear(register, ended)
        return len(ended)

    def revoke_everyone(self, now: float) -> Steps[None]:
        """Ends all sessions there are, those of guests too."""
        register = self._register
        until = register.last_use(now)
        endings = [Ending(EVERYONE, subject, until) for subject in register.revocations.owners.everyone]
        yield from register.revocations.append(endings, now)
        self._tell(Event(Kind.REVOKED))

    def _clear(self, register: Register, rows: list[Signed]) -> Steps[None]:
        """Takes what has been ended out of the store, so that machines that do not know yet cannot read it."""
        for row in rows:
            if register.store and len(row.handle) == HANDLE_ON_SERVER:
                yield delete(STORE, row.handle)
            self._tell(Event(Kind.REVOKED, handle=row.handle.hex()))

    def _tell(self, event: Event) -> None:
        self._emit(event)


def _family(session: Session | None) -> bytes | None:
    if session is not None and not isinstance(session, Session):
        raise UsageError(f"that is no session, but {type(session).__name__}")
    if session is None or session.user_id is None or session._facts is None:
        return None
    return session._facts.family
