"""What is changed while a body is sent is kept before its end where a store exists, and is else an error."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientPayloadError, web
from aiohttp_host.served import Client, Handler, comes_to, look, put, serving, shop, text
from asgi.exchange import in_loop

from coatcheck import Kind, Reason
from coatcheck.aiohttp import get_session
from coatcheck.testing import AsyncFailingStore


async def written(request: web.Request) -> web.StreamResponse:
    """A stream that the handler writes."""
    session = await get_session(request)
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"one")
    session["late"] = True
    await response.write(b"two")
    return response


async def generated(request: web.Request) -> web.StreamResponse:
    """A stream that aiohttp takes from a generator, when the handler is done."""
    session = await get_session(request)

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        session["late"] = True
        yield b"two"

    return web.Response(body=body())


async def asking_late(request: web.Request) -> web.StreamResponse:
    """A stream that asks for the session when the headers are gone."""

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        (await get_session(request))["late"] = True
        yield b"two"

    return web.Response(body=body())


STREAMS = pytest.mark.parametrize("stream", [written, generated, asking_late])


async def get(client: Client) -> tuple[str, bool]:
    """Gives what came of the stream, and whether its end came."""
    async with client.get("/stream") as answer:
        assert answer.headers["Vary"] == "Cookie"
        received = b""
        try:
            async for piece in answer.content.iter_any():
                received += piece
        except ClientPayloadError:
            return received.decode(), False
        return received.decode(), True


@STREAMS
@in_loop
async def test_a_late_change_is_kept_where_a_store_exists(stream: Handler, store: AsyncFailingStore) -> None:
    async with serving(shop({"stream": stream}), store=store, revocations="memory:") as client:
        await text(client, "/put")
        assert await get(client) == ("onetwo", True)
        assert await text(client, "/look") == "{'user': 'ann', 'late': True}"


@STREAMS
@pytest.mark.parametrize("begun", [True, False], ids=["a session", "no session"])
@in_loop
async def test_a_late_change_breaks_the_stream_where_none_exists(
    stream: Handler, begun: bool, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Any] = []
    async with serving(shop({"stream": stream}), on_event=told.append) as client:
        if begun:
            await text(client, "/put")
        assert await get(client) == ("one", False)
        assert await text(client, "/look") == ("{'user': 'ann'}" if begun else "{}")
    assert (Kind.DROPPED, Reason.LATE) in [(event.kind, event.reason) for event in told]
    assert "the headers of this response are gone" in caplog.text


@STREAMS
@in_loop
async def test_the_end_is_not_sent_where_the_change_cannot_be_kept(stream: Handler, store: AsyncFailingStore) -> None:
    async def failing(request: web.Request) -> web.StreamResponse:
        session = await get_session(request)
        session.get("user")
        response = await stream(request)
        if response.prepared:
            store.down = True
        else:
            body: Any = response.body  # type: ignore[attr-defined]

            async def write(writer: Any, *, go_on: Any = body.write) -> None:
                await go_on(writer)
                store.down = True

            body.write = write
        return response

    async with serving(shop({"stream": failing}), store=store) as client:
        await text(client, "/put")
        assert await get(client) == ("onetwo", False)
        store.down = False
        assert await text(client, "/look") == "{'user': 'ann'}"


@in_loop
async def test_a_stream_that_changes_nothing_asks_the_store_once(store: AsyncFailingStore) -> None:
    async def quiet(request: web.Request) -> web.Response:
        session = await get_session(request)

        async def body() -> AsyncIterator[bytes]:
            yield look(session).encode()

        return web.Response(body=body())

    async with serving(shop({"quiet": quiet}), store=store, revocations="memory:") as client:
        await text(client, "/put")
        store.calls.clear()
        assert await text(client, "/quiet") == "{'user': 'ann'}"
        assert store.calls == ["read"]


@in_loop
async def test_a_stream_begins_a_session_before_its_first_byte(store: AsyncFailingStore) -> None:
    async def begin(request: web.Request) -> web.StreamResponse:
        put(await get_session(request))
        return await written(request)

    async with serving(shop({"begin": begin}), store=store) as client:
        assert await text(client, "/begin") == "onetwo"
        assert await text(client, "/look") == "{'user': 'ann', 'late': True}"


@in_loop
async def test_a_client_that_is_gone_is_no_reason_to_forget_a_change(store: AsyncFailingStore) -> None:
    gone, done = asyncio.Event(), asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        session = await get_session(request)
        response = web.StreamResponse()
        await response.prepare(request)
        session["seen"] = True
        await response.write(b"one")
        try:
            await gone.wait()
            while True:
                await response.write(b"more" * 10000)
                await asyncio.sleep(0)
        finally:
            done.set()

    async with serving(shop({"endless": endless}), store=store) as client:
        await text(client, "/put")
        answer = await client.get("/endless")
        assert await answer.content.readany() == b"one"
        answer.close()
        gone.set()
        await done.wait()
        assert await comes_to(client, "/look", "{'user': 'ann', 'seen': True}")


@in_loop
async def test_a_generator_that_fails_sends_no_end_and_keeps_what_it_had_changed(store: AsyncFailingStore) -> None:
    async def half(request: web.Request) -> web.Response:
        session = await get_session(request)

        async def body() -> AsyncIterator[bytes]:
            session["late"] = True
            yield b"one"
            raise LookupError

        return web.Response(body=body())

    async with serving(shop({"stream": half}), store=store) as client:
        await text(client, "/put")
        assert await get(client) == ("one", False)
        assert await text(client, "/look") == "{'user': 'ann', 'late': True}"


class Pipe(io.RawIOBase):
    """Something to read of which nobody knows how long it is."""

    def __init__(self) -> None:
        self._left = [b"two", b"one"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._left.pop() if self._left else b""
        buffer[: len(piece)] = piece
        return len(piece)


@in_loop
async def test_a_file_of_unknown_length_is_closed_as_ever() -> None:
    pipe = Pipe()

    async def read(request: web.Request) -> web.Response:
        return web.Response(body=io.BufferedReader(pipe))

    async with serving(shop({"stream": read})) as client:
        assert await get(client) == ("onetwo", True)
    assert pipe.closed


@in_loop
async def test_the_body_is_still_the_application_s_to_look_at(store: AsyncFailingStore) -> None:
    """A payload of unknown size is wrapped; what it says of itself stays."""

    async def typed(request: web.Request) -> web.Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"1,2"

        return web.Response(body=body(), content_type="text/csv")

    async with serving(shop({"typed": typed}), store=store) as client, client.get("/typed") as answer:
        assert answer.content_type == "text/csv"
        assert await answer.text() == "1,2"
