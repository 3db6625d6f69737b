"""What has been ended, as a process has it in its memory, and what that means for a session.

An entry of the list, as the store has it, is

    kind, 1 byte | subject, 16 | instant, 8 | until, 8 | the family that is kept, 16
"""

from __future__ import annotations

from struct import Struct
from threading import Lock
from typing import NamedTuple

from coatcheck.core.confined import Confined
from coatcheck.core.events import Reason
from coatcheck.core.facts import FAMILY_BYTES, Facts, UserId
from coatcheck.core.owners import Owners
from coatcheck.core.record import Record

# What an entry says.
ENDED = 1
"""The session with this id, or of this family, has been ended by its own browser."""
REVOKED = 2
"""It has been ended by somebody else: its user elsewhere, or the application."""
ROTATED = 3
"""This id has been replaced by another of its family."""
USER = 4
EVERYONE = 5

NO_FAMILY = bytes(FAMILY_BYTES)
ENTRY = Struct(">B16sQQ16s")
# How long an id that was replaced is still good for requests under way, in seconds.
GRACE = 10
MICRO = 1_000_000
_USERS_KEPT = 4096
# In the year 146 000.
_LAST_INSTANT = 2**62
# In the year 36 000. Some stores have no room for more.
_LAST_SECOND = 2**40


class Ending(NamedTuple):
    """One thing that has been ended."""

    kind: int
    subject: bytes
    """16 bytes: an id, a family, or what `Owners` gives."""
    until: int
    """When the last cookie has expired that it concerns; seconds since 1970."""
    kept: bytes = NO_FAMILY
    """USER: the one family that is not ended."""


class Endings(Confined):
    """What is known to have been ended, of one audience. Threads may share it."""

    def __init__(self, owners: Owners) -> None:
        self.owners: Owners = owners
        # By id or family: a kind, negative, or until when an id that was replaced is good.
        self._ended: dict[bytes, int] = {}
        # By user or key ring: instants, each with the family that is kept.
        self._before: dict[bytes, tuple[tuple[int, bytes], ...]] = {}
        # Users that nothing in there names: a look at a set, in place of the hashes of a user under all keys, is half
        # a microsecond less for every request. Whenever an entry is added, another set takes its place.
        self._unnamed: set[UserId] = set()
        self._everyone = 0
        self._until: dict[bytes, int] = {}
        self._lock = Lock()
        # Since when this may not be all. None while it is.
        self._failed_at: float | None = None
        self.latest: int = 0
        """The last instant that is known."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {len(self)} entries>"

    def __len__(self) -> int:
        return len(self._ended) + len(self._before)

    def clears(self, record: Record, facts: Facts | None) -> bool:
        """Says, at the least cost, that nothing is known against a session. Where it does not say so, ask `judge`."""
        if facts is None or self._failed_at is not None:
            return False
        seen, family, _, _, _, user_id, _ = facts
        ended = self._ended
        if family in ended or record.id[:FAMILY_BYTES] in ended or self._everyone > seen:
            return False
        return user_id is None or user_id in self._unnamed or self._is_unnamed(user_id)

    def _is_unnamed(self, user_id: UserId) -> bool:
        # The set of before the look: what is added meanwhile has replaced it.
        unnamed = self._unnamed
        if any(subject in self._before for subject in self.owners.find(user_id).subjects):
            return False
        if len(unnamed) >= _USERS_KEPT:
            unnamed.clear()
        unnamed.add(user_id)
        return True

    def judge(self, record: Record, facts: Facts | None, now: float) -> Reason | None:
        """Says why a session is no more; None if nothing is known against it."""
        if facts is None:
            # Sealed before there was a list. Its id has not changed since. Of one second, what was ended counts.
            seen, family, user_id = record.created_at * MICRO - 1, record.id[:FAMILY_BYTES], None
        else:
            seen, family, _, _, _, user_id, _ = facts
        ended = self._ended
        found = ended.get(family) or ended.get(record.id[:FAMILY_BYTES])
        if found is not None:
            if found < 0:
                return Reason.ENDED if found == -ENDED else Reason.REVOKED
            if now > found:
                return Reason.REUSED
        if self._everyone > seen:
            return Reason.REVOKED
        before = self._before
        if before and user_id is not None:
            for subject in self.owners.find(user_id).subjects:
                for at, kept in before.get(subject, ()):
                    if at > seen and kept != family:
                        return Reason.REVOKED
        return None

    def rotated(self, record: Record) -> bool:
        """Says whether a session came under an id that has been replaced already."""
        return self._ended.get(record.id, 0) > 0

    def _take(self, content: bytes) -> None:
        """Adds what a segment says. What is known already stays as it is."""
        with self._lock:
            for kind, subject, instant, until, kept in ENTRY.iter_unpack(content[1:]):
                if instant > _LAST_INSTANT:
                    # Whoever wrote this wants no later one to be possible.
                    continue
                if kind in (USER, EVERYONE):
                    self._before[subject] = _with(self._before.get(subject, ()), instant, kept)
                    if subject in self.owners.everyone:
                        # For every request, which need not look through what else there is.
                        self._everyone = max(instant, self._everyone)
                elif kind == ROTATED:
                    # The first time counts, and whoever has ended it for good.
                    self._ended.setdefault(subject, instant // MICRO + GRACE)
                elif self._ended.get(subject, 0) >= 0:
                    self._ended[subject] = -kind
                self._until[subject] = max(min(until, _LAST_SECOND), self._until.get(subject, 0))
                self.latest = max(self.latest, instant)
            self._unnamed = set()

    def _forget(self, now: float) -> None:
        """Leaves out what concerns no cookie any more."""
        with self._lock:
            for subject in [subject for subject, until in self._until.items() if until < now]:
                del self._until[subject]
                self._ended.pop(subject, None)
                self._before.pop(subject, None)

    def _entries(self) -> list[tuple[int, bytes, int, int, bytes]]:
        """Gives what is known, as entries have it."""
        with self._lock:
            entries = [
                (ROTATED, subject, (value - GRACE) * MICRO, self._until[subject], NO_FAMILY)
                if value > 0
                else (-value, subject, 0, self._until[subject], NO_FAMILY)
                for subject, value in self._ended.items()
            ]
            for subject, before in self._before.items():
                kind = EVERYONE if subject in self.owners.everyone else USER
                entries += [(kind, subject, instant, self._until[subject], kept) for instant, kept in before]
        return entries


def _with(known: tuple[tuple[int, bytes], ...], instant: int, kept: bytes) -> tuple[tuple[int, bytes], ...]:
    """Adds an instant. Of those that keep the same family the last counts, and none before one that keeps nobody."""
    by_family = {family: each for each, family in known}
    by_family[kept] = max(instant, by_family.get(kept, 0))
    floor = by_family.get(NO_FAMILY, 0)
    return tuple((each, family) for family, each in by_family.items() if each > floor or family == NO_FAMILY)
