"""The rosters: which sessions a user has, sealed, changed in one step, and found again after the key has changed."""

from __future__ import annotations

import os
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import NOON, OTHER_SECRET, SECRET

from coatcheck import Keyring, StoreError
from coatcheck.core.codec import pack
from coatcheck.core.owners import Owners
from coatcheck.core.record import pad
from coatcheck.core.roster import MOST, Rosters, Rows, Signed, shorten
from coatcheck.drive import run
from coatcheck.stores import StoredRecord
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

LIFE = 86400


def row(number: int = 0, *, seen_at: int = NOON, expires_at: int = NOON + LIFE) -> Signed:
    family = number.to_bytes(16, "big")
    return Signed(family[::-1], family, 0, NOON, NOON, seen_at, expires_at, "203.0.113.9", "Mozilla/5.0 (test)")


class Book:
    """The rosters of one process."""

    def __init__(self, store: Any, *keys: str, audience: str = "") -> None:
        self.store = store
        keyring = Keyring(keys[0] if keys else SECRET, keys[1:])
        self.owners = Owners(keyring, audience)
        self.rosters = Rosters(keyring, self.owners, audience, os.urandom)

    def read(self, user_id: Any = 7, now: int = NOON) -> list[Signed]:
        return [*run(self.rosters.read(user_id, now), (None, None, self.store)).values()]

    def add(self, *rows: Signed, user_id: Any = 7, now: int = NOON) -> Rows:
        return self.edit(lambda present: present.update({each.family: each for each in rows}), user_id, now)

    def edit(self, change: Any, user_id: Any = 7, now: int = NOON) -> Rows:
        return run(self.rosters.edit(user_id, change, now), (None, None, self.store))

    def key(self, user_id: Any = 7) -> bytes:
        return self.owners.find(user_id).keys[0]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(clock=Clock(NOON))


@pytest.fixture
def book(store: MemoryStore) -> Book:
    return Book(store)


def contents(store: MemoryStore) -> bytes:
    records = store._records.items()  # noqa: SLF001  # a dump shows all
    return b"".join(key + record.content + record.owner for key, record in records)


def test_what_is_written_is_read_by_every_process_for_that_user_alone(book: Book, store: MemoryStore) -> None:
    book.add(row(1), row(2))
    assert Book(store).read() == [row(1), row(2)]
    assert Book(store).read("7") == [row(1), row(2)]
    assert Book(store).read(8) == []
    assert Book(store, audience="admin").read() == []


def test_a_change_is_made_on_what_is_there(book: Book) -> None:
    book.add(row(1), row(2))
    book.edit(lambda rows: rows.pop(row(1).family))
    assert book.read() == [row(2)]
    book.edit(lambda rows: rows.clear())
    assert book.read() == []


def test_what_changes_nothing_writes_nothing(book: Book, store: MemoryStore) -> None:
    book.edit(lambda _: None)
    assert contents(store) == b""
    book.edit(lambda rows: rows.clear())
    assert contents(store) == b""
    book.add(row(1))
    before = store.read(book.key())
    book.add(row(1))
    assert store.read(book.key()) == before


def test_one_that_has_only_expired_rows_and_gets_none_is_not_made(book: Book, store: MemoryStore) -> None:
    book.add(row(1, expires_at=NOON - 1), now=NOON - 10)
    assert book.read() == []


def test_a_change_that_raises_leaves_all_as_it_was(book: Book) -> None:
    book.add(row(1))

    def refuse(rows: Rows) -> None:
        rows.clear()
        raise KeyError("no")

    with pytest.raises(KeyError):
        book.edit(refuse)
    assert book.read() == [row(1)]


def test_the_store_learns_neither_who_it_is_nor_where_from(book: Book, store: MemoryStore) -> None:
    book.add(row(1), user_id="ada@example.org")
    seen = contents(store)
    for word in (b"ada", b"example", b"203.0.113.9", b"Mozilla", row(1).family, row(1).handle):
        assert word not in seen


def test_a_row_shows_its_handle_alone() -> None:
    assert repr(row(1)) == f"<Signed {row(1).handle.hex()}>"


def test_it_lives_as_long_as_its_last_session(book: Book, store: MemoryStore) -> None:
    book.add(row(1, expires_at=NOON + 10), row(2, expires_at=NOON + 500))
    record = store.read(book.key())
    assert record is not None
    assert record.expires_at == NOON + 501
    assert book.read(now=NOON + 11) == [row(2, expires_at=NOON + 500)]


def test_more_than_a_person_has_are_cut_to_those_last_used(book: Book) -> None:
    rows = [row(number, seen_at=NOON + number) for number in range(MOST + 5)]
    book.add(*rows)
    assert sorted(book.read()) == sorted(rows[5:])


def test_it_is_found_and_moved_after_the_key_has_changed(book: Book, store: MemoryStore) -> None:
    book.add(row(1))
    later = Book(store, OTHER_SECRET, SECRET)
    assert later.read() == [row(1)]
    later.add(row(2))
    assert sorted(later.read()) == [row(1), row(2)]
    assert store.read(book.key()) is None
    assert sorted(Book(store, OTHER_SECRET).read()) == [row(1), row(2)]


def test_one_that_nothing_is_changed_in_is_moved_too(book: Book, store: MemoryStore) -> None:
    book.add(row(1))
    Book(store, OTHER_SECRET, SECRET).edit(lambda _: None)
    assert Book(store, OTHER_SECRET).read() == [row(1)]


def test_one_that_is_empty_under_the_earlier_key_is_taken_away(book: Book, store: MemoryStore) -> None:
    book.add(row(1, expires_at=NOON + 5))
    later = Book(store, OTHER_SECRET, SECRET)
    later.edit(lambda _: None, now=NOON + 6)
    assert contents(store) == b""
    later.add(row(2))
    assert later.read() == [row(2)]


def test_without_the_earlier_key_nothing_of_it_is_read(book: Book, store: MemoryStore) -> None:
    book.add(row(1))
    assert Book(store, OTHER_SECRET).read() == []


def test_the_roster_of_one_user_is_none_under_the_key_of_another(book: Book, store: MemoryStore) -> None:
    book.add(row(1), user_id="mallory")
    record = store.read(book.key("mallory"))
    assert record is not None
    assert store.insert(book.key("ada"), record)
    assert book.read("ada") == []
    book.add(row(2), user_id="ada")
    assert book.read("ada") == [row(2)]


@pytest.mark.parametrize("place", [0, 1, 4, 5, 20, 60, -1])
def test_one_changed_byte_gives_an_empty_roster_that_can_be_written(book: Book, store: MemoryStore, place: int) -> None:
    book.add(row(1))
    record = store.read(book.key())
    assert record is not None
    changed = bytearray(record.content)
    changed[place] ^= 1
    assert store.replace(book.key(), record._replace(content=bytes(changed)), record.version)
    assert book.read() == []
    book.add(row(2))
    assert book.read() == [row(2)]


@pytest.mark.parametrize(
    "packed", [[], {}, 3, [3], [[]], [["x"] * 9], [[*row(1)][:8]], [[*row(1)[:2], True, *row(1)[3:]]]]
)
def test_what_another_version_has_sealed_is_passed_over(book: Book, store: MemoryStore, packed: Any) -> None:
    sealer = book.rosters._primary  # noqa: SLF001  # with what it seals itself
    plaintext = pad(book.key() + (pack(packed) if isinstance(packed, dict) else pack({"": packed})[2:]))
    assert store.insert(book.key(), StoredRecord(sealer.seal(plaintext, NOON), NOON, NOON + LIFE))
    assert book.read() == []


@given(st.binary(max_size=300))
def test_whatever_the_store_holds_the_roster_is_empty_and_can_be_written(content: bytes) -> None:
    store = MemoryStore(clock=Clock(NOON))
    book = Book(store)
    assert store.insert(book.key(), StoredRecord(content, NOON, NOON + LIFE))
    assert book.read() == []
    book.add(row(1))
    assert book.read() == [row(1)]


@given(st.text(max_size=500), st.text(max_size=500))
def test_whatever_a_browser_says_of_itself_is_kept_short_and_printable(ip: str, agent: str) -> None:
    store = MemoryStore(clock=Clock(NOON))
    book = Book(store)
    kept = shorten(ip, agent)
    assert len(kept[0]) <= 64
    assert len(kept[1]) <= 300
    assert all(text.isprintable() for text in kept)
    assert shorten(*kept) == kept
    book.add(row(1)._replace(ip=kept[0], agent=kept[1]))
    (found,) = book.read()
    assert (found.ip, found.agent) == kept


def test_half_of_a_pair_is_replaced_and_controls_are_blanks() -> None:
    assert shorten("\udc80", "a\n\x1b[31m\u202eb") == ("?", "a  [31m b")


def test_of_several_writers_at_once_nobody_is_lost(store: MemoryStore) -> None:
    barrier = Barrier(4)
    failed: list[Exception] = []

    def write(first: int) -> None:
        try:
            barrier.wait(30)
            for number in range(first, first + 20):
                Book(store).add(row(number))
        except Exception as error:  # noqa: BLE001  # in a thread it would be lost
            failed.append(error)

    threads = [Thread(target=write, args=(index * 20,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert sorted(Book(store).read()) == [row(number) for number in range(80)]


def test_a_store_that_takes_nothing_is_an_error_in_the_end() -> None:
    class Lying(MemoryStore):
        def insert(self, key: bytes, record: StoredRecord) -> bool:
            return False

    with pytest.raises(StoreError, match="changed by others 200 times"):
        Book(Lying()).add(row(1))
