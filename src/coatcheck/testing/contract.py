"""What every store must do, as tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from coatcheck.core.record import StoredRecord
from coatcheck.stores.protocols import Index, Store, Sweeping, provides
from coatcheck.testing.clock import Clock
from coatcheck.testing.records import WRITERS, assert_same, at_once, make_key, make_record, read_record

_LARGE = 1_000_000


class StoreContract:
    """What every store must do. A subclass says how one is made; pytest does the rest.

    Each test works under keys of its own, so that one server serves them all, and
    old runs do not disturb.
    """

    def make_store(self, clock: Clock) -> Store:
        """Gives a store that takes the time from this clock. Each call gives a view of the same records."""
        raise NotImplementedError

    def close_store(self, store: Store) -> None:
        """Gives back what a store holds. By default, calls its `close`, if it has one."""
        getattr(store, "close", lambda: None)()

    @contextmanager
    def opened(self, clock: Clock | None = None) -> Iterator[Store]:
        """Gives a store for one test."""
        store = self.make_store(clock or Clock())
        try:
            yield store
        finally:
            self.close_store(store)

    # One after the other

    def test_it_has_the_five_methods(self) -> None:
        with self.opened() as store:
            assert provides(store, Store)

    def test_an_unknown_key_has_no_record(self) -> None:
        with self.opened() as store:
            assert store.read(make_key()) is None

    def test_what_was_inserted_is_read_again(self) -> None:
        with self.opened() as store:
            key, record = make_key(), make_record(b"first")
            assert store.insert(key, record) is True
            assert_same(store.read(key), record)

    def test_insert_never_overwrites(self) -> None:
        with self.opened() as store:
            key = make_key()
            store.insert(key, make_record(b"first"))
            assert store.insert(key, make_record(b"second")) is False
            assert_same(store.read(key), make_record(b"first"))

    def test_replace_takes_the_place_of_what_was_seen(self) -> None:
        with self.opened() as store:
            key = make_key()
            store.insert(key, make_record(b"first"))
            later = make_record(b"second", used=5)
            assert store.replace(key, later, read_record(store, key).version) is True
            assert_same(store.read(key), later)

    def test_replace_refuses_where_the_record_has_changed(self) -> None:
        with self.opened() as store:
            key = make_key()
            store.insert(key, make_record(b"first"))
            seen = read_record(store, key).version
            assert store.replace(key, make_record(b"second"), seen) is True
            assert store.replace(key, make_record(b"third"), seen) is False
            assert_same(store.read(key), make_record(b"second"))

    def test_replace_with_the_same_content_counts_as_a_change(self) -> None:
        with self.opened() as store:
            key = make_key()
            store.insert(key, make_record(b"same"))
            seen = read_record(store, key).version
            assert store.replace(key, make_record(b"same"), seen) is True
            assert store.replace(key, make_record(b"other"), seen) is False

    def test_replace_does_not_bring_back_what_is_gone(self) -> None:
        with self.opened() as store:
            key = make_key()
            store.insert(key, make_record(b"first"))
            seen = read_record(store, key).version
            store.delete(key)
            assert store.replace(key, make_record(b"second"), seen) is False
            assert store.read(key) is None

    def test_replace_refuses_where_the_key_was_taken_anew(self) -> None:
        with self.opened() as store:
            key = make_key()
            store.insert(key, make_record(b"first"))
            seen = read_record(store, key).version
            store.delete(key)
            assert store.insert(key, make_record(b"first")) is True
            assert store.replace(key, make_record(b"second"), seen) is False
            assert_same(store.read(key), make_record(b"first"))

    def test_replacing_twice_in_a_row_needs_the_newer_version(self) -> None:
        with self.opened() as store:
            key = make_key()
            store.insert(key, make_record(b"0"))
            for count in range(1, 6):
                assert store.replace(key, make_record(b"%d" % count), read_record(store, key).version) is True
            assert_same(store.read(key), make_record(b"5"))

    def test_touch_changes_the_times_and_leaves_the_content(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            key = make_key()
            store.insert(key, make_record(b"content", clock, life=100))
            clock.advance(90)
            now = int(clock.now)
            assert store.touch(key, now, now + 100, read_record(store, key).version) is True
            clock.advance(90)
            found = read_record(store, key)
            assert (found.content, found.used_at) == (b"content", now)
            clock.advance(10)
            assert store.read(key) is None

    def test_touch_does_not_bring_back_what_is_gone(self) -> None:
        with self.opened() as store:
            key, record = make_key(), make_record(b"content")
            store.insert(key, record)
            seen = read_record(store, key).version
            store.delete(key)
            assert store.touch(key, record.used_at, record.expires_at, seen) is False
            assert store.read(key) is None

    def test_touch_refuses_where_the_record_has_changed(self) -> None:
        with self.opened() as store:
            key = make_key()
            store.insert(key, make_record(b"first"))
            seen = read_record(store, key).version
            later = make_record(b"second", used=5)
            store.replace(key, later, seen)
            assert store.touch(key, later.used_at + 1, later.expires_at, seen) is False
            assert_same(store.read(key), later)

    def test_after_touch_a_fresh_version_can_be_replaced(self) -> None:
        with self.opened() as store:
            key, record = make_key(), make_record(b"first")
            store.insert(key, record)
            store.touch(key, record.used_at + 1, record.expires_at, read_record(store, key).version)
            assert store.replace(key, make_record(b"second"), read_record(store, key).version) is True

    def test_delete_removes_whatever_is_there(self) -> None:
        with self.opened() as store:
            key = make_key()
            store.insert(key, make_record(b"content"))
            store.delete(key)
            assert store.read(key) is None

    def test_delete_of_nothing_is_no_error(self) -> None:
        with self.opened() as store:
            store.delete(make_key())

    # Time

    def test_a_record_is_there_until_it_expires_and_not_a_second_longer(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            key = make_key()
            store.insert(key, make_record(b"content", clock, life=60))
            clock.advance(59)
            assert store.read(key) is not None
            clock.advance(1)
            assert store.read(key) is None

    def test_an_expired_record_can_be_neither_replaced_nor_touched(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            key = make_key()
            store.insert(key, make_record(b"content", clock, life=60))
            seen = read_record(store, key).version
            clock.advance(60)
            assert store.replace(key, make_record(b"other", clock), seen) is False
            assert store.touch(key, int(clock.now), int(clock.now) + 60, seen) is False
            assert store.read(key) is None

    def test_an_expired_record_leaves_its_place(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            key = make_key()
            store.insert(key, make_record(b"old", clock, life=60))
            clock.advance(60)
            fresh = make_record(b"new", clock)
            assert store.insert(key, fresh) is True
            assert_same(store.read(key), fresh)

    def test_replace_gives_the_new_times(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            key = make_key()
            store.insert(key, make_record(b"short", clock, life=10))
            store.replace(key, make_record(b"long", clock, life=1000), read_record(store, key).version)
            clock.advance(999)
            assert store.read(key) is not None
            clock.advance(1)
            assert store.read(key) is None

    def test_a_life_of_ten_years_is_kept(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            key = make_key()
            store.insert(key, make_record(b"content", clock, life=315_360_000))
            clock.advance(315_359_999)
            assert store.read(key) is not None

    # Bytes

    def test_every_byte_is_kept(self) -> None:
        with self.opened() as store:
            for content in (b"", b"\x00", bytes(range(256)), b"\r\n END\r\n", b"'; --", b"\xff" * 100, b"\x80\x00\x00"):
                key = make_key()
                store.insert(key, make_record(content))
                assert read_record(store, key).content == content

    def test_every_key_of_32_bytes_is_its_own(self) -> None:
        tail = os.urandom(16)
        # Pairs that become one where a key is taken for text, cut at a zero, stripped, folded or matched as a pattern.
        parts = (
            *(bytes(16), b"\x00" * 8 + b"\x01" * 8),
            *(b"\xfe" * 16, b"\xff" * 16),
            *(b" " * 16, b"\t\r\n " * 4),
            *(b"A" * 16, b"a" * 16),
            *(b"%" * 16, b"_*?[]{}%'\"\\:;\r\n\x00"),
        )
        with self.opened() as store:
            keys = [key for part in parts for key in (part + tail, tail + part)]
            for key in keys:
                assert store.insert(key, make_record(key)) is True
            assert [read_record(store, key).content for key in keys] == keys
            for key in keys:
                store.delete(key)

    def test_a_record_of_a_million_bytes_is_kept(self) -> None:
        with self.opened() as store:
            key, content = make_key(), os.urandom(_LARGE)
            store.insert(key, make_record(content))
            assert read_record(store, key).content == content
            store.replace(key, make_record(content[::-1]), read_record(store, key).version)
            assert read_record(store, key).content == content[::-1]
            store.delete(key)

    # At the same time

    def test_of_many_inserts_at_once_one_succeeds(self) -> None:
        with self.opened() as store:
            key = make_key()
            done = at_once(lambda number: store.insert(key, make_record(b"%d" % number)))
            assert (done.count(True), done.count(False)) == (1, WRITERS - 1)
            assert read_record(store, key).content == b"%d" % done.index(True)

    def test_of_many_replaces_at_once_one_succeeds(self) -> None:
        with self.opened() as store:
            key = make_key()
            store.insert(key, make_record(b"first"))
            seen = read_record(store, key).version
            done = at_once(lambda number: store.replace(key, make_record(b"%d" % number), seen))
            assert (done.count(True), done.count(False)) == (1, WRITERS - 1)
            assert read_record(store, key).content == b"%d" % done.index(True)

    def test_many_who_try_again_all_succeed(self) -> None:
        with self.opened() as store:
            key = make_key()
            store.insert(key, make_record(b"0"))

            def count(_: int) -> None:
                for _attempt in range(1000):
                    found = read_record(store, key)
                    if store.replace(key, make_record(b"%d" % (int(found.content) + 1)), found.version):
                        return
                raise AssertionError("no attempt of a thousand succeeded")

            at_once(count)
            assert read_record(store, key).content == b"%d" % WRITERS

    def test_delete_wins_over_writers_under_way(self) -> None:
        with self.opened() as store:
            for _round in range(10):
                key, record = make_key(), make_record(b"first")
                store.insert(key, record)
                seen = read_record(store, key).version

                def act(number: int, key: bytes = key, record: StoredRecord = record, seen: object = seen) -> None:
                    if number == 0:
                        store.delete(key)
                    elif number % 2:
                        store.replace(key, make_record(b"late"), seen)
                    else:
                        store.touch(key, record.used_at, record.expires_at, seen)

                at_once(act)
                assert store.read(key) is None

    def test_two_views_share_the_records(self) -> None:
        clock = Clock()
        with self.opened(clock) as one, self.opened(clock) as other:
            key = make_key()
            one.insert(key, make_record(b"first"))
            seen = read_record(other, key).version
            assert one.replace(key, make_record(b"second"), read_record(one, key).version) is True
            assert other.replace(key, make_record(b"third"), seen) is False
            other.delete(key)
            assert one.read(key) is None

    # What some stores can do beside

    def test_sweeping_removes_what_has_expired_and_nothing_else(self) -> None:
        clock = Clock()
        with self.opened(clock) as opened:
            store: Any = opened
            if not provides(store, Sweeping):
                return
            while store.sweep(1000) == 1000:
                pass
            short, long = [make_key() for _ in range(5)], [make_key() for _ in range(3)]
            for key in short:
                store.insert(key, make_record(b"short", clock, life=10))
            for key in long:
                store.insert(key, make_record(b"long", clock, life=1000))
            clock.advance(10)
            assert (store.sweep(3), store.sweep(3)) == (3, 2)
            assert [store.read(key) is None for key in [*short, *long]] == [True] * 5 + [False] * 3

    def test_the_records_of_an_owner_are_found_last_used_first(self) -> None:
        clock = Clock()
        with self.opened(clock) as opened:
            store: Any = opened
            if not provides(store, Index):
                return
            owner, keys = os.urandom(16), [make_key() for _ in range(4)]
            for used, key in enumerate(keys):
                store.insert(key, make_record(b"mine", clock, used=used)._replace(owner=owner))
            store.insert(make_key(), make_record(b"nobody's", clock))
            store.insert(make_key(), make_record(b"another's", clock)._replace(owner=os.urandom(16)))
            store.replace(keys[1], make_record(b"given up", clock), read_record(store, keys[1]).version)
            store.delete(keys[2])
            assert [key for key, _ in store.owned_by(owner)] == [keys[3], keys[0]]
            assert {record.owner for _, record in store.owned_by(owner)} == {owner}
            assert store.owned_by(b"") == []
            clock.advance(10_000)
            assert store.owned_by(owner) == []

    def test_what_it_shows_of_itself_holds_no_record(self) -> None:
        with self.opened() as store:
            key = make_key()
            store.insert(key, make_record(b"the content of a session"))
            shown = repr(store) + str(store)
            assert "content" not in shown
            assert key.hex() not in shown
