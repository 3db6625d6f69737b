"""How many requests per second an application answers to 64 browsers at once, and how many of their writes it keeps.

    python benchmarks/throughput.py

A Flask application runs in gunicorn, and a Starlette application in uvicorn: without sessions, with those of the
extension that keeps them on Redis, and with ours. Each server is one process, for the system hands connections to
several unevenly, and otherwise each time. The load comes from a process of its own: 64 clients, each with its own
connection that is kept alive and its own cookies. Each asks again as soon as it has its answer. A response counts when
all of it has come in time, and is right. The sides run in turn, in rounds of a second: the median of the rounds stands
for them, and latencies are those of all rounds. The session is the reference session, and settings are the defaults of
each, but that starsessions is told the lifetime that the others have.

The server, Redis and the load share the cores of one machine. So the figures say how the sides compare, and not what
one of them can do.

Under "write", each request adds one to a number in the client's own session, and "lost" are those that were confirmed
and are not there afterwards. Under "one session", all clients share one session and one jar of cookies, as the tabs of
a browser do, and each counts its own requests there under a key of its own.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import Callable, Coroutine, Mapping, MutableMapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from statistics import median, quantiles
from time import perf_counter
from typing import Any, TypeAlias

import flask
import redis.asyncio
from asgi_sessions import SessionMiddleware
from flask_requests import Off
from flask_session import Session
from servers_for_benchmarks import HOST, THREADS, gunicorn, redis_server, uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starsessions import SessionMiddleware as StarsessionsMiddleware
from starsessions import load_session
from starsessions.stores.redis import RedisStore as StarsessionsStore
from timing import REFERENCE, heading

from coatcheck.flask import Coatcheck

CLIENTS = 64
SECONDS = 1
ROUNDS = 5
# Of each client, to the session that all share.
WRITES = 10
OFF, OURS, IN_COOKIE = "no sessions", "coatcheck", "coatcheck, cookie"
FLASK_SIDES = (OFF, "Flask-Session", OURS, IN_COOKIE)
STARLETTE_SIDES = (OFF, "starsessions", OURS)
ROUTES = {
    "untouched": ("/untouched", b"x"),
    "read": ("/value/username", REFERENCE["username"].encode()),
    "write": ("/count/user_id", b"x"),
}

# The applications. A server makes one of them, in its own process, and finds in the environment which.


def flask_app() -> flask.Flask:
    side, url = os.environ["SIDE"], os.environ["REDIS_URL"]
    app = flask.Flask("throughput")
    app.secret_key = os.environ["SECRET_KEY"]
    if side == OFF:
        app.session_interface = Off()
    elif side == "Flask-Session":
        app.config.update(SESSION_TYPE="redis", SESSION_REDIS=redis.Redis.from_url(url))
        Session(app)
    else:
        Coatcheck(app, store=None if side == IN_COOKIE else url)

    def content() -> MutableMapping[str, Any]:
        return dict(REFERENCE) if side == OFF else flask.session

    @app.get("/untouched")
    def untouched() -> str:
        return "x"

    @app.get("/fill")
    def fill() -> str:
        content().update(REFERENCE)
        return "x"

    @app.get("/value/<key>")
    def value(key: str) -> str:
        return str(content().get(key, 0))

    @app.get("/count/<key>")
    def count(key: str) -> str:
        session = content()
        session[key] = session.get(key, 0) + 1
        return "x"

    return app


def starlette_app() -> Starlette:
    side, url = os.environ["SIDE"], os.environ["REDIS_URL"]

    async def content(request: Request) -> MutableMapping[str, Any]:
        if side == OFF:
            return dict(REFERENCE)
        await (request.scope["session"].load() if side == OURS else load_session(request))
        session: MutableMapping[str, Any] = request.session
        return session

    async def untouched(_: Request) -> PlainTextResponse:
        return PlainTextResponse("x")

    async def fill(request: Request) -> PlainTextResponse:
        (await content(request)).update(REFERENCE)
        return PlainTextResponse("x")

    async def value(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str((await content(request)).get(request.path_params["key"], 0)))

    async def count(request: Request) -> PlainTextResponse:
        session, key = await content(request), request.path_params["key"]
        session[key] = session.get(key, 0) + 1
        return PlainTextResponse("x")

    routes = {"/untouched": untouched, "/fill": fill, "/value/{key}": value, "/count/{key}": count}
    app = Starlette(routes=[Route(path, view) for path, view in routes.items()])
    if side == OURS:
        app.add_middleware(SessionMiddleware, secret_key=os.environ["SECRET_KEY"], store=url)
    elif side == "starsessions":
        app.add_middleware(
            StarsessionsMiddleware,
            store=StarsessionsStore(connection=redis.asyncio.Redis.from_url(url)),
            lifetime=timedelta(days=31),
            rolling=True,
            cookie_https_only=False,
        )
    return app


# The load, in a process of its own.

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_COOKIE = re.compile(rb"\r\nset-cookie: *([^;\r]+)", re.IGNORECASE)


class RefusedError(Exception):
    """The server answered that it cannot."""


class Jar:
    """Holds the one cookie that a server sets."""

    header = b""


class Client(asyncio.Protocol):
    """A connection that is kept alive."""

    def __init__(self, jar: Jar) -> None:
        self._jar = jar
        self._received = b""

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.WriteTransport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server closed the connection"))

    def get(self, path: str) -> asyncio.Future[bytes]:
        """Gives the body of a response when all of it has come. Raises `RefusedError`."""
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport.write(b"GET %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n" % (path.encode(), self._jar.header))
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        # Each response has a length here: what has none fails the run.
        length = int(_LENGTH.findall(head)[0])
        if len(body) < length:
            return
        self._received = b""
        status = head.split(b" ", 2)[1]
        if status == b"200" and len(body) == length:
            if cookie := _COOKIE.search(head):
                self._jar.header = b"Cookie: %b\r\n" % cookie[1]
            self._answer.set_result(body)
        else:
            self._answer.set_exception((RefusedError if status == b"503" else AssertionError)(repr(head + end + body)))


@dataclass
class Measured:
    """What a load has come to."""

    latencies: list[float] = field(default_factory=list)
    """Seconds, of each response that counts."""
    rates: list[float] = field(default_factory=list)
    """Such responses per second, of each round."""
    confirmed: int = 0
    refused: int = 0
    kept: int = 0
    """Writes that a session holds afterwards."""

    def add(self, other: Measured) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


Load: TypeAlias = Callable[..., Measured]


async def connect(port: int, jars: list[Jar]) -> list[Client]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(partial(Client, jar), HOST, port))[1] for jar in jars]


async def own_sessions(port: int, path: str, expected: bytes) -> Measured:
    """Has each client ask for a path for some seconds, with a session of its own."""
    clients = await connect(port, [Jar() for _ in range(CLIENTS)])
    await asyncio.gather(*(client.get("/fill") for client in clients))
    measured = Measured()
    deadline = perf_counter() + SECONDS

    async def work(client: Client) -> None:
        start = perf_counter()
        while start < deadline:
            body = await client.get(path)
            assert body == expected, body
            measured.confirmed += 1
            end = perf_counter()
            if end < deadline:
                measured.latencies.append(end - start)
            start = end

    await asyncio.gather(*map(work, clients))
    measured.rates.append(len(measured.latencies) / SECONDS)
    for client in clients:
        measured.kept += int(await client.get("/value/user_id")) - REFERENCE["user_id"]
        client.transport.close()
    return measured


async def one_session(port: int) -> Measured:
    """Has each client write to one session, under a key of its own."""
    clients = await connect(port, [Jar()] * CLIENTS)
    await clients[0].get("/fill")
    measured = Measured()

    async def work(number: int) -> None:
        for _ in range(WRITES):
            start = perf_counter()
            try:
                await clients[number].get(f"/count/of_{number}")
                measured.confirmed += 1
            except RefusedError:
                measured.refused += 1
            measured.latencies.append(perf_counter() - start)

    start = perf_counter()
    await asyncio.gather(*map(work, range(CLIENTS)))
    measured.rates.append(CLIENTS * WRITES / (perf_counter() - start))
    for number, client in enumerate(clients):
        measured.kept += int(await clients[0].get(f"/value/of_{number}"))
        if number:
            client.transport.close()
    clients[0].transport.close()
    return measured


def run(load: Callable[..., Coroutine[Any, Any, Measured]], *arguments: Any) -> Measured:
    return asyncio.run(load(*arguments))


# The comparison.


def show(sides: Mapping[str, Measured], rival: str, *, writes: bool) -> None:
    for side, measured in sides.items():
        rate, theirs = median(measured.rates), median(sides[rival].rates)
        cuts = quantiles(measured.latencies, n=100)
        times = "".join(f"{seconds * 1e3:9.1f}" for seconds in (cuts[49], cuts[98], max(measured.latencies)))
        counts = f"{measured.confirmed:9}{measured.refused:9}{measured.confirmed - measured.kept:7}"
        print(f"  {side:20}{rate:7.0f}{rate / theirs:18.2f}{times}{counts if writes and side != OFF else ''}")


def compare(ports: Mapping[str, int], load: Load) -> None:
    rival = next(side for side in ports if side not in (OFF, OURS, IN_COOKIE))
    counts = f"{'writes':>9}{'refused':>9}{'lost':>7}"
    print(f"{'':22}{'req/s':>7}{'of ' + rival:>18}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{counts}")
    for route, (path, expected) in ROUTES.items():
        sides = {side: Measured() for side in ports}
        for _ in range(ROUNDS):
            for side, port in ports.items():
                sides[side].add(load(own_sessions, port, path, expected))
        print(route)
        show(sides, rival, writes=route == "write")
    print("one session")
    show({side: load(one_session, port) for side, port in ports.items() if side != OFF}, rival, writes=True)


def main() -> None:
    frameworks = (
        (f"Flask in gunicorn, {THREADS} threads", gunicorn, "throughput:flask_app", FLASK_SIDES),
        ("Starlette in uvicorn", uvicorn, "throughput:starlette_app", STARLETTE_SIDES),
    )
    print(heading("coatcheck", "Flask", "Flask-Session", "gunicorn", "redis", "hiredis"))
    print(heading("starlette", "starsessions", "uvicorn", "uvloop", "httptools"))
    with redis_server() as server, ProcessPoolExecutor(1, get_context("spawn")) as elsewhere:
        variables = {"REDIS_URL": f"redis://{HOST}:{server.port}/0", "SECRET_KEY": secrets.token_hex(32)}
        for title, serve, factory, sides in frameworks:
            print(f"\n{title}, {CLIENTS} clients")
            with ExitStack() as running:
                ports = {
                    side: running.enter_context(serve(factory, {**variables, "SIDE": side})).port for side in sides
                }
                compare(ports, lambda *load: elsewhere.submit(run, *load).result())


if __name__ == "__main__":
    main()
