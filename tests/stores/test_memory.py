from __future__ import annotations

import os
from typing import Any

import pytest

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError, UsageError
from coatcheck.stores import Index, Store, Sweeping, open_store
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _shared(self) -> None:
        self.stores: dict[Clock, MemoryStore] = {}

    def make_store(self, clock: Clock) -> Store:
        return self.stores.setdefault(clock, MemoryStore(clock=clock))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def record(clock: Clock, life: int = 3600, content: bytes = b"content") -> StoredRecord:
    now = int(clock.now)
    return StoredRecord(content, now, now + life)


def keys(count: int) -> list[bytes]:
    return [number.to_bytes(32, "big") for number in range(count)]


def test_it_sweeps_and_finds_by_owner() -> None:
    assert isinstance(MemoryStore(), Sweeping)
    assert isinstance(MemoryStore(), Index)


# Bounded


def test_a_full_store_refuses_a_new_session_and_keeps_the_old_ones(clock: Clock) -> None:
    store, known = MemoryStore(limit=3, clock=clock), keys(3)
    for key in known:
        assert store.insert(key, record(clock, content=key)) is True
    for _ in range(2):
        with pytest.raises(StoreError, match="^the memory store is full: it keeps at most 3 sessions$"):
            store.insert(os.urandom(32), record(clock))
    assert [store.read(key).content for key in known] == known  # type: ignore[union-attr]


def test_in_a_full_store_everything_but_a_new_session_goes_on(clock: Clock) -> None:
    store, known = MemoryStore(limit=3, clock=clock), keys(3)
    for key in known:
        store.insert(key, record(clock))
    assert store.insert(known[0], record(clock)) is False
    assert store.replace(known[0], record(clock, content=b"second"), _version(store, known[0])) is True
    assert store.touch(known[1], 5, int(clock.now) + 5, _version(store, known[1])) is True
    store.delete(known[2])
    assert store.insert(os.urandom(32), record(clock)) is True


def test_the_place_of_an_expired_record_is_taken_anew(clock: Clock) -> None:
    store, known = MemoryStore(limit=3, clock=clock), keys(3)
    for life, key in zip((100, 10, 1000), known, strict=True):
        store.insert(key, record(clock, life))
    clock.advance(10)
    assert store.insert(os.urandom(32), record(clock)) is True
    with pytest.raises(StoreError):
        store.insert(os.urandom(32), record(clock))
    assert [store.read(key) is None for key in known] == [False, True, False]


def test_an_expired_record_is_replaced_in_a_full_store_under_its_own_key(clock: Clock) -> None:
    store, known = MemoryStore(limit=2, clock=clock), keys(2)
    store.insert(known[0], record(clock, 10))
    store.insert(known[1], record(clock, 1000))
    clock.advance(10)
    assert store.insert(known[0], record(clock)) is True


def test_a_session_that_was_used_since_makes_no_room(clock: Clock) -> None:
    store, (key,) = MemoryStore(limit=1, clock=clock), keys(1)
    store.insert(key, record(clock, 10))
    store.touch(key, 5, int(clock.now) + 100, _version(store, key))
    clock.advance(50)
    with pytest.raises(StoreError):
        store.insert(os.urandom(32), record(clock))
    assert store.read(key) is not None
    clock.advance(50)
    assert store.insert(os.urandom(32), record(clock)) is True


def test_a_session_whose_life_was_shortened_makes_room_at_once(clock: Clock) -> None:
    store, (key,) = MemoryStore(limit=1, clock=clock), keys(1)
    store.insert(key, record(clock, 1000))
    store.replace(key, record(clock, 10), _version(store, key))
    clock.advance(10)
    assert store.insert(os.urandom(32), record(clock)) is True


def _version(store: MemoryStore, key: bytes) -> Any:
    found = store.read(key)
    assert found is not None
    return found.version


class CountedTime(int):
    """A time that counts how often such times are compared: a store that looks at a record compares its expiry."""

    compared = 0

    def _count(self) -> None:
        CountedTime.compared += 1

    def __lt__(self, other: object) -> bool:
        self._count()
        return int(self) < other  # type: ignore[operator]

    def __le__(self, other: object) -> bool:
        self._count()
        return int(self) <= other  # type: ignore[operator]

    def __gt__(self, other: object) -> bool:
        self._count()
        return int(self) > other  # type: ignore[operator]

    def __ge__(self, other: object) -> bool:
        self._count()
        return int(self) >= other  # type: ignore[operator]

    def __eq__(self, other: object) -> bool:
        self._count()
        return int(self) == other

    __hash__ = int.__hash__


@pytest.mark.parametrize("expiring", [False, True])
def test_a_new_session_does_not_look_at_all_records_of_a_full_store(clock: Clock, expiring: bool) -> None:
    """Neither where it is refused, nor where it takes the place of one that has expired."""
    store = MemoryStore(limit=5000, clock=clock)
    for number, key in enumerate(keys(5000)):
        now = int(clock.now)
        store.insert(key, StoredRecord(b"content", now, CountedTime(now + 10 + number)))
    clock.advance(9)
    for _ in range(100):
        clock.advance(1 if expiring else 0)
        before = CountedTime.compared
        try:
            done = store.insert(os.urandom(32), record(clock, 10**6))
        except StoreError:
            done = False
        assert done is expiring
        assert CountedTime.compared - before < 100


def test_what_is_kept_for_sweeping_does_not_grow_with_what_is_gone(clock: Clock) -> None:
    store = MemoryStore(limit=10, clock=clock)
    for key in keys(20_000):
        store.insert(key, record(clock))
        store.delete(key)
    (key,) = keys(1)
    store.insert(key, record(clock, 10**6))
    for number in range(20_000):
        store.replace(key, record(clock, 10**6 - number), _version(store, key))
    assert len(store._due) < 2000  # noqa: SLF001  # nothing else shows it
    clock.advance(10**6)
    assert store.sweep() == 1


# The URL


def test_its_url_has_a_limit_and_no_place() -> None:
    store = open_store("memory:?limit=2")
    assert isinstance(store, MemoryStore)
    assert store.limit == 2
    assert open_store("memory:").limit == 100_000  # type: ignore[attr-defined]
    for url in ("memory://localhost", "memory:/sessions", "memory:sessions", "memory://ali:baba@"):
        with pytest.raises(UsageError, match="^a memory store is at no place: its URL is memory:$"):
            open_store(url)
    with pytest.raises(UsageError, match="^a memory store has no option 'limits'; did you mean 'limit'[?]$"):
        open_store("memory:?limits=2")


def test_it_shows_how_many_records_it_has(clock: Clock) -> None:
    store = MemoryStore(clock=clock)
    store.insert(bytes(32), record(clock))
    assert repr(store) == "<MemoryStore, 1 records>"
