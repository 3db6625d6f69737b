"""What these tests share: an application, a clock, a real server and its visitors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.cookiejar import CookieJar
from threading import Thread
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import pytest
from flask import Flask
from werkzeug.serving import make_server

from coatcheck import Event
from coatcheck.flask import Coatcheck, session
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def events() -> list[Event]:
    """What an application's own listener was told."""
    return []


@pytest.fixture
def store(clock: Clock) -> FailingStore:
    """A store that lists what it is asked, and fails on demand."""
    return FailingStore(MemoryStore(clock=clock))


@pytest.fixture
def app() -> Flask:
    """An application with a good key, whose sessions nobody keeps yet but Flask."""
    app = Flask("shop", static_folder=None)
    app.config["SECRET_KEY"] = os.urandom(24)

    @app.get("/plain")
    def plain() -> str:
        return "nobody looks"

    @app.get("/keep/<key>/<value>")
    def keep(key: str, value: str) -> str:
        session[key] = value
        return "kept"

    @app.get("/stay/<key>/<value>")
    def stay(key: str, value: str) -> str:
        session.permanent = True
        session[key] = value
        return "kept for long"

    @app.get("/read")
    def read() -> dict[str, object]:
        return dict(session)

    @app.get("/user")
    def user() -> str:
        return str(session.get("user"))

    @app.get("/clear")
    def clear() -> str:
        session.clear()
        return "cleared"

    return app


@pytest.fixture(params=["Flask", "coatcheck", "coatcheck on the server"])
def either_keeper(request: pytest.FixtureRequest, app: Flask) -> str:
    """Runs a test with each: what it says of our sessions is true of Flask's own."""
    keeper = str(request.param)
    if keeper != "Flask":
        Coatcheck(app, store="memory:" if keeper == "coatcheck on the server" else None)
    return keeper


@pytest.fixture
def browse() -> Iterator[Callable[[Flask, CookieJar], Callable[[str], str]]]:
    """Puts applications on a real server, with a thread for each request.

    Gives for an application and the cookie jar of a visitor what that visitor's
    browser does: it gets the text of a page.
    """
    origins: dict[Flask, str] = {}
    with ExitStack() as stack:

        def start(app: Flask) -> str:
            server = make_server("127.0.0.1", 0, app, threaded=True)
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(server.server_close)
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        def open_browser(app: Flask, jar: CookieJar) -> Callable[[str], str]:
            if app not in origins:
                origins[app] = start(app)
            opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(jar))

            def get(path: str) -> str:
                with opener.open(origins[app] + path, timeout=60) as answer:
                    text: bytes = answer.read()
                    return text.decode()

            return get

        yield open_browser
