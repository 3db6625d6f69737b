"""A websocket has the session of its handshake, and loses no change in silence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSServerHandshakeError
from asgi.exchange import in_loop
from kit import attributes
from quart import Quart, abort, websocket
from quart_host.served import connected, serving, shop, text

from coatcheck import Kind, Reason, UsageError
from coatcheck.quart import session
from coatcheck.testing import AsyncFailingStore


async def handshake(app: Quart, path: str) -> list[Any]:
    """Gives what an application says to a handshake by https on a server that cannot send the response of a refusal."""
    scope: Any = {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "scheme": "wss",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"shop.example")],
    }
    sent: list[Any] = []
    closed = asyncio.Event()

    async def receive() -> Any:
        await closed.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "websocket.close":
            closed.set()

    await app(scope, receive, send)
    return sent


STORAGE = pytest.mark.parametrize("options", [{}, {"store": "memory:"}], ids=["cookie", "store"])


def talking(**options: Any) -> Quart:
    """Gives an application with `/socket`, which sets what it is told, and answers where it is asked to."""
    app = shop(**options)

    @app.websocket("/socket")
    async def socket() -> None:
        if websocket.args.get("begin"):
            session["begun"] = True
        while True:
            message = str(await websocket.receive())
            if message == "look":
                await websocket.send(str(dict(session)))
            elif message == "save":
                await websocket.send(str(await session.save()))
            elif message == "fail":
                raise LookupError
            elif message == "end":
                return
            else:
                session[message] = True

    @app.get("/out")
    async def out() -> str:
        session.destroy()
        return "out"

    return app


async def say(ws: ClientWebSocketResponse, *messages: str) -> list[str]:
    answers = []
    for message in messages:
        await ws.send_str(message)
        if message in ("look", "save"):
            answers.append(await ws.receive_str())
    return answers


@STORAGE
@in_loop
async def test_it_sees_the_session_of_its_handshake(options: dict[str, Any]) -> None:
    app = talking(**options)
    async with serving(app) as client:
        await text(client, "/put")
        async with connected(app, client, "/socket") as ws:
            assert await say(ws, "look") == ["{'user': 'ann'}"]


@STORAGE
@in_loop
async def test_a_session_may_begin_with_the_handshake(options: dict[str, Any]) -> None:
    app = talking(**options)
    async with serving(app) as client:
        async with connected(app, client, "/socket?begin=1") as ws:
            assert await say(ws, "look") == ["{'begun': True}"]
        assert await text(client, "/look") == "{'begun': True}"


@in_loop
async def test_it_saves_when_it_is_told_to(store: AsyncFailingStore) -> None:
    app = talking(store=store)
    async with serving(app) as client:
        await text(client, "/put")
        async with connected(app, client, "/socket") as ws:
            assert await say(ws, "seen", "save") == ["True"]
            assert await text(client, "/look") == "{'user': 'ann', 'seen': True}"


@pytest.mark.parametrize("end", ["closed", "ended", "failed"])
@in_loop
async def test_what_it_changed_is_kept_however_it_ends(end: str, store: AsyncFailingStore) -> None:
    app = talking(store=store)
    async with serving(app) as client:
        await text(client, "/put")
        async with connected(app, client, "/socket") as ws:
            await say(ws, "seen", "look")
            if end != "closed":
                await ws.send_str("fail" if end == "failed" else "end")
                await ws.receive()
        assert await text(client, "/look") == "{'user': 'ann', 'seen': True}"


@in_loop
async def test_a_change_without_a_store_is_an_error_that_says_so() -> None:
    told: list[Any] = []
    app = talking(on_event=told.append)
    problems: list[str] = []

    @app.websocket("/late")
    async def late() -> None:
        await websocket.accept()
        try:
            session["user"] = "bob"
        except UsageError as error:
            problems.append(str(error))
        session["cart"].append("pear")

    @app.get("/cart")
    async def cart() -> str:
        session["cart"] = []
        return ""

    async with serving(app) as client:
        await text(client, "/cart")
        async with client.ws_connect("/late") as ws:
            await ws.receive()
        assert await text(client, "/look") == "{'cart': []}"
    assert len(problems) == 1
    assert "the headers of this response are gone" in problems[0]
    late_events = [event for event in told if (event.kind, event.reason) == (Kind.DROPPED, Reason.LATE)]
    assert len(late_events) == 2, "one for each change"


@in_loop
async def test_a_session_that_was_ended_meanwhile_stays_ended(store: AsyncFailingStore) -> None:
    app = talking(store=store)
    async with serving(app) as client:
        await text(client, "/put")
        async with connected(app, client, "/socket") as ws:
            assert await say(ws, "seen", "look") == ["{'user': 'ann', 'seen': True}"]
            await text(client, "/out")
            assert await say(ws, "save", "look") == ["False", "{}"]
        assert await text(client, "/look") == "{}"


@in_loop
async def test_tasks_of_one_websocket_begin_one_session(store: AsyncFailingStore) -> None:
    """One sends while the other waits for the first message, and both would accept."""
    app = shop(store=store)

    @app.websocket("/both")
    async def both() -> None:
        session["begun"] = True

        async def listen() -> None:
            await websocket.receive()

        async def speak() -> None:
            await websocket.send("hello")

        await asyncio.gather(listen(), speak())

    async with serving(app) as client:
        async with connected(app, client, "/both") as ws:
            assert await ws.receive_str() == "hello"
            await ws.send_str("bye")
        assert store.calls == ["insert"]
        assert await text(client, "/look") == "{'begun': True}"


@STORAGE
@in_loop
async def test_a_response_that_refuses_it_carries_the_session(options: dict[str, Any]) -> None:
    app = talking(**options)

    @app.websocket("/refused")
    async def refused() -> None:
        session["refused"] = True
        abort(403)

    async with serving(app) as client:
        with pytest.raises(WSServerHandshakeError) as caught:
            await client.ws_connect("/refused")
        assert caught.value.status == 403
        headers = caught.value.headers
        assert headers is not None
        assert headers["Cache-Control"] == "no-store"
        client.cookie_jar.update_cookies({"session": headers["Set-Cookie"].partition(";")[0].partition("=")[2]})
        assert await text(client, "/look") == "{'refused': True}"


@in_loop
async def test_where_no_headers_leave_at_all_a_change_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    app = shop()

    @app.websocket("/silent")
    async def silent() -> None:
        session["lost"] = True

    async with serving(app) as client:
        with pytest.raises(WSServerHandshakeError):
            await client.ws_connect("/silent")
    assert "as when a websocket is refused" in caplog.text


@in_loop
async def test_a_server_that_cannot_send_the_refusal_makes_it_an_error_too() -> None:
    app = shop()

    @app.websocket("/refused")
    async def refused() -> None:
        session["refused"] = True
        abort(403)

    problem = pytest.RaisesExc(UsageError, match="as when a websocket is refused")
    with pytest.RaisesGroup(problem, allow_unwrapped=True, flatten_subgroups=True):
        await handshake(app, "/refused")


@in_loop
async def test_by_https_the_cookie_of_the_handshake_is_secure() -> None:
    app = shop()

    @app.websocket("/begin")
    async def begin() -> None:
        session["begun"] = True
        await websocket.accept({"X-Theirs": "1"}, "chat")

    accepted, closed = await handshake(app, "/begin")
    assert (accepted["type"], accepted["subprotocol"], closed["type"]) == (
        "websocket.accept",
        "chat",
        "websocket.close",
    )
    headers = {name.decode(): value.decode() for name, value in accepted["headers"]}
    assert headers["x-theirs"] == "1"
    assert headers["cache-control"] == "no-store"
    assert "secure" in attributes(headers["set-cookie"])


@pytest.mark.parametrize("when", ["at the look", "at the handshake"])
@in_loop
async def test_a_store_that_fails_refuses_the_handshake(when: str, store: AsyncFailingStore) -> None:
    app = talking(store=store)

    @app.websocket("/failing")
    async def failing() -> None:
        session["seen"] = True
        store.down = True
        await websocket.accept()

    async with serving(app) as client:
        await text(client, "/put")
        store.down = when == "at the look"
        with pytest.raises(WSServerHandshakeError) as caught:
            await client.ws_connect("/failing")
        assert caught.value.status == 503
        store.down = False
        assert await text(client, "/look") == "{'user': 'ann'}"
