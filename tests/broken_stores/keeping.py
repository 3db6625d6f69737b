"""Stores that keep something else than they were given, or for another time, or show it, or find it wrong."""

from __future__ import annotations

from broken_stores.writing import Breaking

from coatcheck.core.record import StoredRecord
from coatcheck.testing import Clock


class UnknownKeysHaveAnEmptyRecord(Breaking):
    def read(self, key: bytes) -> StoredRecord | None:
        return super().read(key) or StoredRecord(b"", 0, 0)


class NothingExpires(Breaking):
    def read(self, key: bytes) -> StoredRecord | None:
        return self.at(key)


class EverythingExpiresASecondLate(Breaking):
    def __init__(self, *, clock: Clock) -> None:
        super().__init__(clock=lambda: clock() - 1)


class EverythingExpiresASecondEarly(Breaking):
    def __init__(self, *, clock: Clock) -> None:
        super().__init__(clock=lambda: clock() + 1)


class ALifeOfAYearAtMost(Breaking):
    def insert(self, key: bytes, record: StoredRecord) -> bool:
        return super().insert(key, record._replace(expires_at=min(record.expires_at, record.used_at + 31_536_000)))


class Mangling(Breaking):
    """What keeps something else than it was given."""

    def mangled(self, content: bytes) -> bytes:
        return content

    def mangled_key(self, key: bytes) -> bytes:
        return key

    def read(self, key: bytes) -> StoredRecord | None:
        return super().read(self.mangled_key(key))

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        return super().insert(self.mangled_key(key), record._replace(content=self.mangled(record.content)))

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return super().replace(self.mangled_key(key), record._replace(content=self.mangled(record.content)), seen)

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        return super().touch(self.mangled_key(key), used_at, expires_at, seen)

    def delete(self, key: bytes) -> None:
        super().delete(self.mangled_key(key))


class ContentIsText(Mangling):
    def mangled(self, content: bytes) -> bytes:
        return content.decode(errors="replace").encode()


class ContentEndsAtAZero(Mangling):
    def mangled(self, content: bytes) -> bytes:
        return content.partition(b"\0")[0]


class ContentLosesItsLastLineBreak(Mangling):
    def mangled(self, content: bytes) -> bytes:
        return content.rstrip(b"\r\n")


class ContentIsCut(Mangling):
    def mangled(self, content: bytes) -> bytes:
        return content[:65535]


class KeysAreCut(Mangling):
    def mangled_key(self, key: bytes) -> bytes:
        return key[-16:]


class KeysAreStripped(Mangling):
    def mangled_key(self, key: bytes) -> bytes:
        return key.strip()


class KeysAreOfAnyCase(Mangling):
    def mangled_key(self, key: bytes) -> bytes:
        return key.lower()


class KeysAreText(Mangling):
    def mangled_key(self, key: bytes) -> bytes:
        return key.decode(errors="replace").encode()


class ReadKnowsNoTimes(Breaking):
    def read(self, key: bytes) -> StoredRecord | None:
        found = super().read(key)
        return found and found._replace(used_at=0)


class ReadKnowsNoExpiry(Breaking):
    def read(self, key: bytes) -> StoredRecord | None:
        found = super().read(key)
        return found and found._replace(expires_at=0)


class ShowsTheKeys(Breaking):
    def __repr__(self) -> str:
        return f"<{', '.join(key.hex() for key in self._records)}>"


class ShowsTheContent(Breaking):
    def __repr__(self) -> str:
        return f"<{[record.content for record in self._records.values()]}>"


class SweepsTooMuch(Breaking):
    def sweep(self, limit: int = 1000) -> int:
        removed = super().sweep(limit)
        if removed:
            self._records.clear()
        return removed


class SweepsMoreThanItWasAllowed(Breaking):
    def sweep(self, limit: int = 1000) -> int:
        return super().sweep(1000)


class SweepsNothing(Breaking):
    def sweep(self, limit: int = 1000) -> int:
        return 0


class FindsTheRecordsOfNobody(Breaking):
    def owned_by(self, owner: bytes) -> list[tuple[bytes, StoredRecord]]:
        alive = [entry for entry in self._records.items() if entry[1].owner == owner]
        return sorted(alive, key=lambda entry: -entry[1].used_at)


class FindsInTheOrderOfInsertion(Breaking):
    def owned_by(self, owner: bytes) -> list[tuple[bytes, StoredRecord]]:
        return super().owned_by(owner)[::-1]


class ForgetsTheOwner(Breaking):
    def insert(self, key: bytes, record: StoredRecord) -> bool:
        return super().insert(key, record._replace(owner=b""))


KEEPING: dict[type[Breaking], str] = {
    UnknownKeysHaveAnEmptyRecord: "test_an_unknown_key_has_no_record",
    NothingExpires: "test_a_record_is_there_until_it_expires_and_not_a_second_longer",
    EverythingExpiresASecondLate: "test_a_record_is_there_until_it_expires_and_not_a_second_longer",
    EverythingExpiresASecondEarly: "test_a_record_is_there_until_it_expires_and_not_a_second_longer",
    ALifeOfAYearAtMost: "test_a_life_of_ten_years_is_kept",
    ContentIsText: "test_every_byte_is_kept",
    ContentEndsAtAZero: "test_every_byte_is_kept",
    ContentLosesItsLastLineBreak: "test_every_byte_is_kept",
    ContentIsCut: "test_a_record_of_a_million_bytes_is_kept",
    KeysAreCut: "test_every_key_of_32_bytes_is_its_own",
    KeysAreStripped: "test_every_key_of_32_bytes_is_its_own",
    KeysAreOfAnyCase: "test_every_key_of_32_bytes_is_its_own",
    KeysAreText: "test_every_key_of_32_bytes_is_its_own",
    ReadKnowsNoTimes: "test_what_was_inserted_is_read_again",
    ReadKnowsNoExpiry: "test_what_was_inserted_is_read_again",
    ShowsTheKeys: "test_what_it_shows_of_itself_holds_no_record",
    ShowsTheContent: "test_what_it_shows_of_itself_holds_no_record",
    SweepsTooMuch: "test_sweeping_removes_what_has_expired_and_nothing_else",
    SweepsMoreThanItWasAllowed: "test_sweeping_removes_what_has_expired_and_nothing_else",
    SweepsNothing: "test_sweeping_removes_what_has_expired_and_nothing_else",
    FindsTheRecordsOfNobody: "test_the_records_of_an_owner_are_found_last_used_first",
    FindsInTheOrderOfInsertion: "test_the_records_of_an_owner_are_found_last_used_first",
    ForgetsTheOwner: "test_the_records_of_an_owner_are_found_last_used_first",
}
"""Each with the test of the contract that is to catch it."""
