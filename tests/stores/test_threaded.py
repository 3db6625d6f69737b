from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from threading import Barrier, Event

import pytest

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError, UsageError
from coatcheck.stores import AsyncStore
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.threaded import ThreadedStore
from coatcheck.testing import AsyncStoreContract, Clock, FailingStore

KEY = bytes(32)


def record(content: bytes = b"content") -> StoredRecord:
    return StoredRecord(content, 1_800_000_000, 1_800_003_600)


class HeldStore(MemoryStore):
    """A store whose reads begin, and wait until they are let go."""

    def __init__(self, together: int = 1) -> None:
        super().__init__(clock=Clock())
        self.begun = Barrier(together + 1)
        self.go = Event()
        self.reads = 0
        self.threads: set[str] = set()

    def read(self, key: bytes) -> StoredRecord | None:
        self.reads += 1
        self.threads.add(threading.current_thread().name)
        self.begun.wait(30)
        assert self.go.wait(30)
        return super().read(key)


class FiveMethods:
    """A store that can do what every store can, and nothing beside."""

    def __init__(self) -> None:
        memory = MemoryStore(clock=Clock())
        self.read, self.insert, self.replace = memory.read, memory.insert, memory.replace
        self.touch, self.delete = memory.touch, memory.delete

    def __repr__(self) -> str:
        return "<FiveMethods>"


class TestThreadedStore(AsyncStoreContract):
    @pytest.fixture(autouse=True)
    def _shared(self) -> None:
        self.stores: dict[Clock, MemoryStore] = {}

    async def make_async_store(self, clock: Clock) -> AsyncStore:
        return ThreadedStore(self.stores.setdefault(clock, MemoryStore(clock=clock)))


def test_the_event_loop_goes_on_while_an_operation_blocks() -> None:
    async def program() -> None:
        held = HeldStore()
        store = ThreadedStore(held)
        reading = asyncio.ensure_future(store.read(KEY))
        # The read holds its thread until the loop itself, which is here, says that it may go on.
        await asyncio.to_thread(held.begun.wait, 30)
        assert not reading.done()
        assert await store.insert(KEY, record()) is True
        held.go.set()
        found = await reading
        assert found is not None
        assert found.content == b"content"
        await store.close()

    asyncio.run(program())


def test_as_many_operations_run_at_once_as_there_are_threads_and_more_wait() -> None:
    async def program() -> None:
        held = HeldStore(together=3)
        store = ThreadedStore(held, threads=3)
        reading = [asyncio.ensure_future(store.read(KEY)) for _ in range(9)]
        await asyncio.to_thread(held.begun.wait, 30)
        # Three stand in the store, and there is no thread for a fourth.
        assert held.reads == 3
        assert not any(read.done() for read in reading)
        held.go.set()
        for _ in range(2):
            await asyncio.to_thread(held.begun.wait, 30)
        assert await asyncio.gather(*reading) == [None] * 9
        assert len(held.threads) == 3
        await store.close()

    asyncio.run(program())


def test_a_cancelled_operation_that_has_begun_takes_place_and_disturbs_nobody() -> None:
    async def program() -> None:
        held = HeldStore()
        store = ThreadedStore(held, threads=1)
        await store.insert(KEY, record())
        reading = asyncio.ensure_future(store.read(KEY))
        await asyncio.to_thread(held.begun.wait, 30)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        held.go.set()
        assert await store.replace(KEY, record(b"later"), 1) is True
        await store.close()

    asyncio.run(program())


def test_a_cancelled_operation_that_waits_for_a_thread_does_not_take_place() -> None:
    async def program() -> None:
        held = HeldStore()
        store = ThreadedStore(held, threads=1)
        reading = asyncio.ensure_future(store.read(KEY))
        await asyncio.to_thread(held.begun.wait, 30)
        inserting = asyncio.ensure_future(store.insert(KEY, record()))
        await asyncio.sleep(0)
        inserting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await inserting
        held.go.set()
        assert await reading is None
        assert await store.insert(KEY, record(b"of another")) is True
        await store.close()

    asyncio.run(program())


def test_errors_come_through() -> None:
    async def program() -> None:
        failing = FailingStore(MemoryStore())
        store = ThreadedStore(failing)
        failing.down = True
        with pytest.raises(StoreError, match="the store is down, as the test wants it"):
            await store.read(KEY)
        failing.down = False
        assert await store.read(KEY) is None
        await store.close()

    asyncio.run(program())


def test_a_store_that_forgets_by_itself_has_nothing_to_sweep() -> None:
    async def program() -> None:
        store = ThreadedStore(FiveMethods())
        assert await store.sweep() == 0
        await store.close()

    asyncio.run(program())


def test_a_store_without_an_index_says_so() -> None:
    async def program() -> None:
        store = ThreadedStore(FiveMethods())
        with pytest.raises(UsageError, match="<FiveMethods> does not find records by their owner"):
            await store.owned_by(b"somebody")
        await store.close()

    asyncio.run(program())


def test_sweep_and_owned_by_are_those_of_the_store() -> None:
    async def program() -> None:
        clock = Clock()
        store = ThreadedStore(MemoryStore(clock=clock))
        for number in range(3):
            await store.insert(bytes([number]) * 32, record()._replace(owner=b"somebody"))
        assert len(await store.owned_by(b"somebody")) == 3
        clock.advance(3600)
        assert await store.sweep(2) == 2
        assert await store.sweep(2) == 1
        await store.close()

    asyncio.run(program())


def test_it_can_be_shared_by_one_event_loop_after_another() -> None:
    store = ThreadedStore(MemoryStore(clock=Clock()))
    assert asyncio.run(store.insert(KEY, record())) is True
    found = asyncio.run(store.read(KEY))
    assert found is not None
    assert found.content == b"content"
    asyncio.run(store.close())


def test_a_store_that_was_closed_works_again_when_it_is_asked_again() -> None:
    """As in the tests of an application, which is begun and ended with each of them."""
    store = ThreadedStore(MemoryStore())

    async def live() -> None:
        assert await store.read(bytes(32)) is None
        await store.close()

    asyncio.run(live())
    asyncio.run(live())


def test_closing_closes_the_store() -> None:
    closed = Event()

    class Closing(MemoryStore):
        def close(self) -> None:
            closed.set()

    asyncio.run(ThreadedStore(Closing()).close())
    assert closed.is_set()


def test_no_thread_is_begun_before_the_first_operation() -> None:
    before = set(threading.enumerate())
    store = ThreadedStore(MemoryStore())
    # One of an earlier test may just end.
    assert set(threading.enumerate()) <= before
    asyncio.run(store.read(KEY))
    (thread,) = set(threading.enumerate()) - before
    assert thread.name.startswith("coatcheck-store")
    asyncio.run(store.close())
    thread.join(30)
    assert not thread.is_alive()


FORKING = """
import asyncio, os, warnings
from coatcheck.stores import open_async_store

# Python warns of a fork beside threads, and that is what happens here.
warnings.simplefilter("ignore")
store = open_async_store("memory:")
asyncio.run(store.read(bytes(32)))
child = os.fork()
if child == 0:
    asyncio.run(asyncio.wait_for(store.read(bytes(32)), 30))
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_after_a_fork_it_has_threads_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "7\n", done.stderr


def test_it_shows_the_store() -> None:
    assert repr(ThreadedStore(FiveMethods())) == "<ThreadedStore of <FiveMethods>>"
