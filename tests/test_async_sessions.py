"""Sessions in a program with asyncio, without any framework."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgi.exchange import in_loop
from asgi.parking import ParkingStore
from kit import NOON, SECRET, name_and_value

from coatcheck import StoreError, UsageError
from coatcheck.async_sessions import AsyncSession, AsyncSessions
from coatcheck.core.record import StoredRecord
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.opening import Opened
from coatcheck.stores.threaded import ThreadedStore
from coatcheck.testing import Clock

LATE = "the headers of this response are gone"


class Site:
    """A configuration, and a browser with its cookie."""

    def __init__(self, **options: Any) -> None:
        self.sessions = AsyncSessions({"secret_key": SECRET, "clock": Clock(NOON), **options})
        self.header = ""

    async def open(self) -> AsyncSession:
        return await AsyncSession(self.sessions, self.header).load()

    async def commit(self, session: AsyncSession) -> None:
        decision = await self.sessions.commit_async(session, https=True)
        for cookie in decision.cookies:
            self.header = "=".join(name_and_value(cookie))

    async def begun(self, **items: Any) -> AsyncSession:
        """Gives a session whose response has begun."""
        session = await self.open()
        session.update(items)
        await self.commit(session)
        return session


async def on_server() -> tuple[Site, ParkingStore]:
    """Gives a site with a session, and its store."""
    store = ParkingStore()
    site = Site(store=store)
    await site.begun(user="ann", list=[])
    store.calls.clear()
    return site, store


@in_loop
async def test_a_store_that_is_opened_from_a_url_goes_by_the_clock_of_the_sessions() -> None:
    clock = Clock(1_000_000_000)
    store = AsyncSessions({"secret_key": SECRET, "clock": clock, "store": "memory:"}).stores[0]
    assert await store.insert(bytes(32), StoredRecord(b"content", int(clock()), int(clock()) + 60, b""))
    clock.advance(59)
    assert (await store.read(bytes(32))).content == b"content"
    clock.advance(1)
    assert await store.read(bytes(32)) is None


@in_loop
async def test_a_sync_store_works_in_threads() -> None:
    site = Site(store=MemoryStore(clock=Clock(NOON)))
    store, _, revocations = site.sessions.stores
    assert isinstance(store, ThreadedStore)
    assert revocations is store
    await site.begun(user="ann")
    assert (await site.open())["user"] == "ann"
    await store.close()


@in_loop
async def test_a_store_that_was_opened_from_a_url_is_closed_with_the_application() -> None:
    closed: list[object] = []

    class Closing(ParkingStore):
        async def close(self) -> None:
            closed.append(self)

    opened, given = Closing(), Closing()
    options = {"secret_key": SECRET, "store": "memory:", "earlier_store": given}
    sessions = AsyncSessions(options, opened=Opened({"memory:": opened}))
    assert sessions.stores == (opened, given, opened)
    await sessions.close()
    assert closed == [opened]


@in_loop
async def test_the_store_is_asked_where_the_request_has_our_cookie_and_once() -> None:
    site, store = await on_server()
    session = await site.open()
    # The session; and what has been ended: where that begins, and what there is.
    assert store.calls == ["read", "read", "read"]
    assert await session.load() is session
    assert session["user"] == "ann"
    await session.load()
    assert store.calls == ["read", "read", "read"]
    site.header = "other=1"
    session = await site.open()
    assert dict(session) == {}
    assert store.calls == ["read", "read", "read"]


@in_loop
async def test_of_two_who_load_one_session_at_the_same_time_both_have_it() -> None:
    site, _ = await on_server()
    session = AsyncSession(site.sessions, site.header)
    await asyncio.gather(session.load(), session.load())
    assert session["user"] == "ann"


@in_loop
async def test_a_look_before_the_load_says_what_is_missing() -> None:
    site, _ = await on_server()
    session = AsyncSession(site.sessions, site.header)
    with pytest.raises(UsageError, match="load\\(\\) it before the first look"):
        session.get("user")
    await session.load()
    assert session["user"] == "ann"


@in_loop
async def test_a_store_that_fails_raises_at_the_look_and_once(caplog: pytest.LogCaptureFixture) -> None:
    site, store = await on_server()
    store.down = True
    session = await site.open()
    assert caplog.records == []
    with pytest.raises(StoreError):
        session.get("user")
    assert dict(session) == {}
    assert store.calls == ["read"]
    assert len(caplog.records) == 1


@in_loop
async def test_a_commit_and_a_save_that_fail_are_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    for late in (False, True):
        site, store = await on_server()
        session = await (site.begun(more=1) if late else site.open())
        session["user"] = "bob"
        store.down = True
        with pytest.raises(StoreError):
            await (session.save() if late else site.commit(session))
        assert "the session store fails" in caplog.text
        caplog.clear()


@in_loop
async def test_without_a_store_nothing_is_awaited() -> None:
    site = Site()
    session = await site.begun(user="ann", list=[])
    assert (await site.open())["user"] == "ann"
    assert await session.save() is True
    session["list"].append(1)
    with pytest.raises(UsageError, match=LATE):
        await session.finish()


@in_loop
async def test_a_finish_asks_nothing_where_nothing_was_changed() -> None:
    site, store = await on_server()
    session = await site.open()
    assert session["user"]
    await site.commit(session)
    store.calls.clear()
    await session.finish()
    await session.rescue(ZeroDivisionError())
    assert store.calls == []
    session["late"] = True
    await session.finish()
    assert store.calls == ["read", "replace"]


@in_loop
async def test_a_finish_that_is_cancelled_keeps_all_the_same() -> None:
    site, store = await on_server()
    session = await site.begun(more=1)
    session["late"] = True
    store.park(1)
    finishing = asyncio.ensure_future(session.finish())
    await store.parked()
    finishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    store.release()
    assert (await site.open())["late"] is True


@in_loop
async def test_a_rescue_raises_nothing_and_notes_what_is_lost() -> None:
    site, store = await on_server()
    session = await site.begun(more=1)
    session["late"] = True
    store.down = True
    error = ZeroDivisionError()
    await session.rescue(error)
    assert error.__notes__ == ["What the session was changed to is lost: the store is down, as the test wants it"]
    store.down = False
    await session.rescue(error)
    assert len(error.__notes__) == 1
    assert (await site.open())["late"] is True


@in_loop
async def test_a_save_that_was_cancelled_holds_up_no_other() -> None:
    site, store = await on_server()
    session = await site.begun(more=1)
    session["late"] = True
    for number in (0, 1):
        store.park(number, done=True)
        saving = asyncio.ensure_future(session.save())
        waiting = asyncio.ensure_future(session.save())
        await store.parked()
        waiting.cancel()
        saving.cancel()
        await asyncio.wait({saving, waiting})
        store.release()
    assert await session.save() is True
    assert session.settled()


def test_one_store_in_two_places_is_refused_though_each_works_in_threads_of_its_own() -> None:
    store = MemoryStore()
    with pytest.raises(UsageError, match="store and earlier_store are the same"):
        AsyncSessions({"secret_key": SECRET, "store": store, "earlier_store": store})
