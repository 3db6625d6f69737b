"""The list of revocations: what it says, how processes share it, and what a store may do to it."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from threading import Barrier, Thread
from time import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import NOON, SECRET
from servers.process import PATIENCE

from coatcheck import Keyring, StoreError
from coatcheck.bell import LocalBell
from coatcheck.core import endings
from coatcheck.core.endings import ENDED, EVERYONE, GRACE, REVOKED, ROTATED, USER, Ending
from coatcheck.core.events import Reason
from coatcheck.core.facts import Facts
from coatcheck.core.owners import Owners
from coatcheck.core.record import Record
from coatcheck.core.revocations import SEGMENT_ENTRIES, Bell, Revocations
from coatcheck.drive import run
from coatcheck.stores import Store, StoredRecord, open_store
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore

OWNERS = Owners(Keyring(SECRET), "")
LIFE = 86400
FAMILY, OTHER = b"f" * 16, b"o" * 16
HEAD = sha256(b"coatcheck revocations" + bytes(2) + b"head").digest()


def segment(number: int) -> bytes:
    """The key of a segment, as docs/format.md has it."""
    return sha256(b"coatcheck revocations" + bytes(2) + number.to_bytes(8, "big")).digest()


def name(number: int) -> bytes:
    return number.to_bytes(16, "big")


class Process:
    """One process that has the list in its memory."""

    def __init__(self, store: Any, *, delay: float = 1, bell: Bell | None = None) -> None:
        self.store = store
        self.list = Revocations(OWNERS, "", delay=delay, bell=bell)

    def look(self, now: float = NOON) -> None:
        run(self.list.refresh(now), (None, None, self.store))

    def catch_up(self, now: float = NOON) -> None:
        run(self.list.catch_up(now), (None, None, self.store))

    def end(self, *endings: Ending, now: float = NOON) -> int:
        return run(self.list.append(list(endings), now), (None, None, self.store))

    def revoke(self, *numbers: int, until: int = NOON + LIFE, now: float = NOON) -> int:
        return self.end(*(Ending(REVOKED, name(number), until) for number in numbers), now=now)

    def knows(self, number: int) -> bool:
        return self.judge(family=name(number)) is Reason.REVOKED

    def judge(
        self, family: bytes = FAMILY, *, seen: int = 0, user_id: Any = 7, id_: bytes = b"i" * 16, now: float = NOON
    ) -> Reason | None:
        record = Record(id_, NOON, NOON, b"")
        facts = Facts(seen, family, user_id=user_id)
        reason = self.list.judge(record, facts, now)
        if self.list.clears(record, facts):
            assert reason is None
            assert not self.list.rotated(record)
        return reason


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    return MemoryStore(clock=clock)


def put(store: Store, key: bytes, content: bytes, life: int = LIFE) -> None:
    store.delete(key)
    assert store.insert(key, StoredRecord(content, NOON, NOON + life))


# What it says


@pytest.mark.parametrize(("kind", "reason"), [(ENDED, Reason.ENDED), (REVOKED, Reason.REVOKED)])
def test_a_session_that_was_ended_is_ended_by_its_family_and_by_its_id(
    store: MemoryStore, kind: int, reason: Reason
) -> None:
    process = Process(store)
    process.end(Ending(kind, FAMILY, NOON + LIFE))
    assert process.judge(FAMILY) is reason
    assert process.judge(OTHER) is None
    assert process.judge(OTHER, id_=FAMILY) is reason
    assert process.judge(OTHER, id_=FAMILY + bytes(16)) is reason


def test_an_id_that_was_replaced_is_good_for_the_grace_and_then_a_copy(store: MemoryStore) -> None:
    process = Process(store)
    process.end(Ending(ROTATED, b"i" * 16, NOON + LIFE))
    assert process.judge(now=NOON + GRACE) is None
    assert process.list.rotated(Record(b"i" * 16, NOON, NOON, b""))
    assert process.judge(now=NOON + GRACE + 1) is Reason.REUSED
    # The first time counts.
    process.end(Ending(ROTATED, b"i" * 16, NOON + LIFE), now=NOON + 8)
    assert process.judge(now=NOON + GRACE + 1) is Reason.REUSED


def test_who_was_ended_for_good_stays_so_whatever_is_said_later(store: MemoryStore) -> None:
    process = Process(store)
    process.end(Ending(ROTATED, FAMILY, NOON + LIFE))
    process.end(Ending(REVOKED, FAMILY, NOON + LIFE))
    process.end(Ending(ENDED, FAMILY, NOON + LIFE), Ending(ROTATED, FAMILY, NOON + LIFE))
    assert process.judge(FAMILY, now=NOON) is Reason.REVOKED


def test_a_users_sessions_end_that_began_before_but_for_the_one_that_is_kept(store: MemoryStore) -> None:
    process = Process(store)
    (subject,) = OWNERS.find(7).subjects
    instant = process.end(Ending(USER, subject, NOON + LIFE, FAMILY))
    assert process.judge(OTHER, seen=instant - 1) is Reason.REVOKED
    assert process.judge(OTHER, seen=instant) is None
    assert process.judge(FAMILY, seen=instant - 1) is None
    assert process.judge(OTHER, seen=0, user_id=8) is None
    assert process.judge(OTHER, seen=0, user_id=None) is None
    # A second one keeps another, and a third nobody.
    process.end(Ending(USER, subject, NOON + LIFE, OTHER))
    assert process.judge(FAMILY, seen=instant - 1) is Reason.REVOKED
    assert process.judge(OTHER, seen=instant - 1) is Reason.REVOKED
    assert process.judge(OTHER, seen=instant) is None
    last = process.end(Ending(USER, subject, NOON + LIFE))
    assert process.judge(OTHER, seen=last - 1) is Reason.REVOKED
    assert process.judge(OTHER, seen=last) is None


def test_a_user_whom_nothing_named_is_ended_by_the_next_entry_that_does(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it was said before that nothing does, and of however many."""
    monkeypatch.setattr(endings, "_USERS_KEPT", 3)
    process, other = Process(store), Process(store)
    subject = process.list.owners.find(7).subjects[0]
    for _ in range(2):
        for user_id in (*range(10), "7"):
            assert process.judge(user_id=user_id) is None
            assert process.list.clears(Record(b"i" * 16, NOON, NOON, b""), Facts(0, FAMILY, user_id=user_id))
    other.end(Ending(USER, subject, NOON + LIFE))
    process.look(NOON + 2)
    for user_id in (7, "7"):
        assert process.judge(user_id=user_id) is Reason.REVOKED
        assert not process.list.clears(Record(b"i" * 16, NOON, NOON, b""), Facts(0, FAMILY, user_id=user_id))
    assert process.judge(user_id=8) is None


def test_an_entry_that_comes_while_a_user_is_looked_for_is_not_missed(store: MemoryStore) -> None:
    process, other = Process(store), Process(store)
    owners = process.list.owners
    record, facts = Record(b"i" * 16, NOON, NOON, b""), Facts(0, FAMILY, user_id=7)

    class Meanwhile(dict[bytes, Any]):
        """What is known of users. The entry comes right after the look."""

        def __contains__(self, subject: object) -> bool:
            found = super().__contains__(subject)
            process.list._before = dict(self)  # noqa: SLF001  # as `_take` does it
            other.end(Ending(USER, owners.find(7).subjects[0], NOON + LIFE))
            process.look(NOON + 2)
            return found

    process.list._before = Meanwhile()  # noqa: SLF001  # between two instructions
    # It was so when it was asked; and is so for nobody who asks later.
    assert process.list.clears(record, facts)
    assert not process.list.clears(record, facts)
    assert process.judge() is Reason.REVOKED


def test_everyones_sessions_end_that_began_before_those_of_guests_too(store: MemoryStore) -> None:
    process = Process(store)
    instant = process.end(Ending(EVERYONE, OWNERS.everyone[0], NOON + LIFE))
    for user_id in (None, 7):
        assert process.judge(seen=instant - 1, user_id=user_id) is Reason.REVOKED
        assert process.judge(seen=instant, user_id=user_id) is None


def test_a_session_from_before_there_was_a_list_is_judged_by_its_id_and_age(store: MemoryStore) -> None:
    process = Process(store)
    old, new = Record(FAMILY, NOON - 1, NOON, b""), Record(FAMILY, NOON + 1, NOON + 1, b"")
    assert process.list.judge(old, None, NOON) is None
    assert not process.list.clears(old, None)
    process.end(Ending(EVERYONE, OWNERS.everyone[0], NOON + LIFE))
    assert process.list.judge(old, None, NOON) is Reason.REVOKED
    assert process.list.judge(new, None, NOON) is None
    process.end(Ending(ENDED, FAMILY, NOON + LIFE))
    assert process.list.judge(new, None, NOON) is Reason.ENDED


def test_each_instant_is_later_than_all_before_whatever_the_clock_says(store: MemoryStore) -> None:
    process = Process(store)
    instants = [process.revoke(number, now=NOON - number) for number in range(5)]
    assert instants == sorted(set(instants))


def test_its_repr_says_how_much_it_knows_and_nothing_else(store: MemoryStore) -> None:
    process = Process(store)
    process.revoke(1, 2)
    assert repr(process.list) == "<Revocations, 2 entries>"


# How processes share it


def test_what_one_process_ends_another_knows_at_its_next_look(store: MemoryStore) -> None:
    one, other = Process(store), Process(store)
    assert other.list.unread
    other.look()
    assert not other.list.unread
    one.revoke(1)
    other.look(NOON + 0.9)
    assert not other.knows(1)
    other.look(NOON + 1)
    assert other.knows(1)


def test_a_bell_has_the_others_look_before_their_delay_is_over(store: MemoryStore) -> None:
    bell = LocalBell()
    one, other = Process(store, bell=bell), Process(store, bell=bell)
    other.look()
    assert other.list.fresh(NOON)
    one.revoke(1)
    assert not other.list.fresh(NOON)
    other.look()
    assert other.knows(1)
    assert other.list.fresh(NOON)


def test_a_delay_of_zero_looks_each_time(store: MemoryStore) -> None:
    process = Process(store, delay=0)
    process.look()
    assert process.list.stale(NOON)


def test_a_clock_that_was_set_back_has_it_looked(store: MemoryStore) -> None:
    process = Process(store)
    process.look()
    assert process.list.stale(NOON - 1)


def test_a_list_of_many_segments_is_read_by_who_starts_and_by_who_goes_on(store: MemoryStore) -> None:
    one, other = Process(store), Process(store)
    count = 3 * SEGMENT_ENTRIES + 5
    for start in range(0, count, 100):
        one.revoke(*range(start, min(start + 100, count)))
        if start == 300:
            other.catch_up()
    other.catch_up()
    late = Process(store)
    late.catch_up()
    for process in (one, other, late):
        assert all(process.knows(number) for number in range(count))
        assert not process.knows(count)


def test_what_has_expired_is_forgotten_by_the_store_and_the_process(store: MemoryStore, clock: Clock) -> None:
    one = Process(store)
    for start in range(0, 2 * SEGMENT_ENTRIES, 64):
        one.revoke(*range(start, start + 64), until=NOON + 100)
    one.end(Ending(USER, OWNERS.find(7).subjects[0], NOON + 100))
    clock.advance(1000)
    last = one.revoke(10_000, until=NOON + LIFE, now=clock())
    assert len(one.list) == 1
    late = Process(store)
    late.catch_up(clock())
    assert len(late.list) == 1
    assert late.knows(10_000)
    # And goes on where the list is.
    assert late.revoke(10_001, now=clock()) > last
    one.catch_up(clock())
    assert one.knows(10_001)


def test_a_list_that_begins_again_after_all_has_expired_is_one_list(store: MemoryStore, clock: Clock) -> None:
    one = Process(store)
    for start in range(0, 5 * SEGMENT_ENTRIES, SEGMENT_ENTRIES):
        one.revoke(*range(start, start + SEGMENT_ENTRIES), until=NOON + 100)
    clock.advance(1000)
    for start in range(0, 2 * SEGMENT_ENTRIES, SEGMENT_ENTRIES):
        one.revoke(*range(start, start + SEGMENT_ENTRIES), now=clock())
    late = Process(store)
    late.catch_up(clock())
    assert late.knows(2 * SEGMENT_ENTRIES - 1)


@pytest.mark.parametrize("entries", [1, 3 * SEGMENT_ENTRIES])
def test_a_store_that_forgets_gets_the_list_again_from_whoever_knows_it(
    store: MemoryStore, clock: Clock, entries: int
) -> None:
    one, other = Process(store), Process(store)
    for start in range(0, entries, SEGMENT_ENTRIES):
        one.revoke(*range(start, min(start + SEGMENT_ENTRIES, entries)))
    subject = OWNERS.find(7).subjects[0]
    one.end(
        Ending(ENDED, OTHER, NOON + LIFE),
        Ending(ROTATED, b"r" * 16, NOON + LIFE),
        Ending(USER, subject, NOON + LIFE),
        Ending(EVERYONE, OWNERS.everyone[0], NOON + LIFE),
    )
    other.catch_up()
    forgetful = MemoryStore(clock=clock)
    one.store = other.store = forgetful
    new = Process(forgetful)
    new.catch_up()
    new.revoke(-1 % 2**64)
    one.catch_up()
    for process in (new, other):
        process.catch_up(NOON + 2)
        assert all(process.knows(number) for number in range(entries))
        assert process.judge(OTHER) is Reason.ENDED
        assert process.judge(id_=b"r" * 16, seen=2**61, now=NOON + 60) is Reason.REUSED
        assert process.judge(b"x" * 16, seen=0, user_id=7) is Reason.REVOKED
        assert process.judge(b"x" * 16, seen=0, user_id=None) is Reason.REVOKED
        assert process.judge(b"x" * 16, seen=2**61) is None
    one.revoke(77_777)
    new.catch_up(NOON + 4)
    assert new.knows(77_777)
    assert one.knows(-1 % 2**64)


# Several that write at once


@pytest.fixture(params=["memory", "sqlite", "redis", "postgresql", "mariadb", "memcached"])
def opened(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    """What opens one more connection to the same store."""
    stores: list[Any] = []
    if request.param == "memory":
        shared = MemoryStore()
        yield lambda: shared
        return
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'list.db'}"
    else:
        server = request.getfixturevalue({"redis": "redis_server"}.get(request.param, request.param))
        url = server.url()

    def again() -> Any:
        stores.append(open_store(url, timeout=PATIENCE))
        return stores[-1]

    yield again
    for store in stores:
        store.close()


def test_of_several_writers_at_once_nobody_is_lost(opened: Any, request: pytest.FixtureRequest) -> None:
    writers, each = 4, 12
    name = request.node.name
    barrier = Barrier(writers)
    processes = [Process(opened()) for _ in range(writers)]
    for process in processes:
        # A list of this test alone, of a server that others use too.
        process.list = Revocations(OWNERS, name, delay=1)
    failed: list[Exception] = []
    # The clocks of these stores are real ones, and may say any day.
    now, until = NOON, max(NOON, int(time())) + LIFE

    def write(process: Process, first: int) -> None:
        try:
            barrier.wait(30)
            for number in range(first, first + each):
                process.revoke(number, number + 1000, now=now, until=until)
        except Exception as error:  # noqa: BLE001  # in a thread it would be lost
            failed.append(error)

    threads = [Thread(target=write, args=(process, index * each)) for index, process in enumerate(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    late = Process(opened())
    late.list = Revocations(OWNERS, name, delay=1)
    late.catch_up(now)
    for number in range(writers * each):
        assert late.knows(number)
        assert late.knows(number + 1000)


class Overtaken(MemoryStore):
    """Lets another process write before each of the first writes of this one."""

    def __init__(self) -> None:
        super().__init__(clock=Clock(NOON))
        self.batches: list[range] = []

    def _overtake(self) -> None:
        if self.batches:
            other = Process(self)
            other.revoke(*self.batches.pop())

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        self._overtake()
        return super().insert(key, record)

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        self._overtake()
        return super().replace(key, record, seen)


def test_whoever_writes_the_list_down_again_learns_what_others_end_meanwhile(store: MemoryStore) -> None:
    process = Process(store)
    process.revoke(1)
    process.store = Overtaken()
    process.store.batches = [range(1000, 1000 + SEGMENT_ENTRIES), range(2000, 2000 + SEGMENT_ENTRIES)]
    process.catch_up()
    late = Process(process.store)
    late.catch_up()
    process.catch_up()
    for each in (process, late):
        for number in (1, 1000, 1000 + SEGMENT_ENTRIES - 1, 2000, 2000 + SEGMENT_ENTRIES - 1):
            assert each.knows(number)


# What a store may do


def test_a_list_that_cannot_be_read_is_asked_for_once_in_a_second(store: MemoryStore) -> None:
    failing = FailingStore(store)
    process = Process(failing)
    failing.down = True
    process.look()
    assert process.list.unknown
    assert not process.list.fresh(NOON)
    process.look(NOON + 0.5)
    assert failing.calls == ["read"]
    process.look(NOON + 1)
    assert process.list.unknown
    failing.down = False
    process.look(NOON + 2)
    assert not process.list.unknown
    assert process.list.fresh(NOON + 2)
    assert process.list.clears(Record(FAMILY, NOON, NOON, b""), Facts(0, FAMILY, user_id=7))


def test_while_it_cannot_be_read_nobody_is_cleared_at_once(store: MemoryStore) -> None:
    failing = FailingStore(store)
    process = Process(failing)
    failing.down = True
    process.look()
    assert not process.list.clears(Record(FAMILY, NOON, NOON, b""), Facts(0, FAMILY, user_id=7))


ENTRY_BYTES = 49
GARBAGE = [b"\x02", b"\x01x", b"\x01" + bytes(ENTRY_BYTES - 1), b"\x00" * 50, b"\x01" + bytes(ENTRY_BYTES * 6000)]


@pytest.mark.parametrize("content", GARBAGE, ids=["another version", "cut", "short", "zeros", "huge"])
def test_a_segment_that_is_none_is_an_error_and_no_open_door(store: MemoryStore, content: bytes) -> None:
    process = Process(store)
    process.revoke(1)
    put(store, segment(0), content)
    for each in (process, Process(store)):
        with pytest.raises(StoreError):
            each.catch_up()
        with pytest.raises(StoreError):
            each.revoke(2)
    assert process.knows(1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01",
        b"\x02" + bytes(16),
        b"\x01" + bytes(17),
        b"\x01" + (5).to_bytes(8, "big") + (4).to_bytes(8, "big"),
        b"\x01" + bytes(8) + b"\xff" * 8,
    ],
)
def test_a_head_that_is_none_is_an_error_and_no_open_door(store: MemoryStore, content: bytes) -> None:
    Process(store).revoke(1)
    put(store, HEAD, content)
    with pytest.raises(StoreError):
        Process(store).catch_up()


class Endless(MemoryStore):
    """Says of every segment that it is full."""

    reads = 0

    def read(self, key: bytes) -> StoredRecord | None:
        self.reads += 1
        if key == HEAD:
            return None
        return StoredRecord(b"\x01" + bytes(ENTRY_BYTES * SEGMENT_ENTRIES), NOON, NOON + LIFE, b"", 1)


def test_a_list_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coatcheck.core.revocations._MOST_SEGMENTS", 50)
    store = Endless()
    with pytest.raises(StoreError, match="no end"):
        Process(store).catch_up()
    assert store.reads < 60


class Mute(MemoryStore):
    """Keeps what it is given, and its answer is lost."""

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        super().insert(key, record)
        raise StoreError("the answer is lost")


def test_what_was_written_though_the_answer_is_lost_is_heard_at_once() -> None:
    store, bell = Mute(clock=Clock(NOON)), LocalBell()
    one, other = Process(store, bell=bell), Process(store, bell=bell)
    other.look()
    with pytest.raises(StoreError, match="lost"):
        one.revoke(1)
    assert not other.list.fresh(NOON)
    other.look()
    assert other.knows(1)


class Lying(MemoryStore):
    """Says that another was faster, whatever the version."""

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        return False

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return False


def test_a_store_that_takes_nothing_is_an_error_in_the_end(store: MemoryStore) -> None:
    with pytest.raises(StoreError, match="changed by others 200 times"):
        Process(Lying()).revoke(1)
    process = Process(store)
    process.revoke(1)
    process.store = Lying()
    with pytest.raises(StoreError, match="cannot be written down again"):
        process.catch_up()
    assert process.knows(1)


def test_an_instant_or_an_end_beyond_all_time_leaves_the_list_usable(store: MemoryStore) -> None:
    kinds = bytes([EVERYONE]) + OWNERS.everyone[0] + b"\xff" * 8 + b"\xff" * 8 + bytes(16)
    far = bytes([REVOKED]) + name(5) + NOON.to_bytes(8, "big") + b"\xff" * 8 + bytes(16)
    put(store, segment(0), b"\x01" + kinds + far)
    process = Process(store)
    process.catch_up()
    assert process.judge(seen=0) is None
    assert process.knows(5)
    assert process.revoke(1) == NOON * 1_000_000
    # It can be written down again, where its end is one that stores have room for.
    process.store = MemoryStore()
    process.catch_up()
    written = process.store.read(segment(0))
    assert NOON < written.expires_at <= 2**40


def test_an_id_that_somebody_has_to_be_without_a_kind_we_know_is_ended(store: MemoryStore) -> None:
    put(store, segment(0), b"\x01" + bytes([9]) + FAMILY + bytes(8) + (NOON + LIFE).to_bytes(8, "big") + bytes(16))
    process = Process(store)
    process.catch_up()
    assert process.judge(FAMILY) is Reason.REVOKED


@given(st.binary(max_size=4 * ENTRY_BYTES), st.binary(max_size=20))
def test_whatever_the_store_holds_nothing_but_a_store_error_comes_of_it(content: bytes, head: bytes) -> None:
    store = MemoryStore(clock=Clock(NOON))
    process = Process(store)
    process.revoke(1)
    put(store, segment(0), b"\x01" + content)
    put(store, HEAD, head)
    with suppress(StoreError):
        process.revoke(2)
        assert process.knows(2)
    assert process.knows(1)
    process.judge()


ENTRIES = st.lists(
    st.builds(
        Ending,
        st.sampled_from([ENDED, REVOKED, ROTATED, USER]),
        st.binary(min_size=16, max_size=16),
        st.integers(NOON + 1, 2**40),
        st.binary(min_size=16, max_size=16),
    ),
    min_size=1,
    max_size=30,
)


@given(st.lists(ENTRIES, min_size=1, max_size=4))
def test_who_starts_later_knows_what_the_writer_knows(batches: list[list[Ending]]) -> None:
    store = MemoryStore(clock=Clock(NOON))
    one, late = Process(store), Process(store)
    for batch in batches:
        one.end(*batch)
    late.catch_up()
    assert len(late.list) == len(one.list)
    assert late.list.latest == one.list.latest
    for batch in batches:
        for ending in batch:
            for now in (NOON, NOON + 60):
                assert late.judge(ending.subject, now=now) is one.judge(ending.subject, now=now)
                if ending.kind in (ENDED, REVOKED):
                    assert late.judge(ending.subject, now=now) is not None
