"""The applications that `hosts.py` compares: each without a session, with the framework's own, and with ours."""

# ruff: noqa: PLC0415  # whoever measures one host needs no other

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from timing import REFERENCE
from werkzeug.test import Client, EnvironBuilder

CALLS = 50
KEY = os.urandom(32).hex()


class Requests(Protocol):
    """So many requests of one kind."""

    def run(self) -> object: ...


class Site(Protocol):
    """An application that can be asked without a server."""

    def requests(self, path: str, cookie: str) -> Requests:
        """Gives `CALLS` requests with this `Cookie` header."""

    def cookie(self) -> str:
        """Gives the cookie that holds the reference session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The sides of one table: "off", "ours", and "own" where the framework has something of its own."""

    host: str
    beside: str
    sites: Mapping[str, Site]
    calls: int = CALLS
    batches: int = 4


Comparisons: TypeAlias = Callable[[], AbstractContextManager[Iterable[Comparison]]]
HOSTS: dict[str, Comparisons] = {}


def host(build: Callable[[], Iterator[Iterable[Comparison]]]) -> Comparisons:
    """Puts what a function builds into the table, under the name of the function."""
    made = contextmanager(build)
    HOSTS[build.__name__] = made
    return made


@dataclass(frozen=True, slots=True)
class _Batch:
    run: Callable[[], object] = field(repr=False)


def first_pair(set_cookies: list[str]) -> str:
    (cookie,) = set_cookies
    return cookie.partition(";")[0]


class Asgi:
    """An ASGI application, called in an event loop that goes on between the batches."""

    def __init__(self, runner: asyncio.Runner, app: Callable[..., Coroutine[Any, Any, object]]) -> None:
        self._runner = runner
        self._app = app

    def requests(self, path: str, cookie: str) -> _Batch:
        call = self._call(path, cookie.encode("latin-1"))

        async def batch() -> None:
            for _ in range(CALLS):
                await call([])

        return _Batch(lambda: self._runner.run(batch()))

    def cookie(self) -> str:
        sent: list[Any] = []
        self._runner.run(self._call("/fill", None)(sent))
        start = next(message for message in sent if message["type"] == "http.response.start")
        return first_pair([value.decode() for name, value in start["headers"] if name.lower() == b"set-cookie"])

    def _call(self, path: str, cookie: bytes | None) -> Callable[[list[Any]], Coroutine[Any, Any, object]]:
        app = self._app
        headers = [(b"host", b"shop.example"), (b"accept", b"*/*")]
        headers += [] if cookie is None else [(b"cookie", cookie)]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "client": ("127.0.0.1", 50000),
            "server": ("shop.example", 443),
        }

        def call(sent: list[Any]) -> Coroutine[Any, Any, object]:
            asked = False

            async def receive() -> dict[str, Any]:
                nonlocal asked
                if asked:
                    # Some wait for the client to go away while they answer.
                    await asyncio.get_running_loop().create_future()
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Any) -> None:
                sent.append(message)

            return app({**scope, "headers": [*headers], "state": {}}, receive, send)

        return call


@host
def starlette() -> Iterator[Iterable[Comparison]]:
    from starlette.applications import Starlette
    from starlette.middleware.sessions import SessionMiddleware as Signed
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    from coatcheck.asgi import SessionMiddleware

    def app(middleware: Any = None) -> Starlette:
        async def untouched(request: Request) -> Response:
            return PlainTextResponse("x")

        async def read(request: Request) -> Response:
            if middleware:
                request.session["username"]
            return PlainTextResponse("x")

        async def write(request: Request) -> Response:
            if middleware:
                request.session["user_id"] += 1
            return PlainTextResponse("x")

        async def fill(request: Request) -> Response:
            request.session.update(REFERENCE)
            return PlainTextResponse("x")

        views = (untouched, read, write, fill)
        made = Starlette(routes=[Route(f"/{view.__name__}", view) for view in views])
        if middleware:
            made.add_middleware(middleware, secret_key=KEY)
        return made

    with asyncio.Runner() as runner:
        apps = {"off": app(), "own": app(Signed), "ours": app(SessionMiddleware)}
        sites = {name: Asgi(runner, each) for name, each in apps.items()}
        yield [Comparison(host="Starlette", beside="SessionMiddleware, signed", sites=sites)]


class Wsgi:
    """A WSGI application."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    def requests(self, path: str, cookie: str) -> _Batch:
        app = self._app
        environ = {**EnvironBuilder(path, base_url="https://shop.example").get_environ(), "HTTP_COOKIE": cookie}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., object]:
            return print

        def run() -> None:
            for _ in range(CALLS):
                body = app(dict(environ), start_response)
                b"".join(body)
                if hasattr(body, "close"):
                    body.close()

        return _Batch(run)

    def cookie(self) -> str:
        found = Client(self._app).get("/fill", base_url="https://shop.example").headers.getlist("Set-Cookie")
        return first_pair(found)


def flask_views(app: Any, session: Any) -> Any:
    """Gives an application of Flask or Quart these pages; those of the session do nothing where that is None."""

    def untouched() -> str:
        return "x"

    def read() -> str:
        if session is not None:
            session["username"]
        return "x"

    def write() -> str:
        if session is not None:
            session["user_id"] += 1
        return "x"

    def fill() -> str:
        session.update(REFERENCE)
        return "x"

    def awaited(view: Callable[[], str]) -> Callable[[], Any]:
        async def page() -> str:
            return view()

        return page

    for view in (untouched, read, write, fill):
        page = awaited(view) if type(app).__name__ == "Quart" else view
        app.add_url_rule(f"/{view.__name__}", view.__name__, page)
    return app


@host
def flask() -> Iterator[Iterable[Comparison]]:
    from flask import Flask, session
    from flask_requests import Off

    from coatcheck.flask import Coatcheck

    apps = {name: flask_views(Flask(name), None if name == "off" else session) for name in ("off", "own", "ours")}
    apps["off"].session_interface = Off()
    for app in apps.values():
        app.secret_key = KEY
    Coatcheck(apps["ours"])
    yield [Comparison(host="Flask", beside="its own, signed", sites={name: Wsgi(app) for name, app in apps.items()})]


@host
def quart() -> Iterator[Iterable[Comparison]]:
    from quart import Quart, session
    from quart.sessions import NullSession, SecureCookieSessionInterface

    from coatcheck.quart import Coatcheck

    class Off(SecureCookieSessionInterface):
        shared = NullSession()

        async def open_session(self, app: Quart, request: Any) -> Any:
            return self.shared

    apps = {name: flask_views(Quart(name), None if name == "off" else session) for name in ("off", "own", "ours")}
    apps["off"].session_interface = Off()
    for app in apps.values():
        app.secret_key = KEY
    Coatcheck(apps["ours"])
    with asyncio.Runner() as runner:
        sites = {name: Asgi(runner, app) for name, app in apps.items()}
        yield [Comparison(host="Quart", beside="its own, signed", sites=sites)]


@host
def litestar() -> Iterator[Iterable[Comparison]]:
    from litestar import Litestar, Request, get
    from litestar.middleware.session.client_side import CookieBackendConfig

    from coatcheck.litestar import Coatcheck

    def app(kind: str) -> Litestar:
        def do(request: Request[Any, Any, Any], page: str) -> str:
            if kind != "off" and page == "read":
                request.session["username"]
            elif kind != "off" and page == "write":
                request.session["user_id"] += 1
            elif page == "fill":
                request.session.update(REFERENCE)
            return "x"

        # Litestar looks the annotations up.
        do.__annotations__ = {"request": Request, "page": str, "return": str}

        async def page(request: Any, name: str) -> str:
            return do(request, name)

        page.__annotations__ = {"request": Request, "name": str, "return": str}
        own = [CookieBackendConfig(secret=os.urandom(16)).middleware] if kind == "own" else []
        plugins = [Coatcheck(KEY)] if kind == "ours" else []
        return Litestar([get("/{name:str}")(page)], middleware=own, plugins=plugins, logging_config=None)

    with asyncio.Runner() as runner:
        sites = {name: Asgi(runner, app(name)) for name in ("off", "own", "ours")}
        yield [Comparison(host="Litestar", beside="CookieBackendConfig, AES-GCM", sites=sites)]


@host
def pyramid() -> Iterator[Iterable[Comparison]]:
    from pyramid.config import Configurator
    from pyramid.response import Response
    from pyramid.session import SignedCookieSessionFactory

    from coatcheck.pyramid import session_factory

    def app(factory: Any) -> Any:
        def page(request: Any) -> Any:
            name = request.matchdict["name"]
            if factory and name == "read":
                request.session["username"]
            elif factory and name == "write":
                request.session["user_id"] += 1
            elif name == "fill":
                request.session.update(REFERENCE)
            return Response("x")

        with Configurator(session_factory=factory) as config:
            config.add_route("page", "/{name}")
            config.add_view(page, route_name="page")
        return config.make_wsgi_app()

    factories = {"off": None, "own": SignedCookieSessionFactory(KEY), "ours": session_factory(KEY)}
    sites = {name: Wsgi(app(factory)) for name, factory in factories.items()}
    yield [Comparison(host="Pyramid", beside="SignedCookieSessionFactory", sites=sites)]


@host
def wsgi() -> Iterator[Iterable[Comparison]]:
    from coatcheck.wsgi import SessionMiddleware

    def app(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        session, page = environ.get("coatcheck.session"), environ["PATH_INFO"]
        if session is not None and page == "/read":
            session["username"]
        elif session is not None and page == "/write":
            session["user_id"] += 1
        elif session is not None and page == "/fill":
            session.update(REFERENCE)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1")])
        return [b"x"]

    yield [Comparison(host="WSGI", beside="", sites={"off": Wsgi(app), "ours": Wsgi(SessionMiddleware(app, KEY))})]


@host
def django() -> Iterator[Iterable[Comparison]]:
    """Beside `signed_cookies`, and beside `cache` on a Redis where our sessions are on the same one."""
    from servers_for_benchmarks import redis_server

    with redis_server() as redis:
        url = f"redis://127.0.0.1:{redis.port}/0"
        from django.conf import settings

        settings.configure(
            SECRET_KEY=KEY,
            ALLOWED_HOSTS=["*"],
            LOGGING_CONFIG=None,
            ROOT_URLCONF="hosts_django",
            SESSION_COOKIE_NAME="session",
            CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}},
        )
        import hosts_django
        from django.test.utils import override_settings

        def compare() -> Iterator[Comparison]:
            engine, backends = "coatcheck.django", "django.contrib.sessions.backends"
            sealed = {name: Wsgi(app) for name, app in hosts_django.sites(engine, f"{backends}.signed_cookies").items()}
            yield Comparison(host="Django", beside="signed_cookies", sites=sealed)
            with override_settings(SESSION_STORE=url):
                kept = {name: Wsgi(app) for name, app in hosts_django.sites(engine, f"{backends}.cache").items()}
                yield Comparison(host="Django, Redis", beside="cache, with Django's RedisCache", sites=kept, batches=2)

        yield compare()


@host
def aiohttp() -> Iterator[Iterable[Comparison]]:
    import aiohttp_session
    from aiohttp import web
    from aiohttp_session.cookie_storage import EncryptedCookieStorage

    from coatcheck.aiohttp import get_session, setup

    def app(get: Callable[[web.Request], Coroutine[Any, Any, Any]] | None) -> web.Application:
        async def page(request: web.Request) -> web.Response:
            name = request.match_info["name"]
            if get is not None and name == "read":
                (await get(request))["username"]
            elif get is not None and name == "write":
                (await get(request))["user_id"] += 1
            elif get is not None and name == "fill":
                (await get(request)).update(REFERENCE)
            return web.Response(text="x")

        made = web.Application()
        made.router.add_get("/{name}", page)
        return made

    apps = {"off": app(None), "own": app(aiohttp_session.get_session), "ours": app(get_session)}
    aiohttp_session.setup(apps["own"], EncryptedCookieStorage(os.urandom(32), cookie_name="session"))
    setup(apps["ours"], KEY)
    with asyncio.Runner() as runner:
        sites = {name: Aiohttp(runner, each) for name, each in apps.items()}
        yield [Comparison(host="aiohttp", beside="EncryptedCookieStorage, Fernet", sites=sites)]


class Aiohttp:
    """An aiohttp application, with its own protocol and a transport that keeps what is written."""

    def __init__(self, runner: asyncio.Runner, app: Any) -> None:
        from aiohttp import web

        self._runner = runner
        server = web.AppRunner(app, access_log=None, keepalive_timeout=3600)
        runner.run(server.setup())
        assert server.server is not None
        self._transport = _Transport()
        self._protocol = server.server()

        async def connect() -> None:
            self._protocol.connection_made(self._transport)

        runner.run(connect())

    def requests(self, path: str, cookie: str) -> _Batch:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode()

        async def batch() -> None:
            for _ in range(CALLS):
                await self._ask(request)

        return _Batch(lambda: self._runner.run(batch()))

    def cookie(self) -> str:
        answer = self._runner.run(self._ask(b"GET /fill HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")).decode("latin-1")
        lines = [line.partition(": ") for line in answer.split("\r\n")]
        return first_pair([value for name, _, value in lines if name.lower() == "set-cookie"])

    async def _ask(self, request: bytes) -> bytes:
        transport = self._transport
        transport.written, transport.complete = bytearray(), asyncio.Event()
        self._protocol.data_received(request)
        await transport.complete.wait()
        return bytes(transport.written)


class _Transport(asyncio.Transport):
    """Keeps an answer, which ends with an x as every page here does."""

    complete: asyncio.Event

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def write(self, data: Any) -> None:
        self.written += data
        if self.written.endswith(b"x"):
            self.complete.set()

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """There is nothing to close."""
