"""One browser, and a real server of its kind for each host: every one its own process on a port of its own.

A browser does not tell ports apart where cookies are concerned, and its jar here is Python's own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.cookiejar import Cookie, CookieJar
from pathlib import Path
from typing import Any
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import pytest
from kit import SECRET
from servers.process import HOST, Server, free_port, program
from servers.redis import RedisServer

TESTS = Path(__file__).parents[1]

GUNICORN = "-m gunicorn --workers 1 --no-control-socket --bind {host}:{port} {app}:app"
UVICORN = "-m uvicorn --host {host} --port {port} {app}:app"
HYPERCORN = "-m hypercorn --bind {host}:{port} {app}:app"
WAITRESS = "-m waitress --listen {host}:{port} {app}:app"
ITS_OWN = "-m {app} {port}"
SERVERS = {
    "Flask": GUNICORN,
    "Django": GUNICORN,
    "Bottle": GUNICORN,
    "Falcon": GUNICORN,
    "Pyramid": WAITRESS,
    "WSGI": WAITRESS,
    "Starlette": UVICORN,
    "FastAPI": UVICORN,
    "Litestar": UVICORN,
    "Quart": HYPERCORN,
    "aiohttp": ITS_OWN,
}


class Jar:
    """A browser."""

    def __init__(self) -> None:
        self.jar = CookieJar()
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.jar))

    @property
    def cookie(self) -> Cookie:
        (cookie,) = self.jar
        return cookie

    def get(self, server: Server, page: str) -> dict[str, Any]:
        with self._opener.open(f"http://{HOST}:{server.port}/{page}", timeout=30) as answer:
            content: dict[str, Any] = json.load(answer)
            return content


class Servers(dict[str, Server]):
    """By the name of the host; `store` is the URL that all have, or None."""

    store: str | None


def command(app: str, arguments: str, port: int, variables: Sequence[str]) -> list[str]:
    words = arguments.format(host=HOST, port=port, app=app).split()
    return [program("env"), f"PYTHONPATH={TESTS}", f"SECRET_KEY={SECRET}", *variables, sys.executable, *words]


@pytest.fixture(scope="module", params=["cookie", "redis"])
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    with ExitStack() as stack:
        found = Servers()
        found.store = None
        if request.param == "redis":
            redis = RedisServer()
            stack.callback(redis.discard)
            redis.start()
            found.store = redis.url()
        variables = [f"SESSION_STORE={found.store}"] if found.store else []
        for name, arguments in SERVERS.items():
            port = free_port()
            server = Server(command(f"shared.apps.on_{name.lower()}", arguments, port, variables), port)
            stack.callback(server.discard)
            server.start()
            found[name] = server
        yield found


def test_one_cookie_opens_one_session_on_every_server(servers: Servers) -> None:
    jar = Jar()
    been: list[str] = []
    for name in [*servers, *reversed(servers)]:
        been.append(name)
        assert jar.get(servers[name], "visit") == {"been": been}
        assert jar.cookie.name == "session"
        assert jar.cookie.has_nonstandard_attr("HttpOnly")


@pytest.mark.parametrize("name", SERVERS)
def test_who_signs_in_here_is_known_and_can_sign_out_everywhere(servers: Servers, name: str) -> None:
    jar = Jar()
    jar.get(servers[name], "visit")
    assert jar.get(servers[name], "login") == {"been": [name], "user": "xiaoming"}
    for other in servers.values():
        assert jar.get(other, "look") == {"been": [name], "user": "xiaoming"}
    copied = jar.cookie
    last = next(reversed(servers.values())) if name != "aiohttp" else servers["Flask"]
    assert jar.get(last, "logout") == {}
    assert not list(jar.jar)
    for other in servers.values():
        assert jar.get(other, "look") == {}
    if servers.store:
        for other in servers.values():
            jar.jar.set_cookie(copied)
            assert jar.get(other, "look") == {}


def test_an_id_that_another_server_has_renewed_is_the_one_that_counts(servers: Servers) -> None:
    jar = Jar()
    jar.get(servers["Flask"], "visit")
    seen = set()
    for server in servers.values():
        assert jar.get(server, "login")["been"] == ["Flask"]
        seen.add(jar.cookie.value)
    assert len(seen) == len(servers)
