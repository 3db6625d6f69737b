"""The driver runs a verb of the engine to its end, against stores of either kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from kit import Site

from coatcheck import StoreError
from coatcheck.core.operations import Steps, insert, read
from coatcheck.drive import run, run_async
from coatcheck.stores import StoredRecord
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.threaded import ThreadedStore
from coatcheck.testing import AsyncFailingStore, Clock, FailingStore

KEY = bytes(32)
RECORD = StoredRecord(b"content", 1, 1_900_000_000)


def sync(steps: Steps[Any], *stores: MemoryStore | FailingStore | None) -> Any:
    return run(steps, stores)


def in_tasks(steps: Steps[Any], *stores: MemoryStore | FailingStore | None) -> Any:
    return asyncio.run(run_async(steps, [None if store is None else ThreadedStore(store) for store in stores]))


both = pytest.mark.parametrize("drive", [sync, in_tasks])
Drive = Callable[..., Any]


def decides(value: Any) -> Steps[Any]:
    yield from ()
    return value


def fails(error: Exception) -> Steps[Any]:
    yield from ()
    raise error


def moves_a_record() -> Steps[bool]:
    found = yield read(1, KEY)
    kept: bool = yield insert(0, KEY, found)
    return kept


def goes_on() -> Steps[str]:
    try:
        yield read(0, KEY)
    except StoreError as error:
        again = yield read(1, KEY)
        return f"{error}, and then {again.content.decode()}"
    return "no error"


@both
@pytest.mark.parametrize("value", [None, False, (), {"a": 1}])
def test_what_the_verb_decides_comes_back(drive: Drive, value: Any) -> None:
    assert drive(decides(value)) is value


@both
def test_what_the_verb_raises_comes_out(drive: Drive) -> None:
    error = KeyError("a")
    with pytest.raises(KeyError) as caught:
        drive(fails(error))
    assert caught.value is error


@both
def test_each_operation_goes_to_its_store_and_its_answer_comes_back(drive: Drive) -> None:
    here, there = MemoryStore(clock=Clock()), MemoryStore(clock=Clock())
    there.insert(KEY, RECORD)
    assert drive(moves_a_record(), here, there) is True
    found = here.read(KEY)
    assert found is not None and found.content == b"content"


@both
def test_a_store_that_fails_fails_where_the_verb_asked(drive: Drive) -> None:
    down, up = FailingStore(MemoryStore(clock=Clock())), MemoryStore(clock=Clock())
    down.down = True
    up.insert(KEY, RECORD)
    assert drive(goes_on(), down, up) == "the store is down, as the test wants it, and then content"


@both
def test_a_failure_that_the_verb_does_not_expect_comes_out(drive: Drive) -> None:
    down = FailingStore(MemoryStore(clock=Clock()))
    down.down = True
    with pytest.raises(StoreError, match="the store is down"):
        drive(moves_a_record(), None, down)


def test_a_task_that_is_cancelled_leaves_the_verb() -> None:
    left: list[str] = []

    def waits() -> Steps[None]:
        try:
            yield read(0, KEY)
        finally:
            left.append("the verb")

    class Never(AsyncFailingStore):
        async def read(self, key: bytes) -> StoredRecord | None:
            await asyncio.Event().wait()
            raise AssertionError("nobody sets the event")

    async def program() -> None:
        store = Never(ThreadedStore(MemoryStore(clock=Clock())))
        task = asyncio.ensure_future(run_async(waits(), [store]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(program())
    assert left == ["the verb"]


def test_tasks_that_collide_at_one_record_go_on_one_after_the_other() -> None:
    async def program() -> int:
        clock = Clock()
        store = AsyncFailingStore(ThreadedStore(MemoryStore(clock=clock)))
        site = Site(clock=clock, store=MemoryStore(clock=clock))
        session = site.open()
        session["begun"] = True
        (cookie,) = (await run_async(site.engine.commit(session, now=clock(), https=True), [store])).cookies
        visits = []
        for number in range(16):
            visit = site.open()
            loaded = await run_async(site.engine.load(cookie.partition(";")[0], now=clock()), [store])
            visit._load = lambda loaded=loaded: loaded  # type: ignore[method-assign, misc]  # noqa: SLF001
            visit[f"key {number}"] = number
            visits.append(visit)
        store.calls.clear()
        await asyncio.gather(
            *(run_async(site.engine.commit(each, now=clock(), https=True), [store]) for each in visits)
        )
        loaded = await run_async(site.engine.load(cookie.partition(";")[0], now=clock()), [store])
        assert loaded.content == {"begun": True, **{f"key {number}": number for number in range(16)}}
        return store.calls.count("replace")

    # One of the sixteen succeeds at once, and each of the others at its second try.
    assert asyncio.run(program()) <= 31
