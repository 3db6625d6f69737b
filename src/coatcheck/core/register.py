"""Tells others what a request has done to its session: the list of what has ended, and the user's roster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple, cast

from coatcheck.core.confined import Confined
from coatcheck.core.endings import ENDED, MICRO, REVOKED, ROTATED, Ending
from coatcheck.core.facts import FAMILY_BYTES, Facts, UserId
from coatcheck.core.opaque import LIVE
from coatcheck.core.operations import STORE, Steps, delete, read
from coatcheck.core.record import Record
from coatcheck.core.revocations import MARGIN, Revocations
from coatcheck.core.roster import Rosters, Rows, Signed, shorten
from coatcheck.core.session import Session
from coatcheck.core.settings import Settings
from coatcheck.errors import StoreError, TooManySessions

# A request that signs in, or asks for another id, may not have kept its record yet, in seconds.
_FRESH = 60
HANDLE_ON_SERVER = 32
"""The bytes of a handle that is the key of a record. Those of sealed sessions have fewer."""


class Limits(NamedTuple):
    """How long sessions live, in seconds."""

    lifetime: int
    absolute: int | None
    interval: float
    """How old may be what the roster says of a session's use."""

    @classmethod
    def of(cls, settings: Settings, interval: float) -> Limits:
        absolute = settings.absolute_lifetime
        return cls(settings.unseen_seconds, None if absolute is None else int(absolute.total_seconds()), interval)

    def expiry(self, seen_at: int, began_at: int) -> int:
        """Says when a session ends that was used, and had begun, at these times."""
        end = seen_at + self.lifetime
        return end if self.absolute is None else min(end, began_at + self.absolute)


class Register(Confined):
    """Does it for one policy and one key ring.

    Args:
        store: whether there are sessions that are kept in a store.
    """

    def __init__(  # noqa: PLR0913  # what the core is not to find by itself
        self,
        settings: Settings,
        revocations: Revocations,
        rosters: Rosters,
        random: Callable[[int], bytes],
        limits: Limits,
        *,
        store: bool,
    ) -> None:
        self.revocations: Revocations = revocations
        self.rosters: Rosters = rosters
        self.limits: Limits = limits
        self._interval = limits.interval
        self._random = random
        self._most = settings.max_sessions_per_user
        self._refuses = settings.over_limit == "refuse"
        self._rotates = None if settings.rotate_every is None else settings.rotate_every.total_seconds()
        self.store: bool = store

    def new_facts(self, now: int) -> Facts:
        """Gives the facts of a guest's session that begins now.

        The list is not asked for it, and may never have been read by this process: what was
        ended long ago is known by the clock. For a guest that is good enough.
        """
        return Facts(max(self.revocations.latest, now * MICRO - 1), self._random(FAMILY_BYTES))

    def last_use(self, now: float) -> int:
        """Says when the last cookie has expired that was sent by a request under way now."""
        return int(now) + self.limits.lifetime + MARGIN

    def concerns(self, session: Session, now: int) -> bool:
        """Says whether others have to hear of what this request has done."""
        loaded = session._loaded
        if loaded.reused or loaded.replaced:
            return True
        # Whoever signs in or out, and whatever ends or renews a session, leaves one of these. Most requests do not.
        if (session._mutated or session._forced) and (
            session._ended or session._signing or session._renewed or session._cleared
        ):
            return True
        facts = session._facts
        if facts is None or facts.user_id is None:
            return False
        if loaded.kept is None and loaded.home is None and self._rotates is None:
            # What most requests come to, without the calls below.
            return facts.noted_at + self._interval < now
        return self._rotates_at(session, facts) < now or self._note_at(session, facts) < now

    def rotates(self, session: Session, now: int) -> bool:
        """Says whether it is time for a signed-in session to get another id."""
        facts = session._facts
        return (
            facts is not None
            and facts.user_id is not None
            and not (session._renewed or session._ended)
            and self._rotates_at(session, facts) < now
        )

    def _rotates_at(self, session: Session, facts: Facts) -> float:
        kept = session._loaded.kept
        if self._rotates is None or (kept is not None and kept.entry.state != LIVE):
            return inf
        return facts.rotated_at + self._rotates

    def _note_at(self, session: Session, facts: Facts) -> float:
        """Says when the roster is to hear of a session that goes on: one in a store says itself when it was used."""
        loaded = session._loaded
        if loaded.home is not None or (loaded.kept is not None and not self.store):
            # It moves, and has another handle then.
            return 0
        return facts.noted_at + self._interval if loaded.kept is None else inf

    def end_family(self, family: bytes, now: float) -> Steps[None]:
        """Ends a session under all its ids. Raises `StoreError`."""
        yield from self.revocations.append([self._ending(REVOKED, family, now)], now)

    def settle(self, session: Session, now: int, *, writes: bool) -> Steps[None]:
        """Tells them, before the response leaves. Raises `StoreError` and `TooManySessions`.

        Args:
            writes: whether the session is about to be kept.
        """
        loaded = session._loaded
        record, before, after = loaded.record, loaded.facts, session._facts
        # One that comes from elsewhere leaves its marks at its home.
        sealed = record is not None and loaded.kept is None and loaded.home is None
        endings = [self._ending(REVOKED, loaded.reused, now)] if loaded.reused else []
        if session._signing and after is not None:
            # First, for it may be refused, and nothing is changed then.
            endings += yield from self._sign_in(session, after, now)
        if record is not None and (session._ended or session._is_over()):
            if sealed:
                endings.append(self._ending(ENDED, record.id if before is None else before.family, now))
            if before is not None and before.user_id is not None:
                family = before.family
                yield from self.rosters.edit(before.user_id, lambda rows: rows.pop(family, None), now)
        elif record is not None and session._signing and before is not None and before.user_id is not None:
            # The same user again. Another request may be giving the old session another id meanwhile.
            endings.append(self._ending(ENDED, before.family, now))
        elif record is not None and session._renewed and sealed:
            endings.append(self._ending(ENDED if session._signing else ROTATED, record.id, now))
        if writes and not session._signing and after is not None and after.user_id is not None:
            yield from self._note(session, after, now)
        if endings:
            yield from self.revocations.append(endings, now)
        if session._over and after is not None and after.user_id is not None:
            yield from self._forget(session._over, after.user_id, now)

    def _ending(self, kind: int, subject: bytes, now: float) -> Ending:
        return Ending(kind, subject[:FAMILY_BYTES], self.last_use(now))

    def _sign_in(self, session: Session, facts: Facts, now: int) -> Steps[list[Ending]]:
        """Puts a session into its user's roster. Gives the sessions that have to end for it."""
        # What is ended from now on gets a later instant than any that is known.
        yield from self.revocations.catch_up(now)
        seen = min(facts.seen, self.revocations.latest)
        session._facts = facts = facts._replace(seen=seen, rotated_at=now, noted_at=now)
        user_id, before = cast(UserId, facts.user_id), session._loaded.facts
        own = session._identity()
        ip, agent = shorten(*session._client())
        created_at = int(session.created_at.timestamp())
        expires_at = self.limits.expiry(now, facts.authenticated_at)
        row = Signed(own, facts.family, facts.seen, created_at, facts.authenticated_at, now, expires_at, ip, agent)
        gone: set[bytes] = set()
        if self._most is not None:
            gone = yield from self._gone(user_id, now)
        over: list[Signed] = []

        def enter(rows: Rows) -> None:
            over.clear()
            for family in gone:
                rows.pop(family, None)
            if before is not None:
                # The same user has signed in again.
                rows.pop(before.family, None)
            rows.pop(facts.family, None)
            if self._most is not None:
                oldest = sorted(rows.values(), key=lambda each: each.authenticated_at)
                over.extend(oldest[: max(0, len(oldest) + 1 - self._most)])
                if over and self._refuses:
                    raise TooManySessions(self._most)
                # They stay here until the list says that they have ended: who lives is to be seen.
            rows[facts.family] = row

        yield from self.rosters.edit(user_id, enter, now)
        session._over = over
        return [self._ending(REVOKED, each.family, now) for each in over]

    def _gone(self, user_id: UserId, now: int) -> Steps[set[bytes]]:
        """Gives the families that the roster has, and that nobody can come with any more."""
        rows: Rows = yield from self.rosters.read(user_id, now)
        gone = set()
        for row in rows.values():
            if not (yield from self.alive(row, user_id, now)):
                gone.add(row.family)
        return gone

    def alive(self, row: Signed, user_id: UserId, now: int) -> Steps[bool]:
        """Says whether a session of the roster still is one, as far as the list and the store know."""
        if self.is_ended(row, user_id, now):
            return False
        if len(row.handle) < HANDLE_ON_SERVER or now - row.seen_at < _FRESH:
            return True
        return (yield read(STORE, row.handle)) is not None

    def is_ended(self, row: Signed, user_id: UserId, now: int) -> bool:
        """Says whether the list knows that a session of the roster has been ended."""
        facts = Facts(row.seen, row.family, user_id=user_id)
        record = Record(row.handle, row.created_at, row.seen_at, b"")
        return self.revocations.judge(record, facts, now) is not None

    def _forget(self, over: Sequence[Signed], user_id: UserId, now: int) -> Steps[None]:
        """Takes the sessions that have ended for another out of the store and out of the roster."""
        for row in over:
            if self.store and len(row.handle) == HANDLE_ON_SERVER:
                yield delete(STORE, row.handle)

        def leave_out(rows: Rows) -> None:
            for row in over:
                rows.pop(row.family, None)

        yield from self.rosters.edit(user_id, leave_out, now)

    def correct(self, session: Session, handle: bytes, now: int) -> Steps[None]:
        """Puts right what `settle` has told the roster of another id: another request was faster. Raises `StoreError`.

        Args:
            handle: what the session is kept under.
        """
        # A guest's session is not the one that came second: it has parted.
        facts, own = cast(Facts, session._facts), session._identity()
        family, user_id = facts.family, cast(UserId, facts.user_id)

        def correct(rows: Rows) -> None:
            row = rows.get(family)
            if row is not None and row.handle == own:
                rows[family] = row._replace(handle=handle)

        yield from self.rosters.edit(user_id, correct, now)

    def _note(self, session: Session, facts: Facts, now: int) -> Steps[None]:
        """Tells the roster of another id, and now and then that the session is in use."""
        renewed, kept = session._renewed, session._loaded.kept
        if kept is not None and kept.entry.state != LIVE:
            # It came under an id that had been replaced, and what is kept of it is no part of that session.
            return
        own, family, user_id = session._identity(), facts.family, cast(UserId, facts.user_id)
        session._facts = facts._replace(noted_at=now, rotated_at=now if renewed else facts.rotated_at)
        expires_at = self.limits.expiry(now, facts.authenticated_at)

        def note(rows: Rows) -> None:
            row = rows.get(family)
            if row is not None:
                rows[family] = row._replace(handle=own, seen_at=now, expires_at=expires_at)

        try:
            yield from self.rosters.edit(user_id, note, now)
        except StoreError:
            # It is what a page shows. The next request will try again; the session itself does not wait for that.
            if renewed:
                raise
