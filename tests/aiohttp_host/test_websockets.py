"""A websocket has the session of its handshake, and loses no change in silence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError, web
from aiohttp_host.served import Handler, comes_to, look, put, serving, shop, text
from asgi.exchange import in_loop

from coatcheck import Kind, Reason, UsageError
from coatcheck.aiohttp import get_session
from coatcheck.testing import AsyncFailingStore


async def socket(request: web.Request) -> web.WebSocketResponse:
    """Sets what it is told; says what there is where it is asked; saves where it is told to."""
    session = await get_session(request)
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        if message.data == "look":
            await ws.send_str(look(session))
        elif message.data == "save":
            await ws.send_str(str(await session.save()))
        elif message.data == "fail":
            raise LookupError
        else:
            session[message.data] = True
    return ws


async def say(ws: ClientWebSocketResponse, *messages: str) -> list[str]:
    answers = []
    for message in messages:
        await ws.send_str(message)
        if message in ("look", "save"):
            answers.append(await ws.receive_str())
    return answers


STORAGE = pytest.mark.parametrize("options", [{}, {"store": "memory:"}], ids=["cookie", "store"])


@STORAGE
@in_loop
async def test_it_sees_the_session_of_its_handshake(options: dict[str, Any]) -> None:
    async with serving(shop({"socket": socket}), **options) as client:
        await text(client, "/put")
        async with client.ws_connect("/socket") as ws:
            assert await say(ws, "look") == ["{'user': 'ann'}"]


@STORAGE
@in_loop
async def test_a_session_may_begin_with_the_handshake(options: dict[str, Any]) -> None:
    async def begin(request: web.Request) -> web.WebSocketResponse:
        put(await get_session(request))
        return await socket(request)

    async with serving(shop({"socket": begin}), **options) as client:
        async with client.ws_connect("/socket") as ws:
            assert await say(ws, "look") == ["{'user': 'ann'}"]
        assert await text(client, "/look") == "{'user': 'ann'}"


@in_loop
async def test_it_saves_when_it_is_told_to(store: AsyncFailingStore) -> None:
    async with serving(shop({"socket": socket}), store=store) as client:
        await text(client, "/put")
        async with client.ws_connect("/socket") as ws:
            assert await say(ws, "seen", "save") == ["True"]
            assert await text(client, "/look") == "{'user': 'ann', 'seen': True}"
            assert await say(ws, "more", "save") == ["True"]
        assert await text(client, "/look") == "{'user': 'ann', 'seen': True, 'more': True}"


async def _failing(request: web.Request) -> web.StreamResponse:
    try:
        return await socket(request)
    finally:
        request.app[ENDED].set()


ENDED = web.AppKey("ended", asyncio.Event)


@pytest.mark.parametrize("end", ["closed", "lost", "failed"])
@in_loop
async def test_what_it_changed_is_kept_however_it_ends(end: str, store: AsyncFailingStore) -> None:
    app = shop({"socket": _failing})
    app[ENDED] = asyncio.Event()
    async with serving(app, store=store) as client:
        await text(client, "/put")
        ws = await client.ws_connect("/socket")
        await say(ws, "seen", "look")
        if end == "failed":
            await ws.send_str("fail")
            assert (await ws.receive()).type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING)
        elif end == "lost":
            transport = ws.get_extra_info("socket")
            assert transport is not None
            response: Any = ws._response  # noqa: SLF001  # the client cannot hang up otherwise
            response.connection.transport.abort()
        await ws.close()
        await app[ENDED].wait()
        assert await comes_to(client, "/look", "{'user': 'ann', 'seen': True}")


@in_loop
async def test_a_task_that_is_cancelled_keeps_it_too(store: AsyncFailingStore) -> None:
    """As aiohttp does where `handler_cancellation` is on, and when the server stops."""
    asked: list[asyncio.Task[Any]] = []

    async def told(request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        asked.append(task)
        return await socket(request)

    async with serving(shop({"socket": told}), store=store) as client:
        await text(client, "/put")
        ws = await client.ws_connect("/socket")
        await say(ws, "seen", "look")
        asked[0].cancel()
        await asyncio.wait(asked)
        await ws.close()
        assert await text(client, "/look") == "{'user': 'ann', 'seen': True}"


@in_loop
async def test_a_change_without_a_store_is_an_error_that_says_so() -> None:
    problems: list[str] = []
    told: list[Any] = []

    async def change(request: web.Request) -> web.WebSocketResponse:
        session = await get_session(request)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        try:
            session["user"] = "bob"
        except UsageError as error:
            problems.append(str(error))
        session["cart"].append("pear")
        return ws

    def cart(session: Any) -> None:
        session["cart"] = []

    async with serving(shop({"socket": change, "cart": _page(cart)}), on_event=told.append) as client:
        await text(client, "/cart")
        async with client.ws_connect("/socket") as ws:
            assert (await ws.receive()).type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING)
        assert await text(client, "/look") == "{'cart': []}"
    assert len(problems) == 1
    assert "the headers of this response are gone" in problems[0]
    late = [event for event in told if (event.kind, event.reason) == (Kind.DROPPED, Reason.LATE)]
    assert len(late) == 2, "one for each change"


def _page(view: Any) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=str(view(await get_session(request))))

    return handler


@in_loop
async def test_a_session_that_was_ended_meanwhile_stays_ended(store: AsyncFailingStore) -> None:
    async with serving(
        shop({"socket": socket, "out": _page(lambda session: session.destroy())}), store=store
    ) as client:
        await text(client, "/put")
        async with client.ws_connect("/socket") as ws:
            assert await say(ws, "seen", "look") == ["{'user': 'ann', 'seen': True}"]
            await text(client, "/out")
            assert await say(ws, "save", "look") == ["False", "{}"]
        assert await text(client, "/look") == "{}"


@in_loop
async def test_a_store_that_fails_refuses_the_handshake(store: AsyncFailingStore) -> None:
    async def looking(request: web.Request) -> web.StreamResponse:
        (await get_session(request))["seen"] = True
        return await socket(request)

    async with serving(shop({"socket": looking}), store=store) as client:
        await text(client, "/put")
        store.down = True
        with pytest.raises(WSServerHandshakeError) as caught:
            await client.ws_connect("/socket")
        assert caught.value.status == 503
        store.down = False
        assert await text(client, "/look") == "{'user': 'ann'}"
