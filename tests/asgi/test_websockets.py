"""A websocket has the session of its handshake, may save at any time, and loses no change in silence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from asgi.exchange import App, Exchange, Visitor, answer, in_loop, middleware, session_of
from asgi.parking import ParkingStore

from coatcheck import Session, UsageError
from coatcheck.asgi import AsyncSession
from coatcheck.testing import Clock

Serve: TypeAlias = Callable[[AsyncSession, str], Awaitable[object]]
LATE = "the headers of this response are gone"


def site(serve: Serve, *, early: Callable[[Session], object] = lambda session: None) -> App:
    """Gives an application: pages at `/start`, `/look`, `/logout` and `/login`; a websocket that answers each message
    with what `serve` makes of it, and does `early` before it is accepted."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        if scope["type"] == "http":
            await page(session, scope["path"], send)
            return
        assert (await receive())["type"] == "websocket.connect"
        early(session)
        if scope["path"] == "/denied":
            headers = [(b"content-length", b"2"), (b"cache-control", b"public")]
            await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": b"no"})
            return
        await send({"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"x-shop", b"open")]})
        while (message := await receive())["type"] == "websocket.receive":
            if message["text"] == "bye":
                await send({"type": "websocket.close", "code": 1000})
                return
            await send({"type": "websocket.send", "text": f"{await serve(session, message['text'])};"})

    async def page(session: Session, path: str, send: Any) -> None:
        if path == "/start":
            session.update(user="ann", list=[])
        elif path == "/logout":
            session.destroy()
        elif path == "/login":
            session.regenerate()
            session["secret"] = 1
        elif path.startswith("/set/"):
            session[path[5:]] = True
        await answer(send, json.dumps(dict(session)))

    return app


async def put(session: AsyncSession, key: str) -> object:
    session[key] = True
    return "put"


async def put_and_save(session: AsyncSession, key: str) -> object:
    session[key] = True
    return await session.save()


async def append(session: AsyncSession, text: str) -> object:
    session["list"].append(text)
    return "appended"


async def show(session: AsyncSession, _: str) -> object:
    return dict(session)


async def tell(socket: Exchange, *texts: str) -> str:
    """Sends messages to a websocket, and gives its answer to the last."""
    for text in texts:
        count = len([message for message in socket.sent if message["type"] == "websocket.send"])
        socket.say(text)
        answered = await socket.until("websocket.send", count + 1)
    return str(answered["text"])


async def visitor_of(app: App, **options: Any) -> Visitor:
    """Gives somebody who has a session."""
    visitor = Visitor(middleware(app, **options))
    await visitor.get("/start")
    return visitor


async def content(visitor: Visitor) -> Any:
    return json.loads((await visitor.get("/look")).text)


each_storage = pytest.mark.parametrize("stored", [False, True], ids=["cookie", "store"])


def storage(stored: bool) -> dict[str, Any]:
    return {"store": ParkingStore()} if stored else {}


@each_storage
@in_loop
async def test_a_websocket_has_the_session_of_its_handshake(stored: bool) -> None:
    visitor = await visitor_of(site(show), **storage(stored))
    socket = visitor.connect()
    await visitor.get("/set/later")
    assert await tell(socket, "look") == "{'user': 'ann', 'list': []};"
    socket.say("bye")
    await socket.end()
    assert socket.sent[-1] == {"type": "websocket.close", "code": 1000}


@each_storage
@in_loop
async def test_who_begins_a_session_in_a_handshake_gets_its_cookie(stored: bool) -> None:
    app = site(show, early=lambda session: session.update(user="bob"))
    visitor = Visitor(middleware(app, **storage(stored)))
    socket = visitor.connect()
    message = await socket.until("websocket.accept")
    assert message["subprotocol"] == "chat"
    assert (b"x-shop", b"open") in message["headers"]
    visitor.keep(socket)
    socket.leave("websocket.disconnect")
    await socket.end()
    assert await content(visitor) == {"user": "bob"}
    assert socket.header("cache-control") == ["no-store"]


@each_storage
@in_loop
async def test_a_handshake_that_is_denied_sets_its_cookie_too(stored: bool) -> None:
    app = site(show, early=lambda session: session.update(tries=1))
    visitor = Visitor(middleware(app, **storage(stored)))
    socket = await visitor.connect("/denied", extensions=("websocket.http.response",)).end()
    visitor.keep(socket)
    assert (socket.status, socket.header("cache-control")) == (403, ["no-store"])
    assert await content(visitor) == {"tries": 1}


@each_storage
@in_loop
async def test_a_websocket_that_does_not_look_costs_nothing(stored: bool) -> None:
    async def nothing(session: AsyncSession, _: str) -> object:
        return await session.save()

    options = storage(stored)
    visitor = await visitor_of(site(nothing), **options)
    visitor.cookies.clear()
    store = options.get("store", ParkingStore())
    store.calls.clear()
    socket = visitor.connect()
    assert await tell(socket, "hello") == "True;"
    socket.leave("websocket.disconnect")
    await socket.end()
    assert store.calls == []
    assert socket.cookies == {}


# Sealed in the cookie


@in_loop
async def test_without_a_store_a_change_is_an_error_at_once() -> None:
    visitor = await visitor_of(site(put))
    socket = visitor.connect()
    socket.say("key")
    error = await socket.error()
    assert isinstance(error, UsageError) and LATE in str(error)


@pytest.mark.parametrize("end", ["bye", "leave", "save"])
@in_loop
async def test_without_a_store_a_change_deep_inside_is_an_error_when_it_is_to_be_kept(end: str) -> None:
    async def append_or_save(session: AsyncSession, text: str) -> object:
        return await (session.save() if text == "save" else append(session, text))

    visitor = await visitor_of(site(append_or_save))
    socket = visitor.connect()
    await tell(socket, "one")
    if end == "leave":
        socket.leave("websocket.disconnect")
    else:
        socket.say(end)
    error = await socket.error()
    assert isinstance(error, UsageError) and LATE in str(error)
    # The client is not told that all went well.
    assert socket.sent[-1]["type"] != "websocket.close"


# In a store


@in_loop
async def test_a_save_is_seen_at_once() -> None:
    visitor = await visitor_of(site(put_and_save), store=ParkingStore())
    socket = visitor.connect()
    for count, key in enumerate(("one", "two", "three"), 1):
        assert await tell(socket, key) == "True;"
        assert len(await content(visitor)) == 2 + count
    socket.leave("websocket.disconnect")
    await socket.end()


@pytest.mark.parametrize("serve", [put, append])
@pytest.mark.parametrize("end", ["bye", "leave", "cancel", "gone"])
@in_loop
async def test_the_end_of_a_websocket_keeps_the_rest(serve: Serve, end: str) -> None:
    visitor = await visitor_of(site(serve), store=ParkingStore())
    socket = visitor.connect()
    await tell(socket, "one", "two")
    if end == "bye":
        socket.say("bye")
    elif end == "leave":
        socket.leave("websocket.disconnect")
    elif end == "cancel":
        socket.task.cancel()
    else:
        # It notices when it answers.
        socket.gone = True
        socket.say("three")
    error = await socket.error()
    assert error is None if end in ("bye", "leave") else isinstance(error, (asyncio.CancelledError, OSError))
    said = ["one", "two", "three"][: 3 if end == "gone" else 2]
    expected = {"list": said} if serve is append else {"list": [], **dict.fromkeys(said, True)}
    assert await content(visitor) == {"user": "ann", **expected}


@in_loop
async def test_two_websockets_and_a_page_on_one_session_lose_nothing() -> None:
    visitor = await visitor_of(site(put_and_save), store=ParkingStore())
    one, other = visitor.connect(), visitor.connect()
    await one.until("websocket.accept")
    await other.until("websocket.accept")
    for number in range(5):
        answers = await asyncio.gather(
            tell(one, f"one {number}"), tell(other, f"other {number}"), visitor.get(f"/set/page {number}")
        )
        assert set(answers[:2]) == {"True;"}
    expected = {f"{who} {number}" for who in ("one", "other", "page") for number in range(5)}
    assert set(await content(visitor)) == expected | {"user", "list"}
    for socket in (one, other):
        await tell(socket, "last")
        socket.leave("websocket.disconnect")
        await socket.end()


@in_loop
async def test_a_save_shows_what_others_have_kept() -> None:
    async def put_and_show(session: AsyncSession, key: str) -> object:
        await put_and_save(session, key)
        # As a dict, and as an encoder in C reads it.
        assert json.loads(json.dumps(session)) == dict(session)
        return sorted(session)

    visitor = await visitor_of(site(put_and_show), store=ParkingStore())
    socket = visitor.connect()
    await socket.until("websocket.accept")
    await tell(socket, "one")
    await visitor.get("/set/page")
    assert await tell(socket, "two") == "['list', 'one', 'page', 'two', 'user'];"
    socket.leave("websocket.disconnect")
    await socket.end()


@in_loop
async def test_tasks_of_one_websocket_that_save_at_the_same_time_lose_nothing() -> None:
    store = ParkingStore()
    rules = {"count": lambda was, mine, theirs: theirs + mine - (was or 0)}

    async def crowd(session: AsyncSession, _: str) -> object:
        async def count(number: int) -> bool:
            session[f"task {number}"] = True
            session["count"] = session.get("count", 0) + 1
            await asyncio.sleep(0)
            return await session.save()

        return await asyncio.gather(*map(count, range(10)))

    visitor = await visitor_of(site(crowd), store=store, merge=rules)
    one, other = visitor.connect(), visitor.connect()
    await asyncio.gather(tell(one, "go"), tell(other, "go"))
    found = await content(visitor)
    assert {f"task {number}" for number in range(10)} < set(found)
    assert found["count"] == 20
    for socket in (one, other):
        socket.leave("websocket.disconnect")
        await socket.end()


@in_loop
async def test_a_logout_wins_over_a_websocket_that_is_open() -> None:
    visitor = await visitor_of(site(put_and_save), store=ParkingStore())
    socket = visitor.connect()
    await tell(socket, "before")
    stolen = dict(visitor.cookies)
    await visitor.get("/logout")
    assert await tell(socket, "after") == "False;"
    visitor.cookies = stolen
    assert await content(visitor) == {}
    socket.say("once more")
    assert isinstance(await socket.error(), UsageError)
    assert await content(visitor) == {}


@in_loop
async def test_after_a_logout_nothing_is_left_for_the_websocket_to_read() -> None:
    async def put_and_encode(session: AsyncSession, key: str) -> object:
        if key not in session:
            await put_and_save(session, key)
        return json.dumps(session)

    visitor = await visitor_of(site(put_and_encode), store=ParkingStore())
    socket = visitor.connect()
    assert "ann" in await tell(socket, "before")
    await visitor.get("/logout")
    assert await tell(socket, "after") == "{};"
    socket.leave("websocket.disconnect")
    await socket.end()


@in_loop
async def test_a_logout_in_a_websocket_is_one() -> None:
    async def leave(session: AsyncSession, _: str) -> object:
        session.destroy()
        return await session.save()

    visitor = await visitor_of(site(leave), store=ParkingStore())
    other, socket = visitor.connect(), visitor.connect()
    await other.until("websocket.accept")
    assert await tell(socket, "logout") == "True;"
    assert await content(visitor) == {}
    for each in (other, socket):
        each.leave("websocket.disconnect")
        await each.end()


@in_loop
async def test_a_websocket_learns_nothing_of_a_new_id_and_of_what_is_put_there() -> None:
    async def put_and_show(session: AsyncSession, key: str) -> object:
        session[key] = True
        return await session.save(), json.loads(json.dumps(session)), session.handle

    clock = Clock()
    visitor = await visitor_of(site(put_and_show), store=ParkingStore(), clock=clock)
    socket = visitor.connect()
    before = await tell(socket, "before")
    old = dict(visitor.cookies)
    await visitor.get("/login")
    assert visitor.cookies != old
    clock.advance(5)
    during = await tell(socket, "during")
    assert "secret" not in during and "True" in during
    assert during.split(", ")[-1] == before.split(", ")[-1]
    clock.advance(6)
    assert (await tell(socket, "after")).startswith("(False, {}, ")
    assert await content(visitor) == {"user": "ann", "list": [], "before": True, "secret": 1, "during": True}
    socket.leave("websocket.disconnect")
    await socket.end()
    visitor.cookies = old
    assert await content(visitor) == {}


@in_loop
async def test_a_save_before_the_handshake_is_done_keeps_what_can_be_kept() -> None:
    saved: list[object] = []

    async def eager(scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        if scope["type"] == "http":
            session.setdefault("user", "ann")
            await answer(send, json.dumps(session))
            return
        session["early"] = True
        saved.append(await session.save())
        await send({"type": "websocket.accept"})
        session["late"] = True

    visitor = await visitor_of(eager, store=ParkingStore())
    await visitor.connect().end()
    assert saved == [True]
    assert await content(visitor) == {"user": "ann", "early": True, "late": True}
    visitor.cookies.clear()
    error = await visitor.connect().error()
    assert isinstance(error, UsageError)
