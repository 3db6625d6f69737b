"""What has been ended, held in the memory of each process and kept in a store that they share.

A cookie that was copied cannot be called back. So what is ended is written down until the
last cookie that it concerns has expired: one session (by its id or its family), a user's
sessions before an instant, everyone's before an instant.

The instants are the list's own: each entry gets one later than all before it, in the same
step that writes it. A session carries the last instant that was known when it began. So
whether somebody signed in before or after "sign out everywhere" is no question of clocks,
which differ between machines. An instant is the time in microseconds where that is later,
so that a list that was lost goes on where it was.

In the store it is a row of segments, each a record of some 256 entries, at keys that
everybody can compute. A process reads on from the segment that it knows:

    segment = 0x01 | entry ...
    entry   = kind, 1 byte | subject, 16 | instant, 8 | until, 8 | the family that is kept, 16

They are not sealed: a worker that has not the newest key yet must be able to read
them. Subjects are random ids and keyed hashes.
"""

from __future__ import annotations

from hashlib import sha256
from math import inf
from struct import Struct
from typing import NamedTuple, Protocol

from coatcheck.core.endings import ENTRY, MICRO, Ending, Endings
from coatcheck.core.operations import REVOCATIONS, Steps, insert, read, replace
from coatcheck.core.owners import Owners
from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError

SEGMENT_ENTRIES = 256
# Longer than any request takes that has begun before something was ended, and sends its cookie afterwards, in seconds.
MARGIN = 3600
_FORMAT = b"\x01"
_HEAD = Struct(">QQ")
# The head says where the list begins. Longer than what it leads to.
_HEAD_LIFE = 800 * 86400
# Each conflict means that another process has written.
_TRIES = 200
# No list of ours is longer, and no segment. A store that says otherwise would keep a process reading for ever.
_MOST_SEGMENTS = 2**17
_MOST_BYTES = 2**18
_FOREIGN = "the list of revocations is not what this version writes"
# A list that could not be read is asked for again after so many seconds, and not by each request.
_PAUSE = 1.0
# How often what has expired is looked for, in seconds.
_SWEEP = 600


class Bell(Protocol):
    """Tells the processes of one machine that the list has changed, without a look at the store."""

    def hear(self) -> object:
        """Gives something that differs from what it gave before if the bell has been rung since."""
        ...

    def ring(self) -> None:
        """Has every process of this machine look at the list. It is no error where that is not possible."""
        ...


class Silence:
    """A bell that nobody rings: each process looks when its delay is over."""

    def hear(self) -> object:
        return None

    def ring(self) -> None:
        return


class Revocations(Endings):
    """The list of one audience, in this process.

    Args:
        delay: how old may be what is known, in seconds; 0 asks at every request.
    """

    def __init__(self, owners: Owners, audience: str, *, delay: float, bell: Bell | None = None) -> None:
        super().__init__(owners)
        self._delay = delay
        self._bell: Bell = bell or Silence()
        name = audience.encode()
        self._name = b"coatcheck revocations" + len(name).to_bytes(2, "big") + name
        self._swept_at = 0.0
        self._at: _Position | None = None
        self._heard: object = None
        self._looked_at: float | None = None
        # The list is known well enough from the first of these times on, and before the second.
        self._fresh = (inf, inf)

    @property
    def unknown(self) -> bool:
        """Whether what is known is too old, for the list could not be read."""
        return self._failed_at is not None

    @property
    def unread(self) -> bool:
        """Whether nothing is known yet."""
        return self._looked_at is None and self._failed_at is None

    def fresh(self, now: float) -> bool:
        """Says whether a session can be judged by what is known. Every request asks."""
        first, end = self._fresh
        return first <= now < end and self._bell.hear() == self._heard

    def stale(self, now: float) -> bool:
        """Says whether the store is to be asked before the next session is judged."""
        if self._failed_at is not None:
            return not 0 <= now - self._failed_at < max(self._delay, _PAUSE)
        return not self.fresh(now)

    # What the store says

    def refresh(self, now: float) -> Steps[None]:
        """Reads what is new, if it is time. That the list cannot be read is no error yet: see `unknown`."""
        if self.stale(now):
            try:
                yield from self.catch_up(now)
            except StoreError:
                self._failed_at, self._fresh = now, (inf, inf)

    def catch_up(self, now: float) -> Steps[None]:
        """Reads what is new. Raises `StoreError`."""
        heard = self._bell.hear()
        at = self._at or (yield from self._find_beginning())
        # What the store has of what this process knew already, if it has lost some of it.
        found: set[bytes] | None = None
        while True:
            now_at = yield from self._read(at)
            content = now_at.content
            if found is None and (yield from self._is_lost(at, content, now)):
                found, at = set(), (yield from self._find_beginning())
                continue
            if content != at.content:
                self._take(content)
            if found is not None:
                found.update(subject for _, subject, *_ in ENTRY.iter_unpack(content[1:]))
            at = now_at
            if not at.full and at.number >= at.last:
                break
            at = at.next
        self._at = at._replace(first=at.number)
        if found is not None:
            yield from self._restore(found, now)
        self._heard, self._looked_at, self._failed_at = heard, now, None
        self._fresh = (now, now + self._delay)
        if not 0 <= now - self._swept_at < _SWEEP:
            self._swept_at = now
            self._forget(now)

    def _read(self, at: _Position) -> Steps[_Position]:
        """Gives what a segment has now. Raises `StoreError`, also for what is none: nobody knows what has been ended.

        Another version may, or whoever looks into the store.
        """
        if at.number - at.first > _MOST_SEGMENTS:
            raise StoreError("the list of revocations has no end")
        stored: StoredRecord | None = yield read(REVOCATIONS, self._key(at.number))
        if stored is None:
            return at._replace(content=b"", version=None, expires_at=0)
        content = stored.content
        if content[:1] != _FORMAT or (len(content) - 1) % ENTRY.size or len(content) > _MOST_BYTES:
            raise StoreError(_FOREIGN)
        return at._replace(content=content, version=stored.version, expires_at=stored.expires_at)

    def append(self, endings: list[Ending], now: float) -> Steps[int]:
        """Writes down what has been ended, and knows it from then on. Gives the instant. Raises `StoreError`."""
        for _ in range(_TRIES):
            yield from self.catch_up(now)
            instant = max(self.latest + 1, int(now * MICRO))
            entries = b"".join(
                ENTRY.pack(kind, subject, instant, until, kept) for kind, subject, until, kept in endings
            )
            if (yield from self._write(entries, max(ending.until for ending in endings), now)):
                return instant
        raise StoreError(f"the list of revocations was changed by others {_TRIES} times while this request wrote to it")

    def _write(self, entries: bytes, until: int, now: float) -> Steps[bool]:
        """Puts entries at the end of the list. Gives False if another process was faster."""
        at = self._at or _NOWHERE
        content = (at.content or _FORMAT) + entries
        record = StoredRecord(content, int(now), max(at.expires_at, int(now) + 1, until))
        key, new = self._key(at.number), not at.content
        try:
            written = yield insert(REVOCATIONS, key, record) if new else replace(REVOCATIONS, key, record, at.version)
        except BaseException:
            # It may be written all the same, and whoever tries again may find that there is nothing left to do.
            self._bell.ring()
            raise
        if not written:
            return False
        self._take(content)
        # Were the store to lose it before it is read again, nobody else would know.
        self._at = at._replace(content=content, expires_at=record.expires_at)
        # The others hear of it only now that they can read it.
        self._bell.ring()
        if new:
            yield from self._note(at.number, now)
        return True

    def _is_lost(self, at: _Position, content: bytes, now: float) -> Steps[bool]:
        """Says whether the store has forgotten what this process has read there, and not because its time had come."""
        if at.content:
            return at.expires_at > now and not content.startswith(at.content)
        if content or not at.number:
            return False
        # This segment is not there yet, and the one before it is the last.
        return (yield from self._find_beginning()).last < at.number - 1

    def _restore(self, found: set[bytes], now: float) -> Steps[None]:
        """Writes down again what the store has lost: those who start later know it from there alone."""
        lost = [
            ENTRY.pack(kind, subject, instant, until, kept)
            for kind, subject, instant, until, kept in self._entries()
            if subject not in found and until >= now
        ]
        until = max(list(self._until.values()), default=0)
        conflicts = 0
        while lost:
            # If another process writes too, it restores what it knows; each of them goes on where the other was.
            if (yield from self._write(b"".join(lost[:SEGMENT_ENTRIES]), until, now)):
                del lost[:SEGMENT_ENTRIES]
            else:
                conflicts += 1
                if conflicts > _TRIES:
                    raise StoreError("the list of revocations is lost, and cannot be written down again")
            at = yield from self._read(self._at or _NOWHERE)
            while at.full:
                self._take(at.content)
                at = yield from self._read(at.next)
            self._at = at

    def _key(self, number: int) -> bytes:
        return sha256(self._name + number.to_bytes(8, "big")).digest()

    @property
    def _head_key(self) -> bytes:
        return sha256(self._name + b"head").digest()

    def _find_beginning(self) -> Steps[_Position]:
        stored: StoredRecord | None = yield read(REVOCATIONS, self._head_key)
        first, last = _read_head(stored)
        return _Position(first, first, b"", None, last)

    def _note(self, number: int, now: float) -> Steps[None]:
        """Tells those who start later where the list is. Without, they find the end from an earlier segment."""
        stored: StoredRecord | None = yield read(REVOCATIONS, self._head_key)
        first, last = _read_head(stored)
        while first < number and (yield read(REVOCATIONS, self._key(first))) is None:
            first += 1
        record = StoredRecord(_FORMAT + _HEAD.pack(first, max(last, number)), int(now), int(now) + _HEAD_LIFE)
        if stored is None:
            yield insert(REVOCATIONS, self._head_key, record)
        else:
            yield replace(REVOCATIONS, self._head_key, record, stored.version)


def _read_head(stored: StoredRecord | None) -> tuple[int, int]:
    """Gives the first segment and the last. Raises `StoreError` for what is no head."""
    if stored is None:
        return 0, 0
    if stored.content[:1] != _FORMAT or len(stored.content) != 1 + _HEAD.size:
        raise StoreError(_FOREIGN)
    first, last = _HEAD.unpack(stored.content[1:])
    if not first <= last <= first + _MOST_SEGMENTS:
        raise StoreError(_FOREIGN)
    return first, last


class _Position(NamedTuple):
    """How far the list has been read."""

    first: int
    """Where this reading began."""
    number: int
    """Of the segment that the next entry goes to."""
    content: bytes
    version: object
    last: int
    """The last segment that the head has told of."""
    expires_at: int = 0

    @property
    def full(self) -> bool:
        return len(self.content) >= 1 + SEGMENT_ENTRIES * ENTRY.size

    @property
    def next(self) -> _Position:
        # Of those before the last, some have expired.
        return self._replace(number=self.number + 1, content=b"", version=None, expires_at=0)


_NOWHERE = _Position(0, 0, b"", None, 0)
