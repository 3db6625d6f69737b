"""Many requests in one loop: nobody sees another's session, nobody waits for another's store, nothing stays behind."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from random import Random
from threading import Event
from typing import Any

import pytest
from asgi.exchange import App, Exchange, Visitor, answer, begin, in_loop, middleware, piece, session_of
from asgi.parking import ParkingStore

from coatcheck.asgi import AsyncSession
from coatcheck.core.record import StoredRecord
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

VISITORS = 12
REQUESTS = 15


class Straying(ParkingStore):
    """Answers after a number of turns that nobody can tell."""

    def __init__(self) -> None:
        super().__init__()
        self._random = Random(7)

    async def _run(self, operation: Callable[..., Any], *arguments: object) -> Any:
        for _ in range(self._random.randrange(5)):
            await asyncio.sleep(0)
        result = await super()._run(operation, *arguments)
        for _ in range(self._random.randrange(5)):
            await asyncio.sleep(0)
        return result


@pytest.mark.parametrize("stored", [False, True], ids=["cookie", "store"])
@in_loop
async def test_nobody_sees_the_session_of_another(stored: bool) -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        session, name = session_of(scope), scope["path"]
        await asyncio.sleep(0)
        assert session.setdefault("name", name) == name
        session["count"] = session.get("count", 0) + 1
        await asyncio.sleep(0)
        await begin(send)
        if stored:
            session["late"] = [name, session["count"]]
        await asyncio.sleep(0)
        await piece(send, f"{session['name']} {session['count']} {session.get('late')}", more=False)

    app = middleware(page, **({"store": Straying()} if stored else {}))

    async def visit(number: int) -> None:
        visitor, name = Visitor(app), f"/visitor {number}"
        for count in range(1, REQUESTS + 1):
            exchange = await visitor.get(name)
            assert exchange.text == f"{name} {count} {[name, count] if stored else None}"
            if number % 3 == 0 and count % 5 == 0:
                # Somebody who goes away, and whose cookies another sends never.
                gone = visitor.ask(name)
                await asyncio.sleep(0)
                gone.task.cancel()
                await gone.error()
                return

    await asyncio.gather(*map(visit, range(VISITORS)))


@in_loop
async def test_requests_of_one_visitor_lose_nothing() -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        session.setdefault("user", "ann")
        session[scope["path"]] = True
        await begin(send)
        session[f"{scope['path']} late"] = True
        await piece(send, str(len(session)), more=False)

    store = Straying()
    visitor = Visitor(middleware(page, store=store))
    await visitor.get("/0")
    await asyncio.gather(*(visitor.get(f"/{number}") for number in range(1, 16)))
    assert (await visitor.get("/0")).text == str(1 + 2 * 16)


@in_loop
async def test_a_store_that_takes_long_lets_all_others_go_on() -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        session["count"] = session.get("count", 0) + 1
        await answer(send, str(session["count"]))

    store = ParkingStore()
    app = middleware(page, store=store)
    slow, other = Visitor(app), Visitor(app)
    await slow.get()
    await other.get()
    for number, done in ((0, False), (1, False), (1, True)):
        store.park(number, done=done)
        waiting = slow.ask()
        await store.parked()
        for _ in range(3):
            await other.get()
        await Visitor(app).get()
        assert not waiting.task.done()
        store.release()
        await waiting.end()
    assert (await slow.get()).text == "5"
    assert (await other.get()).text == "11"


class Blocking(MemoryStore):
    """A sync store whose reads wait, as at the other side of a dead network."""

    def __init__(self) -> None:
        super().__init__(clock=Clock())
        self.go_on = Event()
        self.go_on.set()

    def read(self, key: bytes) -> StoredRecord | None:
        assert self.go_on.wait(30)
        return super().read(key)


@in_loop
async def test_a_sync_store_that_blocks_does_not_block_the_loop() -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        session_of(scope)["user"] = "ann"
        await answer(send, "page")

    store = Blocking()
    app = middleware(page, store=store)
    visitor = Visitor(app)
    await visitor.get()
    store.go_on.clear()
    waiting = visitor.ask()
    for _ in range(20):
        # Without a cookie, nothing is read.
        assert (await Exchange(app).end()).text == "page"
    assert not waiting.task.done()
    store.go_on.set()
    await waiting.end()
    await app.sessions.stores[0].close()


@in_loop
async def test_tasks_of_one_request_commit_and_save_one_after_the_other() -> None:
    """A save is on its way when the response begins, and another comes while that is committed."""
    store = ParkingStore()
    rules = {"count": lambda was, mine, theirs: theirs + mine - (was or 0)}

    async def page(scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        session["count"] = session.get("count", 0) + 1
        if scope["path"] == "/":
            await answer(send, str(session["count"]))
            return
        store.park(1)
        first = asyncio.ensure_future(session.save())
        await store.parked()
        session["count"] += 1
        responding = asyncio.ensure_future(begin(send))
        await asyncio.sleep(0)
        session["count"] += 1
        second = asyncio.ensure_future(session.save())
        await asyncio.sleep(0)
        session["count"] += 1
        store.release()
        assert await first is True
        await responding
        assert await second is True
        await piece(send, "", more=False)

    visitor = Visitor(middleware(page, store=store, merge=rules))
    await visitor.get()
    await visitor.get("/tasks")
    assert (await visitor.get()).text == "6"


# What stays behind


async def view_of(scope: Any, receive: Any, send: Any) -> None:
    session = session_of(scope)
    session["user"] = "ann"
    await answer(send, "page")


async def stream(scope: Any, receive: Any, send: Any) -> None:
    session = session_of(scope)
    session["user"] = "ann"
    await begin(send)
    session["late"] = [1]
    await piece(send, "first")
    await piece(send, "last", more=False)


async def unlooked(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, "page")


async def broken(scope: Any, receive: Any, send: Any) -> None:
    session_of(scope)["user"] = "ann"
    await begin(send)
    raise ZeroDivisionError


async def too_large(scope: Any, receive: Any, send: Any) -> None:
    session_of(scope)["user"] = "ann" * 1_000_000
    await answer(send, "page")


async def unkeepable(scope: Any, receive: Any, send: Any) -> None:
    session_of(scope)["user"] = object()
    await answer(send, "page")


async def look(scope: Any, receive: Any, send: Any) -> None:
    session_of(scope).get("user")
    await answer(send, "page")


def watched(app: App, found: list[weakref.ref[AsyncSession]]) -> App:
    async def watching(scope: Any, receive: Any, send: Any) -> None:
        found.append(weakref.ref(session_of(scope)))
        await app(scope, receive, send)

    return watching


@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("page", [view_of, stream, unlooked, look, broken, too_large, unkeepable])
@in_loop
async def test_a_session_ends_with_its_request(page: App, down: bool) -> None:
    """By itself: nothing goes round in a circle that waits for the collector."""
    store, found = ParkingStore(), list[weakref.ref[AsyncSession]]()
    await (visitor := Visitor(middleware(view_of, store=store))).get()
    app = middleware(watched(page, found), store=store)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            store.down = down
            exchange = Exchange(app, visitor.header)
            error = await exchange.error()
            store.down = False
            if error is not None:
                # Whoever keeps an error keeps the frames it went through.
                error.__traceback__ = error.__context__ = error.__cause__ = None
            # A task has its error, whose frames have what sends to the exchange.
            del exchange.task, exchange, error
            await asyncio.sleep(0)
        assert [reference() for reference in found] == [None] * 3
    finally:
        gc.enable()


@in_loop
async def test_a_websocket_ends_with_its_session() -> None:
    async def socket(scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        session.setdefault("list", []).append(1)
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            session["list"].append(2)
            await session.save()
            await send({"type": "websocket.send", "text": ""})

    found: list[weakref.ref[AsyncSession]] = []
    visitor = Visitor(middleware(watched(socket, found), store=ParkingStore()))
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            exchange = visitor.connect()
            exchange.say("")
            await exchange.until("websocket.send")
            visitor.keep(exchange)
            exchange.leave("websocket.disconnect")
            await exchange.end()
            del exchange
            await asyncio.sleep(0)
        assert [reference() for reference in found] == [None] * 3
    finally:
        gc.enable()
