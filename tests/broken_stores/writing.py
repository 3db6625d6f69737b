"""Stores that write where they must not, or do not write where they must."""

from __future__ import annotations

from contextlib import suppress
from threading import Barrier, BrokenBarrierError, current_thread, main_thread
from typing import Any

from coatcheck.core.record import StoredRecord
from coatcheck.stores.memory import MemoryStore


class Breaking(MemoryStore):
    """What those below start from: it keeps the contract."""

    def put(self, key: bytes, record: StoredRecord) -> bool:
        return self._put(key, record)

    def at(self, key: bytes) -> StoredRecord | None:
        """Gives what is there, expired or not."""
        return self._records.get(key)


class InsertOverwrites(Breaking):
    def insert(self, key: bytes, record: StoredRecord) -> bool:
        return self.put(key, record)


class InsertOverwritesAndSaysSo(Breaking):
    def insert(self, key: bytes, record: StoredRecord) -> bool:
        is_new = self.at(key) is None
        self.put(key, record)
        return is_new


class InsertRefusesWhereOneHasExpired(Breaking):
    def insert(self, key: bytes, record: StoredRecord) -> bool:
        return self.at(key) is None and self.put(key, record)


class InsertSaysNothing(Breaking):
    def insert(self, key: bytes, record: StoredRecord) -> bool:
        super().insert(key, record)
        return None  # type: ignore[return-value]


class InsertInTwoSteps(Breaking):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._met = Barrier(2)

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        if self.at(key) is not None:
            return False
        _meet(self._met)
        return self.put(key, record)


class ReplaceIgnoresTheVersion(Breaking):
    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return self.read(key) is not None and self.put(key, record)


class ReplaceBringsBackWhatIsGone(Breaking):
    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        present = self.at(key)
        return (present is None or present.version == seen) and self.put(key, record)


class ReplaceBringsBackWhatHasExpired(Breaking):
    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        present = self.at(key)
        return present is not None and present.version == seen and self.put(key, record)


class ReplaceComparesTheContent(Breaking):
    def read(self, key: bytes) -> StoredRecord | None:
        found = super().read(key)
        return found and found._replace(version=found.content)

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        found = self.read(key)
        return found is not None and found.version == seen and self.put(key, record)


class VersionsBeginAnewWithEachRecord(Breaking):
    """So that a version comes twice: A, B, A."""

    def put(self, key: bytes, record: StoredRecord) -> bool:
        present = self.at(key)
        version = present.version if present else None
        self._keep(key, record._replace(version=version + 1 if isinstance(version, int) else 1))
        return True

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        return self.read(key) is None and self.put(key, record)

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        found = self.read(key)
        return found is not None and found.version == seen and self.put(key, record)


class ReplaceInTwoSteps(Breaking):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._met = Barrier(2)

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        found = self.read(key)
        if found is None or found.version != seen:
            return False
        _meet(self._met)
        return self.put(key, record)


class ReplaceKeepsTheOldTimes(Breaking):
    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        present = self.at(key)
        old = present and record._replace(used_at=present.used_at, expires_at=present.expires_at)
        return super().replace(key, old or record, seen)


class TouchBringsBackWhatIsGone(Breaking):
    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        if self.at(key) is None:
            return self.put(key, StoredRecord(b"content", used_at, expires_at))
        return super().touch(key, used_at, expires_at, seen)


class TouchBringsBackWhatHasExpired(Breaking):
    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        present = self.at(key)
        if present is None or present.version != seen:
            return False
        self._keep(key, present._replace(used_at=used_at, expires_at=expires_at))
        return True


class TouchIgnoresTheVersion(Breaking):
    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        found = self.read(key)
        return found is not None and super().touch(key, used_at, expires_at, found.version)


class TouchWritesTheContentThatWasSeen(Breaking):
    def read(self, key: bytes) -> StoredRecord | None:
        found = super().read(key)
        return found and found._replace(version=(found.version, found.content))

    def replace(self, key: bytes, record: StoredRecord, seen: Any) -> bool:
        return super().replace(key, record, seen[0])

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: Any) -> bool:
        return self.read(key) is not None and self.put(key, StoredRecord(seen[1], used_at, expires_at))


class TouchLeavesTheTimes(Breaking):
    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        found = self.read(key)
        return found is not None and found.version == seen


class TouchLosesTheVersion(Breaking):
    """The versions that `read` gives and `replace` takes are two after a touch."""

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        present = self.at(key)
        done = super().touch(key, used_at, expires_at, seen)
        if done and present is not None:
            self._touched[key] = present.version
        return done

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._touched: dict[bytes, object] = {}

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return self._touched.get(key) != seen and super().replace(key, record, seen)


class DeleteLeavesIt(Breaking):
    def delete(self, key: bytes) -> None:
        pass


def _meet(barrier: Barrier) -> None:
    """Waits until another thread is as far, so that both have looked before either writes.

    Of several, the last may be alone, and waits as long as it may take another to get its turn on a busy machine.
    """
    if current_thread() is main_thread():
        # What is done one after the other meets nobody.
        return
    with suppress(BrokenBarrierError):
        barrier.wait(0.5)
    if barrier.broken:
        barrier.reset()


WRITING: dict[type[Breaking], str] = {
    InsertOverwrites: "test_insert_never_overwrites",
    InsertOverwritesAndSaysSo: "test_insert_never_overwrites",
    InsertRefusesWhereOneHasExpired: "test_an_expired_record_leaves_its_place",
    InsertSaysNothing: "test_what_was_inserted_is_read_again",
    InsertInTwoSteps: "test_of_many_inserts_at_once_one_succeeds",
    ReplaceIgnoresTheVersion: "test_replace_refuses_where_the_record_has_changed",
    ReplaceBringsBackWhatIsGone: "test_replace_does_not_bring_back_what_is_gone",
    ReplaceBringsBackWhatHasExpired: "test_an_expired_record_can_be_neither_replaced_nor_touched",
    ReplaceComparesTheContent: "test_replace_with_the_same_content_counts_as_a_change",
    VersionsBeginAnewWithEachRecord: "test_replace_refuses_where_the_key_was_taken_anew",
    ReplaceInTwoSteps: "test_of_many_replaces_at_once_one_succeeds",
    ReplaceKeepsTheOldTimes: "test_replace_gives_the_new_times",
    TouchBringsBackWhatIsGone: "test_touch_does_not_bring_back_what_is_gone",
    TouchBringsBackWhatHasExpired: "test_an_expired_record_can_be_neither_replaced_nor_touched",
    TouchIgnoresTheVersion: "test_touch_refuses_where_the_record_has_changed",
    TouchWritesTheContentThatWasSeen: "test_touch_refuses_where_the_record_has_changed",
    TouchLeavesTheTimes: "test_touch_changes_the_times_and_leaves_the_content",
    TouchLosesTheVersion: "test_after_touch_a_fresh_version_can_be_replaced",
    DeleteLeavesIt: "test_delete_removes_whatever_is_there",
}
"""Each with the test of the contract that is to catch it."""
