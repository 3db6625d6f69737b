"""What is there for tests: a clock, stores that fail, and a contract that catches the stores that break it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from broken_stores.asynchronous import (
    ACancelledTaskKeepsTheConnection,
    AnswersComeToWhoeverAsksNext,
    AsyncBreaking,
    AsyncReplaceInTwoSteps,
)
from broken_stores.keeping import KEEPING, Mangling
from broken_stores.writing import WRITING, Breaking, TouchIgnoresTheVersion

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError
from coatcheck.stores import AsyncStore, Store
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.threaded import ThreadedStore
from coatcheck.testing import AsyncFailingStore, AsyncStoreContract, Clock, FailingStore, StoreContract

KEY = bytes(32)
BROKEN = {**WRITING, **KEEPING}
RECORD = StoredRecord(b"content", 1_800_000_000, 1_800_003_600)


# The clock


def test_a_clock_stands_until_it_is_moved() -> None:
    clock = Clock()
    assert clock() == clock() == 1_800_000_000
    clock.advance(90.5)
    assert clock() == 1_800_000_090.5
    clock.now = 5
    assert clock() == 5
    assert Clock(7)() == 7


# Stores that fail


def test_a_failing_store_that_is_up_does_what_its_store_does() -> None:
    store = FailingStore(MemoryStore(clock=Clock()))
    assert store.insert(KEY, RECORD) is True
    assert store.insert(KEY, RECORD) is False
    assert store.replace(KEY, RECORD, 1) is True
    assert store.touch(KEY, 5, RECORD.expires_at, 2) is True
    assert store.read(KEY) == RECORD._replace(used_at=5, version=2)
    store.delete(KEY)
    assert store.read(KEY) is None
    assert store.calls == ["insert", "insert", "replace", "touch", "read", "delete", "read"]


def test_a_failing_store_that_is_down_does_nothing() -> None:
    inner = MemoryStore(clock=Clock())
    store = FailingStore(inner)
    inner.insert(KEY, RECORD)
    store.down = True
    for operation in (
        lambda: store.read(KEY),
        lambda: store.insert(bytes(32), RECORD),
        lambda: store.replace(KEY, RECORD._replace(content=b"other"), 1),
        lambda: store.touch(KEY, 5, RECORD.expires_at, 1),
        lambda: store.delete(KEY),
    ):
        with pytest.raises(StoreError, match="the store is down, as the test wants it"):
            operation()
    assert inner.read(KEY) == RECORD._replace(version=1)
    assert store.calls == ["read", "insert", "replace", "touch", "delete"]
    store.down = False
    assert store.read(KEY) is not None


def test_a_failing_store_that_loses_replies_has_done_what_it_was_asked() -> None:
    store = FailingStore(MemoryStore(clock=Clock()))
    store.lost_replies = 2
    with pytest.raises(StoreError, match="the answer of the store is lost, as the test wants it"):
        store.insert(KEY, RECORD)
    with pytest.raises(StoreError):
        store.replace(KEY, RECORD._replace(content=b"second"), 1)
    found = store.read(KEY)
    assert found is not None
    assert found.content == b"second"
    assert store.lost_replies == 0


def test_the_async_failing_store_does_all_of_this_too() -> None:
    async def program() -> None:
        store = AsyncFailingStore(ThreadedStore(MemoryStore(clock=Clock())))
        assert await store.insert(KEY, RECORD) is True
        assert await store.replace(KEY, RECORD, 1) is True
        assert await store.touch(KEY, 5, RECORD.expires_at, 2) is True
        store.down = True
        for work in (store.read(KEY), store.delete(KEY)):
            with pytest.raises(StoreError, match="the store is down, as the test wants it"):
                await work
        store.down = False
        store.lost_replies = 1
        with pytest.raises(StoreError, match="the answer of the store is lost, as the test wants it"):
            await store.delete(KEY)
        assert await store.read(KEY) is None
        assert store.calls == ["insert", "replace", "touch", "read", "delete", "delete", "read"]

    asyncio.run(program())


def test_failing_stores_are_stores() -> None:
    assert isinstance(FailingStore(MemoryStore()), Store)
    assert isinstance(AsyncFailingStore(ThreadedStore(MemoryStore())), AsyncStore)


# The contract


def broken_promises(contract: StoreContract) -> list[str]:
    """Gives the names of the tests that fail with an assertion. Another error is one of this test."""
    broken = []
    for name in dir(contract):
        if name.startswith("test_"):
            try:
                getattr(contract, name)()
            except AssertionError:
                broken.append(name)
    return broken


class Contract(StoreContract):
    """The contract, of a kind of store that shares its records among the views of one test."""

    def __init__(self, kind: Callable[..., Any], *, shared: bool = True) -> None:
        self._kind = kind
        self._shared = shared
        self._stores: dict[Clock, Any] = {}

    def make_store(self, clock: Clock) -> Store:
        if not self._shared:
            return self._kind(clock=clock)  # type: ignore[no-any-return]
        if clock not in self._stores:
            self._stores[clock] = self._kind(clock=clock)
        return self._stores[clock]  # type: ignore[no-any-return]


def test_what_the_broken_stores_start_from_keeps_the_contract() -> None:
    assert broken_promises(Contract(Breaking)) == []
    assert broken_promises(Contract(Mangling)) == []


@pytest.mark.parametrize(("kind", "promise"), BROKEN.items(), ids=[kind.__name__ for kind in BROKEN])
def test_the_contract_catches_a_store_that_breaks_it(kind: type[Breaking], promise: str) -> None:
    assert promise in broken_promises(Contract(kind))


def test_the_contract_catches_a_store_whose_views_do_not_share_their_records() -> None:
    assert broken_promises(Contract(Breaking, shared=False)) == ["test_two_views_share_the_records"]


def test_the_contract_catches_what_lacks_a_method() -> None:
    class NoTouch:
        def __init__(self, *, clock: Clock) -> None:
            memory = MemoryStore(clock=clock)
            self.read, self.insert, self.replace, self.delete = (
                memory.read,
                memory.insert,
                memory.replace,
                memory.delete,
            )

    with pytest.raises(AssertionError):
        Contract(NoTouch).test_it_has_the_five_methods()


def test_every_test_of_the_contract_is_one_that_some_store_fails() -> None:
    """One that no store fails would prove nothing."""
    tests = {name for name in dir(StoreContract) if name.startswith("test_")}
    failed = {promise for kind in BROKEN for promise in broken_promises(Contract(kind))}
    failed |= {"test_it_has_the_five_methods", "test_two_views_share_the_records"}
    # What this one asks for is that nothing is raised.
    assert tests - failed == {"test_delete_of_nothing_is_no_error"}


def test_a_contract_without_a_store_says_what_to_write() -> None:
    with pytest.raises(NotImplementedError):
        StoreContract().test_it_has_the_five_methods()
    with pytest.raises(NotImplementedError):
        asyncio.run(AsyncStoreContract().make_async_store(Clock()))


# The async contract


class AsyncContract(AsyncStoreContract):
    def __init__(self, kind: Callable[[MemoryStore], Any]) -> None:
        self._kind = kind
        self._stores: dict[Clock, MemoryStore] = {}

    async def make_async_store(self, clock: Clock) -> AsyncStore:
        return self._kind(self._stores.setdefault(clock, MemoryStore(clock=clock)))  # type: ignore[no-any-return]


def test_what_the_broken_async_stores_start_from_keeps_the_contract() -> None:
    assert broken_promises(AsyncContract(AsyncBreaking)) == []


def test_the_async_contract_is_the_whole_sync_one_and_more() -> None:
    """One of the broken stores from above, behind threads."""
    contract = AsyncContract(lambda _: ThreadedStore(TouchIgnoresTheVersion(clock=Clock())))
    assert "test_touch_refuses_where_the_record_has_changed" in broken_promises(contract)


def test_the_async_contract_catches_a_store_that_writes_in_two_steps() -> None:
    broken = broken_promises(AsyncContract(AsyncReplaceInTwoSteps))
    assert "test_tasks_that_try_again_all_succeed" in broken
    # A thread may get its turn late; of the two tests in which threads meet, one notices.
    assert {"test_of_many_replaces_at_once_one_succeeds", "test_many_who_try_again_all_succeed"} & set(broken)


class ReadGivesACoroutine(AsyncBreaking):
    """One whose `read` can be awaited, and does not show it."""

    def read(self, key: bytes) -> Any:
        return super().read(key)


def test_the_async_contract_catches_a_store_that_would_be_taken_for_a_sync_one() -> None:
    assert broken_promises(AsyncContract(ReadGivesACoroutine)) == ["test_its_read_is_a_coroutine_function"]


class SweepsNothing:
    """Sweeps wrongly, and does not find records by their owner: some can do the one and not the other."""

    def __init__(self, store: MemoryStore) -> None:
        threaded = ThreadedStore(store)
        self.read, self.insert, self.replace = threaded.read, threaded.insert, threaded.replace
        self.touch, self.delete = threaded.touch, threaded.delete

    async def sweep(self, limit: int = 1000) -> int:
        return 0


def test_the_async_contract_tests_what_a_store_can_do_beside_each_for_itself() -> None:
    assert broken_promises(AsyncContract(SweepsNothing)) == ["test_sweeping_removes_what_has_expired_and_nothing_else"]


@pytest.mark.parametrize("kind", [AnswersComeToWhoeverAsksNext, ACancelledTaskKeepsTheConnection])
def test_the_async_contract_catches_a_store_that_a_cancelled_task_upsets(kind: type[AsyncBreaking]) -> None:
    assert "test_a_cancelled_operation_leaves_the_store_usable" in broken_promises(AsyncContract(kind))
