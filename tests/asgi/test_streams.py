"""What an application changes while the body of its response is sent, and after it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgi.exchange import App, Exchange, Visitor, answer, begin, in_loop, middleware, piece, session_of
from asgi.parking import ParkingStore
from kit import SECRET
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from coatcheck import Session, UsageError
from coatcheck.asgi import SessionMiddleware
from coatcheck.testing import Clock

LATE = "the headers of this response are gone"
Change = Callable[[Session], object]

CHANGES: dict[str, Change] = {
    "a key": lambda session: session.update(late=True),
    "deep inside": lambda session: session["list"].append("late"),
    "a key less": lambda session: session.pop("user"),
    "permanent": lambda session: setattr(session, "permanent", True),
}
AFTER: dict[str, dict[str, Any]] = {
    "a key": {"user": "ann", "list": [], "late": True},
    "deep inside": {"user": "ann", "list": ["late"]},
    "a key less": {"list": []},
    "permanent": {"user": "ann", "list": [], "_permanent": True},
}
each_change = pytest.mark.parametrize("change", CHANGES)


def site(change: Change, *, hold: asyncio.Event | None = None) -> App:
    """Gives an application that does the change in the midst of `/stream`, and after the end of `/background`."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        session, path = session_of(scope), scope["path"]
        if path == "/start":
            session.update(user="ann", list=[])
        if path != "/stream":
            await answer(send, json.dumps(session))
            if path == "/background":
                change(session)
            return
        await begin(send)
        await piece(send, "first")
        change(session)
        if hold is not None:
            await hold.wait()
        await piece(send, "middle")
        await piece(send, "last", more=False)

    return app


async def visitor_of(app: App, **options: Any) -> Visitor:
    """Gives somebody who has a session."""
    visitor = Visitor(middleware(app, **options))
    await visitor.get("/start")
    return visitor


async def content(visitor: Visitor) -> Any:
    return json.loads((await visitor.get("/look")).text)


@pytest.mark.parametrize("path", ["/stream", "/background"])
@each_change
@in_loop
async def test_a_late_change_is_kept_in_the_store(change: str, path: str) -> None:
    visitor = await visitor_of(site(CHANGES[change]), store=ParkingStore())
    exchange = await visitor.get(path)
    assert exchange.complete
    assert exchange.cookies == {}
    assert await content(visitor) == AFTER[change]


@pytest.mark.parametrize("path", ["/stream", "/background"])
@each_change
@in_loop
async def test_a_late_change_is_an_error_without_a_store(change: str, path: str) -> None:
    visitor = await visitor_of(site(CHANGES[change]))
    exchange = visitor.ask(path)
    error = await exchange.error()
    assert isinstance(error, UsageError) and LATE in str(error)
    # A client that reads a stream sees that it was cut short.
    assert exchange.complete == (path == "/background")
    assert await content(visitor) == {"user": "ann", "list": []}


@in_loop
async def test_a_stream_is_kept_before_its_last_piece_is_sent() -> None:
    """Whoever has read it to its end finds at the next request what it said."""
    store = ParkingStore()
    visitor = await visitor_of(site(CHANGES["a key"]), store=store)
    # The load, and then the two operations of a save.
    store.park(2)
    exchange = visitor.ask("/stream")
    await store.parked()
    assert exchange.text == "firstmiddle"
    store.release()
    await exchange.end()
    assert exchange.text == "firstmiddlelast"


@pytest.mark.parametrize("change", ["a key", "deep inside"])
@in_loop
async def test_a_client_that_is_gone_in_mid_stream_loses_nothing(change: str) -> None:
    hold = asyncio.Event()
    visitor = await visitor_of(site(CHANGES[change], hold=hold), store=ParkingStore())
    exchange = visitor.ask("/stream")
    await exchange.until("http.response.body")
    exchange.leave()
    hold.set()
    assert isinstance(await exchange.error(), OSError)
    assert await content(visitor) == AFTER[change]


@in_loop
async def test_a_stream_that_ends_the_session_has_ended_it() -> None:
    visitor = await visitor_of(site(Session.destroy), store=ParkingStore())
    await visitor.get("/stream")
    assert await content(visitor) == {}


@in_loop
async def test_a_logout_during_a_stream_wins() -> None:
    hold = asyncio.Event()
    visitor = await visitor_of(site(CHANGES["a key"], hold=hold), store=ParkingStore())
    exchange = visitor.ask("/stream")
    await exchange.until("http.response.body")
    logout = Visitor(middleware_of(visitor, Session.destroy))
    logout.cookies = visitor.cookies
    await logout.get("/background")
    hold.set()
    await exchange.end()
    assert await content(visitor) == {}


def middleware_of(visitor: Visitor, change: Change) -> App:
    """Gives another application with the sessions of the first."""
    app = middleware(site(change))
    app.sessions = visitor.app.sessions  # type: ignore[attr-defined]
    return app


@in_loop
async def test_a_response_that_begins_a_session_may_go_on_with_it() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        if scope["path"] == "/look":
            await answer(send, json.dumps(session))
            return
        session["early"] = 1
        await begin(send)
        session["late"] = 1
        await piece(send, "", more=False)
        session["later"] = 1

    visitor = Visitor(middleware(app, store=ParkingStore()))
    await visitor.get("/")
    assert await content(visitor) == {"early": 1, "late": 1, "later": 1}


@pytest.mark.parametrize("stored", [False, True])
@in_loop
async def test_a_stream_may_depend_on_the_session_and_says_so(stored: bool) -> None:
    visitor = await visitor_of(site(lambda session: session["user"]), **({"store": ParkingStore()} if stored else {}))
    exchange = await visitor.get("/stream")
    assert exchange.header("vary") == ["Cookie"]
    assert exchange.complete


@in_loop
async def test_headers_may_come_as_any_iterable() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/untouched":
            session_of(scope)["user"] = "ann"
        headers = (pair for pair in [(b"x-one", b"1"), (b"cache-control", b"public"), (b"content-length", b"0")])
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await piece(send, "", more=False)

    for path in ("/untouched", "/page"):
        (start, _) = (await Exchange(middleware(app), path=path).end()).sent
        found = dict(start["headers"])
        assert (found[b"x-one"], found[b"content-length"]) == (b"1", b"0")
        assert found[b"cache-control"] == (b"public" if path == "/untouched" else b"no-store")


@in_loop
async def test_a_response_without_headers_gets_those_of_the_session() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        session_of(scope)["user"] = "ann"
        await send({"type": "http.response.start", "status": 204})
        await piece(send, "", more=False)

    assert "session" in (await Exchange(middleware(app)).end()).cookies


# Starlette


async def start(request: Request) -> Response:
    request.session.update(user="ann", list=[])
    return PlainTextResponse("begun")


async def look(request: Request) -> Response:
    return JSONResponse(request.session)


async def stream(request: Request) -> Response:
    session = request.session

    async def body() -> AsyncIterator[str]:
        yield "first"
        session["list"].append("late")
        yield "last"

    assert session["user"]
    return StreamingResponse(body())


async def endless(request: Request) -> Response:
    session = request.session
    assert session["user"]

    async def body() -> AsyncIterator[str]:
        number = 0
        while True:
            session["list"].append(number)
            number += 1
            yield f"{number};"
            await asyncio.sleep(0)

    return StreamingResponse(body())


async def background(request: Request) -> Response:
    session = request.session
    assert session["user"]

    async def work() -> None:
        await asyncio.sleep(0)
        session["list"].append("late")

    return PlainTextResponse("page", background=BackgroundTask(work))


def in_a_thread(request: Request) -> Response:
    session = request.session
    assert session["user"]
    return PlainTextResponse("page", background=BackgroundTask(lambda: session["list"].append("late")))


class Passing(BaseHTTPMiddleware):
    """Middleware that has the application run in a task group of anyio, and hands its body on."""

    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response


def starlette(order: str, **options: Any) -> App:
    """Gives an application with such middleware: "above" our own, "below" it, or none."""
    app: Any = Starlette(
        routes=[Route(f"/{view.__name__}", view) for view in (start, look, stream, endless, background, in_a_thread)]
    )
    if order == "below":
        app.add_middleware(Passing)
    app.add_middleware(SessionMiddleware, **{"secret_key": SECRET, "max_age": None, "clock": Clock(), **options})
    if order == "above":
        app.add_middleware(Passing)
    return app  # type: ignore[no-any-return]


each_order = pytest.mark.parametrize("order", ["alone", "above", "below"])


@each_order
@pytest.mark.parametrize("path", ["/stream", "/background", "/in_a_thread"])
@in_loop
async def test_starlette_keeps_what_comes_late(order: str, path: str) -> None:
    visitor = Visitor(starlette(order, store=ParkingStore()))
    await visitor.get("/start")
    assert (await visitor.get(path)).complete
    assert await content(visitor) == {"user": "ann", "list": ["late"]}


@each_order
@pytest.mark.parametrize("path", ["/stream", "/background", "/in_a_thread"])
@in_loop
async def test_starlette_says_that_it_cannot_be_kept_without_a_store(order: str, path: str) -> None:
    visitor = Visitor(starlette(order))
    await visitor.get("/start")
    error = await visitor.ask(path).error()
    assert isinstance(error, UsageError) and LATE in str(error)
    assert await content(visitor) == {"user": "ann", "list": []}


@each_order
@pytest.mark.parametrize("how", ["disconnects", "is gone", "is cancelled"])
@in_loop
async def test_starlette_keeps_what_an_endless_stream_has_changed(order: str, how: str) -> None:
    visitor = Visitor(starlette(order, store=ParkingStore()))
    await visitor.get("/start")
    exchange = visitor.ask("/endless")
    await exchange.until("http.response.body", 3)
    if how == "is cancelled":
        exchange.task.cancel()
    elif how == "is gone":
        exchange.gone = True
    else:
        exchange.leave()
    await exchange.error()
    # A task group above may have left the end to a task of ours.
    for _ in range(20):
        await asyncio.sleep(0)
    said = exchange.text.split(";")[:-1]
    found = (await content(visitor))["list"]
    assert found[: len(said)] == list(range(len(said)))
    assert len(found) >= 3
