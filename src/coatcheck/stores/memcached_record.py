"""What memcached keeps of a record.

    key    the prefix, and the key of the record in hexadecimal digits: the handle that stands in a log
    value  used at, 5 bytes | expires at, 5 bytes | content

Times are seconds since 1970, big-endian.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from coatcheck.core.record import StoredRecord

_TIME_BITS = 40
_TIME_MASK = 2**_TIME_BITS - 1
_HEAD_BYTES = 10
# What is longer, memcached takes for a time since 1970.
_LONGEST_LIFE = 60 * 60 * 24 * 30
# memcached reads 32 bits, and refuses what does not fit.
_LAST_TIME = 2**31 - 1

Run: TypeAlias = tuple[int, int]
"""Which run of a server: process and start, for at each start it counts its versions from 1 again."""


class Found(NamedTuple):
    """What memcached has under a key."""

    value: bytes
    cas: bytes
    """The version that memcached gives to each value of one run."""
    run: Run


class Seen(NamedTuple):
    """The version of a record, with what it takes to change the times alone."""

    cas: bytes
    run: Run
    expires_at: int
    content: bytes

    def __repr__(self) -> str:
        return "<Seen>"


def to_value(content: bytes, used_at: int, expires_at: int) -> bytes:
    """Gives what is kept."""
    return (used_at << _TIME_BITS | expires_at).to_bytes(_HEAD_BYTES, "big") + content


def from_value(found: Found, now: float) -> StoredRecord | None:
    """Gives the record; None for one that has expired, and for what is none."""
    value, cas, run = found
    times = int.from_bytes(value[:_HEAD_BYTES], "big")
    expires_at = times & _TIME_MASK
    if expires_at <= now or len(value) < _HEAD_BYTES:
        return None
    content = value[_HEAD_BYTES:]
    return StoredRecord(content, times >> _TIME_BITS, expires_at, b"", Seen(cas, run, expires_at, content))


def to_expiry(expires_at: int, now: float) -> int:
    """Gives the time in which memcached may forget a record, as it wants it.

    It counts whole seconds, of which the first is already running: two more, so that it
    never forgets before the record has expired. By the clock of the store, the record is
    gone at the right moment all the same.
    """
    life = max(0, int(expires_at - now)) + 2
    return life if life <= _LONGEST_LIFE else min(life + int(time.time()), _LAST_TIME)


def to_run(stats: Mapping[Any, Any]) -> Run:
    """Gives the run that a server's statistics are of."""
    return int(stats[b"pid"]), int(stats[b"time"]) - int(stats[b"uptime"])
