"""What the engine asks of a store. It asks nobody itself: it yields, and a driver answers."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple, TypeAlias, TypeVar

from coatcheck.core.record import StoredRecord

_T = TypeVar("_T")


class Operation(NamedTuple):
    """One call of one method of a store."""

    place: int
    """Which store: 0 for the one that is written, 1 for an earlier one that sessions are moved from, 2 for the list of
    what has been ended and the rosters."""
    method: str
    arguments: tuple[Any, ...]


Steps: TypeAlias = Generator[Operation, Any, _T]

STORE = 0
EARLIER_STORE = 1
REVOCATIONS = 2


def read(place: int, key: bytes) -> Operation:
    return Operation(place, "read", (key,))


def insert(place: int, key: bytes, record: StoredRecord) -> Operation:
    return Operation(place, "insert", (key, record))


def replace(place: int, key: bytes, record: StoredRecord, seen: object) -> Operation:
    return Operation(place, "replace", (key, record, seen))


def touch(place: int, key: bytes, used_at: int, expires_at: int, seen: object) -> Operation:
    return Operation(place, "touch", (key, used_at, expires_at, seen))


def delete(place: int, key: bytes) -> Operation:
    return Operation(place, "delete", (key,))
