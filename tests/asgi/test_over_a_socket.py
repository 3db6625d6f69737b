"""Streams and websockets through real servers, with clients that go away as they like."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from time import time
from typing import Any

import pytest
from asgi.exchange import answer, begin, middleware, piece, session_of
from servers.asgi import by_hypercorn, by_uvicorn
from servers.process import HOST, wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

SERVERS: dict[str, Callable[[Any], AbstractContextManager[int]]] = {
    "uvicorn": by_uvicorn,
    "uvicorn with wsproto": partial(by_uvicorn, ws="wsproto"),
    "hypercorn": by_hypercorn,
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Pages, a stream that ends and one that does not, and a websocket that puts what it is told."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    session, path = session_of(scope), scope["path"]
    if scope["type"] == "websocket":
        await serve(session, path, receive, send)
    elif path in ("/stream", "/endless"):
        assert session["list"] == []
        await begin(send)
        leaving, number = asyncio.ensure_future(left(receive)), 0
        while not leaving.done() if path == "/endless" else number < 3:
            session["list"].append(number)
            number += 1
            await piece(send, f"{number};")
            # As fast as one reads, and no faster.
            await asyncio.wait({leaving}, timeout=0.001)
        leaving.cancel()
        await piece(send, "", more=False)
    else:
        if path == "/start":
            session["list"] = []
        elif path == "/logout":
            session.destroy()
        await answer(send, json.dumps(session))


async def left(receive: Any) -> None:
    """Waits for the client to go away. Not every server raises where one sends to nobody."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def serve(session: Any, path: str, receive: Any, send: Any) -> None:
    await receive()
    session.setdefault("list", [])
    if path == "/denied":
        await send({"type": "websocket.http.response.start", "status": 403, "headers": [(b"content-length", b"2")]})
        await send({"type": "websocket.http.response.body", "body": b"no"})
        return
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        session["list"].append(message["text"])
        saved = await session.save() if path == "/saving" else None
        await send({"type": "websocket.send", "text": str(saved)})


class Browser:
    """Keeps cookies."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cookies: dict[str, str] = {}

    @property
    def header(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}

    def _keep(self, cookies: list[str]) -> None:
        self.cookies |= dict(cookie.partition(";")[0].split("=", 1) for cookie in cookies)

    @contextmanager
    def ask(self, path: str) -> Iterator[HTTPResponse]:
        """Gives a response whose body is still on its way."""
        with closing(HTTPConnection(HOST, self._port, timeout=30)) as connection:
            connection.request("GET", path, headers=self.header)
            with connection.getresponse() as response:
                self._keep(response.headers.get_all("Set-Cookie", []))
                yield response

    def get(self, path: str) -> str:
        with self.ask(path) as response:
            return response.read().decode()

    @property
    def list(self) -> Any:
        """What the session holds now."""
        return json.loads(self.get("/look")).get("list")

    @contextmanager
    def connect(self, path: str) -> Iterator[ClientConnection]:
        """Gives a websocket."""
        with connect(f"ws://{HOST}:{self._port}{path}", additional_headers=self.header, close_timeout=1) as opened:
            assert opened.response is not None
            self._keep(opened.response.headers.get_all("Set-Cookie"))
            yield opened


@pytest.fixture(params=SERVERS)
def visit(request: pytest.FixtureRequest) -> Iterator[Callable[..., Browser]]:
    """Gives a browser at a server of an application with these options."""
    with ExitStack() as stack:

        def begin_visit(**options: Any) -> Browser:
            served = SERVERS[request.param](middleware(app, https_only=False, **options))
            return Browser(stack.enter_context(served))

        yield begin_visit


STORE = {"store": "memory:", "clock": time}


def test_a_stream_keeps_what_it_changes(visit: Callable[..., Browser]) -> None:
    browser = visit(**STORE)
    browser.get("/start")
    assert browser.get("/stream") == "1;2;3;"
    assert browser.list == [0, 1, 2]


def test_a_stream_is_cut_short_where_its_change_cannot_be_kept(visit: Callable[..., Browser]) -> None:
    browser = visit()
    browser.get("/start")
    with pytest.raises(IncompleteRead) as caught:
        browser.get("/stream")
    assert b"1;" in caught.value.partial
    assert browser.list == []


def test_a_client_that_goes_away_in_mid_stream_loses_nothing(visit: Callable[..., Browser]) -> None:
    browser = visit(**STORE)
    browser.get("/start")
    with browser.ask("/endless") as response:
        said = response.read(10)
    assert said == b"1;2;3;4;5;"
    wait_until(lambda: len(browser.list) >= 5, "the end of a stream that nobody reads", 30)
    assert browser.list[:5] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("options", [{}, STORE], ids=["cookie", "store"])
def test_a_websocket_begins_a_session(visit: Callable[..., Browser], options: dict[str, Any]) -> None:
    browser = visit(**options)
    with browser.connect("/"):
        assert "session" in browser.cookies
    assert browser.list == []


@pytest.mark.parametrize("options", [{}, STORE], ids=["cookie", "store"])
def test_a_websocket_that_is_denied_begins_one_too(visit: Callable[..., Browser], options: dict[str, Any]) -> None:
    browser = visit(**options)
    with pytest.raises(InvalidStatus) as caught, browser.connect("/denied"):
        pass
    assert caught.value.response.status_code == 403
    (cookie,) = caught.value.response.headers.get_all("Set-Cookie")
    assert cookie.startswith("session=")


def test_a_websocket_saves_and_hears_of_a_logout(visit: Callable[..., Browser]) -> None:
    browser = visit(**STORE)
    browser.get("/start")
    with browser.connect("/saving") as opened:
        for number, text in enumerate(("one", "two"), 1):
            opened.send(text)
            assert opened.recv(30) == "True"
            assert len(browser.list) == number
        browser.get("/logout")
        opened.send("three")
        assert opened.recv(30) == "False"
    assert browser.list is None


@pytest.mark.parametrize("abrupt", [False, True])
def test_the_end_of_a_websocket_keeps_the_rest(visit: Callable[..., Browser], abrupt: bool) -> None:
    browser = visit(**STORE)
    browser.get("/start")
    with browser.connect("/") as opened:
        opened.send("one")
        assert opened.recv(30) == "None"
        assert browser.list == []
        if abrupt:
            opened.socket.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: browser.list == ["one"], "the end of a websocket", 30)


def test_a_websocket_whose_change_cannot_be_kept_is_no_success(
    visit: Callable[..., Browser], caplog: pytest.LogCaptureFixture
) -> None:
    browser = visit()
    browser.get("/start")
    with browser.connect("/saving") as opened:
        opened.send("one")
        with pytest.raises(ConnectionClosed) as caught:
            opened.recv(30)
    assert caught.value.rcvd is None or caught.value.rcvd.code == 1011
    assert browser.list == []


def test_a_shutdown_that_cancels_a_stream_loses_nothing() -> None:
    from coatcheck.stores.memory import MemoryStore

    store = MemoryStore()
    options = {"store": store, "clock": STORE["clock"], "https_only": False}
    with by_uvicorn(middleware(app, **options), patience=1) as port:
        browser = Browser(port)
        browser.get("/start")
        unread = HTTPConnection(HOST, port, timeout=30)
        unread.request("GET", "/endless", headers=browser.header)
        response = unread.getresponse()
        assert response.read(4) == b"1;2;"
    response.close()
    unread.close()
    with by_uvicorn(middleware(app, **options)) as port:
        later = Browser(port)
        later.cookies = browser.cookies
        assert later.list[:2] == [0, 1]
