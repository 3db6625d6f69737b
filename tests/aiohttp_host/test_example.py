"""The example as its first lines say it is started, and a browser's cookie jar."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import pytest
from servers.process import Server, free_port
from servers.redis import RedisServer
from websockets.sync.client import connect

EXAMPLE = Path(__file__).parents[2] / "examples/aiohttp_minimal.py"


@pytest.fixture(params=["cookie", "redis"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    port = free_port()
    monkeypatch.setenv("SECRET_KEY", secrets.token_hex(32))
    monkeypatch.setenv("PORT", str(port))
    if request.param == "redis":
        redis: RedisServer = request.getfixturevalue("redis_server")
        monkeypatch.setenv("SESSION_STORE", redis.url())
    server = Server([sys.executable, str(EXAMPLE)], port)
    try:
        server.start()
        yield server
    finally:
        server.discard()


def test_each_browser_has_its_own_count_and_a_restart_forgets_none(server: Server) -> None:
    site = f"http://127.0.0.1:{server.port}/"
    jars = [CookieJar(), CookieJar()]
    browsers = [build_opener(ProxyHandler({}), HTTPCookieProcessor(jar)) for jar in jars]
    assert [browsers[0].open(site).read().decode() for _ in range(3)] == ["Visit 1", "Visit 2", "Visit 3"]
    assert browsers[1].open(site).read().decode() == "Visit 1"
    server.stop()
    server.start()
    assert browsers[0].open(site).read().decode() == "Visit 4"
    (cookie,) = jars[0]
    assert cookie.value is not None
    assert re.fullmatch(r"A[A-Za-z0-9_-]{43,}", cookie.value)
    address = f"ws://127.0.0.1:{server.port}/visits"
    with connect(address, additional_headers={"Cookie": f"{cookie.name}={cookie.value}"}) as socket:
        socket.send("?")
        assert socket.recv() == "4 visits"


def test_it_stops_in_good_order(server: Server) -> None:
    server.stop()
    output = (server.folder / "output").read_text()
    assert "Traceback" not in output
    assert "Unclosed" not in output
