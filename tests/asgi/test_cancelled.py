"""A request whose task is cancelled while it waits for the store, at each operation: nothing half written is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgi.exchange import Visitor, answer, begin, in_loop, middleware, piece, session_of
from asgi.parking import ParkingStore
from servers.process import PATIENCE
from servers.redis import RedisServer

from coatcheck import Session
from coatcheck.asgi import AsyncSession

View = Callable[[Session], object]

BEFORE = {"user": "ann", "one": 0, "two": 0}
AFTER = {"user": "ann", "one": 1, "two": 1}


def change(session: Session) -> None:
    session.update(one=1, two=1)


def regenerate(session: Session) -> None:
    session.regenerate()
    change(session)


class Pages:
    """An application: `/start` begins a session, `/look` shows it, `/early` and `/late` do what `view` does."""

    def __init__(self, view: View = change) -> None:
        self.view = view
        self.seen: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        session, path = session_of(scope), scope["path"]
        if path == "/start":
            session.update(BEFORE)
        elif path == "/look":
            self.seen.append(dict(session))
        elif path == "/early":
            self.view(session)
        elif path == "/late":
            assert session["user"]
            await begin(send)
            await piece(send, "first")
            self.view(session)
            await piece(send, "last", more=False)
            return
        elif path == "/socket":
            await self._serve(session, send)
            return
        await answer(send, "page")

    async def _serve(self, session: AsyncSession, send: Any) -> None:
        await send({"type": "websocket.accept"})
        self.view(session)
        await session.save()
        await send({"type": "websocket.close"})


async def cancelled_at(path: str, view: View, number: int, *, done: bool) -> tuple[list[dict[str, Any]], bool]:
    """Cancels a request at one of its operations. Gives what the next requests see; and whether there was such a one.

    They come twice, with the cookie from before: at once, and when the task has come to its end.
    """
    store, pages = ParkingStore(), Pages(view)
    visitor = Visitor(middleware(pages, store=store))
    await visitor.get("/start")
    store.park(number, done=done)
    exchange = visitor.connect(path) if path == "/socket" else visitor.ask(path)
    there = await store.parked_or(exchange.task)
    if there:
        exchange.task.cancel()
        await asyncio.sleep(0)
        await visitor.get("/look")
    store.release()
    error = await exchange.error()
    assert isinstance(error, asyncio.CancelledError) if there else error is None
    await visitor.app.sessions.close()  # type: ignore[attr-defined]
    await visitor.get("/look")
    return pages.seen, there


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("view", [change, regenerate, Session.destroy, Session.clear])
@in_loop
async def test_a_request_that_is_cancelled_is_kept_whole_or_not_at_all(view: View, done: bool) -> None:
    right = [BEFORE, {}] if view in (Session.destroy, Session.clear) else [BEFORE, AFTER]
    number, there = 0, True
    while there:
        seen, there = await cancelled_at("/early", view, number, done=done)
        assert all(content in right for content in seen), f"cancelled at {number}: {seen}"
        number += 1
    assert number > 2


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("path", ["/late", "/socket"])
@pytest.mark.parametrize("view", [change, Session.destroy])
@in_loop
async def test_a_late_change_is_kept_though_the_task_is_cancelled(path: str, view: View, done: bool) -> None:
    number, there = 0, True
    while there:
        seen, there = await cancelled_at(path, view, number, done=done)
        # The load is the first, and what comes then did not happen.
        after = {} if view is Session.destroy else AFTER
        assert seen[-1] == (BEFORE if number == 0 else after), f"cancelled at {number}: {seen}"
        number += 1
    assert number > 2


@in_loop
async def test_a_handler_that_is_cancelled_in_mid_stream_keeps_what_it_has_changed() -> None:
    store, begun = ParkingStore(), asyncio.Event()

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        if scope["path"] == "/start":
            session["list"] = []
            await answer(send)
            return
        if scope["path"] == "/stream":
            session["list"].append("early")
            await begin(send)
            session["list"].append("late")
            begun.set()
            await asyncio.Event().wait()
        await answer(send, str(session["list"]))

    visitor = Visitor(middleware(stream, store=store))
    await visitor.get("/start")
    exchange = visitor.ask("/stream")
    await begun.wait()
    exchange.task.cancel()
    assert isinstance(await exchange.error(), asyncio.CancelledError)
    assert (await visitor.get("/look")).text == "['early', 'late']"


@in_loop
async def test_a_task_that_is_cancelled_again_and_again_keeps_its_change_all_the_same() -> None:
    """A task group of anyio cancels at each await, until the task is out of it."""
    store, pages = ParkingStore(), Pages()
    visitor = Visitor(middleware(pages, store=store))
    await visitor.get("/start")
    store.park(2)
    exchange = visitor.ask("/late")
    await store.parked()
    store.park(0)
    exchange.task.cancel()
    await store.parked()
    while not exchange.task.done():
        exchange.task.cancel()
        await asyncio.sleep(0)
    store.release()
    await visitor.app.sessions.close()  # type: ignore[attr-defined]
    await visitor.get("/look")
    assert pages.seen == [AFTER]


@in_loop
async def test_the_stores_are_closed_when_what_is_on_its_way_has_come() -> None:
    store, pages = ParkingStore(), Pages()
    app = middleware(pages, store=store)
    visitor = Visitor(app)
    await visitor.get("/start")
    store.park(2)
    exchange = visitor.ask("/late")
    await store.parked()
    store.park(0)
    exchange.task.cancel()
    await store.parked()
    closing = asyncio.ensure_future(app.sessions.close())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not closing.done()
    store.release()
    await closing
    await exchange.error()
    await visitor.get("/look")
    assert pages.seen == [AFTER]


@in_loop
async def test_a_late_change_that_cannot_be_kept_is_noted_on_the_error_that_ended_the_request() -> None:
    async def stream(scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        if scope["path"] == "/start":
            session["list"] = [1]
            await answer(send)
            return
        assert session["list"]
        await begin(send)
        session["list"].append(2)
        store.down = True
        raise ZeroDivisionError

    store = ParkingStore()
    for options, note in (({"store": store}, "the store is down"), ({}, "the headers of this response are gone")):
        visitor = Visitor(middleware(stream, **options))
        await visitor.get("/start")
        error = await visitor.ask("/stream").error()
        assert isinstance(error, ZeroDivisionError)
        (said,) = error.__notes__
        assert said.startswith("What the session was changed to is lost: ") and note in said


@in_loop
async def test_a_save_that_took_too_long_is_made_again_and_counts_once() -> None:
    """`asyncio.timeout` cancels it, and the handler of the error is where it is tried again."""
    store, counted = ParkingStore(), asyncio.Event()

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        if scope["type"] == "http":
            session.setdefault("count", 0)
            await answer(send, str(session["count"]))
            return
        await send({"type": "websocket.accept"})
        session["count"] += 1
        store.park(1, done=True)
        try:
            async with asyncio.timeout(None) as patience:
                waiting = asyncio.ensure_future(store.parked())
                waiting.add_done_callback(lambda _: patience.reschedule(0))
                await session.save()
        except TimeoutError:
            store.release()
            assert await session.save() is True
        counted.set()

    rules = {"count": lambda was, mine, theirs: theirs + mine - (was or 0)}
    visitor = Visitor(middleware(serve, store=store, merge=rules))
    await visitor.get()
    await visitor.connect().end()
    assert counted.is_set()
    assert (await visitor.get()).text == "1"


def test_requests_that_are_cancelled_at_any_moment_leave_redis_and_the_others_in_order(
    redis_server: RedisServer,
) -> None:
    """The connections are shared: an answer that nobody waited for is never taken for another's."""

    @in_loop
    async def program() -> None:
        async def page(scope: Any, receive: Any, send: Any) -> None:
            session = session_of(scope)
            name = scope["path"]
            entered.release()
            if "name" not in session:
                session.update(name=name, one=0, two=0)
            assert session["name"] == name and session["one"] == session["two"]
            session.update(one=session["one"] + 1, two=session["two"] + 1)
            await begin(send)
            session["late"] = session["one"]
            await piece(send, f"{session['name']} {session['one']}", more=False)

        entered = asyncio.Semaphore(0)
        app = middleware(page, store=redis_server.url(query=f"?timeout={PATIENCE}"))
        visitors = {f"/{number}": Visitor(app) for number in range(8)}
        for name, visitor in visitors.items():
            await visitor.get(name)
        for turns in range(24):
            entered = asyncio.Semaphore(0)
            exchanges = [visitor.ask(name) for name, visitor in visitors.items()]
            # In a third of the rounds they are cancelled while they load, and else from where the pages begin.
            for _ in exchanges if turns % 3 else ():
                await entered.acquire()
            for _ in range(turns):
                await asyncio.sleep(0)
            for exchange in exchanges[turns % 2 :: 2]:
                exchange.task.cancel()
            errors = [await exchange.error() for exchange in exchanges]
            assert all(error is None or isinstance(error, asyncio.CancelledError) for error in errors), errors
        for name, visitor in visitors.items():
            found = (await visitor.get(name)).text.split(" ")
            assert found[0] == name
            assert 13 < int(found[1]) <= 26
        await app.sessions.close()

    program()
