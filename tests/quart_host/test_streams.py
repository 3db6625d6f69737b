"""What is changed while a body is sent is kept before its end where a store exists, and is else an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest
import quart.globals
from aiohttp import ClientPayloadError, ClientSession
from asgi.exchange import in_loop
from quart import Quart, Response, copy_current_request_context, stream_with_context
from quart.signals import request_tearing_down
from quart_host.served import serving, shop, text

from coatcheck import Kind, Reason, UsageError
from coatcheck.quart import session
from coatcheck.testing import AsyncFailingStore


def streaming(**options: Any) -> Quart:
    """Gives an application with `/stream`, which changes the session between two pieces."""
    app = shop(**options)

    @app.get("/stream")
    async def stream() -> Response:
        @stream_with_context
        async def body() -> AsyncIterator[str]:
            yield "one"
            session["late"] = True
            yield "two"

        return Response(body())

    return app


async def get(client: ClientSession) -> tuple[str, bool]:
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


@in_loop
async def test_a_late_change_is_kept_where_a_store_exists(store: AsyncFailingStore) -> None:
    async with serving(streaming(store=store)) as client:
        await text(client, "/put")
        assert await get(client) == ("onetwo", True)
        assert await text(client, "/look") == "{'user': 'ann', 'late': True}"


@pytest.mark.parametrize("begun", [True, False], ids=["a session", "no session"])
@in_loop
async def test_a_late_change_breaks_the_stream_where_none_exists(begun: bool) -> None:
    told: list[Any] = []
    async with serving(streaming(on_event=told.append)) as client:
        if begun:
            await text(client, "/put")
        assert await get(client) == ("one", False)
        assert await text(client, "/look") == ("{'user': 'ann'}" if begun else "{}")
    assert (Kind.DROPPED, Reason.LATE) in [(event.kind, event.reason) for event in told]


@in_loop
async def test_the_end_is_not_sent_where_the_change_cannot_be_kept(store: AsyncFailingStore) -> None:
    app = shop(store=store)

    @app.get("/stream")
    async def stream() -> Response:
        @stream_with_context
        async def body() -> AsyncIterator[str]:
            yield "one"
            session["late"] = True
            store.down = True

        return Response(body())

    async with serving(app) as client:
        await text(client, "/put")
        assert await get(client) == ("one", False)
        store.down = False
        assert await text(client, "/look") == "{'user': 'ann'}"


@in_loop
async def test_a_client_that_is_gone_is_no_reason_to_forget_a_change(store: AsyncFailingStore) -> None:
    app, gone, done = shop(store=store), asyncio.Event(), asyncio.Event()

    @app.get("/endless")
    async def endless() -> Response:
        @stream_with_context
        async def body() -> AsyncIterator[str]:
            session["seen"] = True
            yield "one"
            await gone.wait()
            while True:
                yield "more"

        return Response(body())

    # When all that the application has for the end of a request is done.
    async def end(_: Quart, exc: BaseException | None) -> None:
        if exc is not None:
            done.set()

    with request_tearing_down.connected_to(end, app):
        async with serving(app) as client:
            await text(client, "/put")
            answer = await client.get("/endless")
            assert await answer.content.readany() == b"one"
            answer.close()
            await done.wait()
            assert await text(client, "/look") == "{'user': 'ann', 'seen': True}"


@in_loop
async def test_a_sync_generator_is_streamed_too(store: AsyncFailingStore) -> None:
    app = shop(store=store)

    @app.get("/stream")
    async def stream() -> Response:
        def body() -> Iterator[str]:
            yield from "abc"

        return Response(body())

    async with serving(app) as client:
        assert await get(client) == ("abc", True)


# Tasks

# Before 0.23, a task that is added has the request that it was added in.
TAKES_THE_REQUEST = hasattr(quart.globals, "_cv_request")
KINDS = ["copied", "added and copied", *(["added", "added sync"] if TAKES_THE_REQUEST else [])]


def carried(work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[..., Any]:
    """Gives the task with its request, as lightly as this version of Quart does that."""
    return work if TAKES_THE_REQUEST else copy_current_request_context(work)


@pytest.mark.parametrize("kind", KINDS)
@in_loop
async def test_what_a_background_task_changes_is_kept_where_a_store_exists(kind: str, store: AsyncFailingStore) -> None:
    app, answered = shop(store=store), asyncio.Event()
    tasks: list[Any] = []

    @app.get("/order")
    async def order() -> str:
        async def work() -> None:
            await answered.wait()
            session["worked"] = True

        def work_in_a_thread() -> None:
            session["worked"] = True

        if kind == "copied":
            tasks.append(asyncio.create_task(copy_current_request_context(work)()))
        else:
            kinds = {"added": work, "added sync": work_in_a_thread}
            app.add_background_task(kinds.get(kind) or copy_current_request_context(work))
            tasks.extend(app.background_tasks)
        return str(session["user"])

    async with serving(app) as client:
        await text(client, "/put")
        assert await text(client, "/order") == "ann"
        answered.set()
        await asyncio.gather(*tasks)
        assert await text(client, "/look") == "{'user': 'ann', 'worked': True}"


@in_loop
async def test_what_a_background_task_changes_is_an_error_where_none_exists(caplog: pytest.LogCaptureFixture) -> None:
    app, answered = shop(), asyncio.Event()
    tasks: list[Any] = []
    problems: list[UsageError] = []

    @app.get("/order")
    async def order() -> str:
        async def work() -> None:
            await answered.wait()
            try:
                session["worked"] = True
            except UsageError as error:
                problems.append(error)
                raise

        app.add_background_task(carried(work))
        tasks.extend(app.background_tasks)
        return str(session["user"])

    async with serving(app) as client:
        await text(client, "/put")
        await text(client, "/order")
        answered.set()
        await asyncio.gather(*tasks)
        assert await text(client, "/look") == "{'user': 'ann'}"
    assert len(problems) == 1
    assert "the headers of this response are gone" in caplog.text


@in_loop
async def test_a_task_that_fails_keeps_what_it_had_changed(
    store: AsyncFailingStore, caplog: pytest.LogCaptureFixture
) -> None:
    app, answered = shop(store=store), asyncio.Event()
    tasks: list[Any] = []

    @app.get("/order")
    async def order() -> str:
        async def work() -> None:
            await answered.wait()
            session["worked"] = True
            raise LookupError("half way")

        app.add_background_task(carried(work))
        tasks.extend(app.background_tasks)
        return str(session["user"])

    async with serving(app) as client:
        await text(client, "/put")
        await text(client, "/order")
        answered.set()
        await asyncio.gather(*tasks)
        assert await text(client, "/look") == "{'user': 'ann', 'worked': True}"
    assert "half way" in caplog.text


@in_loop
async def test_a_background_task_outside_of_a_request_has_no_session() -> None:
    app, done = shop(), []

    async def work() -> None:
        with pytest.raises((RuntimeError, AttributeError)):
            session["worked"] = True
        done.append(True)

    async with serving(app) as client:
        app.add_background_task(work)
        await asyncio.gather(*app.background_tasks)
        assert await text(client, "/look") == "{}"
    assert done
