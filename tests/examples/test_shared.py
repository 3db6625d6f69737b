"""The shop and its basket service, each on a server of its own, with one browser."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

import pytest
from servers.process import HOST, Server, free_port, program

EXAMPLES = Path(__file__).parents[2] / "examples" / "shared"


class Browser:
    """Keeps the cookies as Python's own client does, for both servers."""

    def __init__(self, shop: Server, basket: Server) -> None:
        self._ports = {"shop": shop.port, "basket": basket.port}
        self.jar = CookieJar()
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.jar))

    def call(self, method: str, where: str, path: str) -> tuple[int, str]:
        request = Request(f"http://{HOST}:{self._ports[where]}{path}", method=method)
        try:
            with self._opener.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture(params=["", "sqlite"], ids=["cookie", "sqlite"])
def browser(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Browser]:
    store = [f"SESSION_STORE=sqlite:///{tmp_path}/sessions.db"] if request.param else []
    given = [program("env"), f"SECRET_KEY={secrets.token_hex(32)}", f"PYTHONPATH={EXAMPLES}", *store, sys.executable]
    commands = {
        "shop": "-m gunicorn --no-control-socket --bind {host}:{port} shop:app",
        "basket": "-m uvicorn --host {host} --port {port} basket:app",
    }
    with ExitStack() as stack:
        started = []
        for command in commands.values():
            port = free_port()
            server = Server([*given, *command.format(host=HOST, port=port).split()], port)
            stack.callback(server.discard)
            server.start()
            started.append(server)
        yield Browser(*started)


def test_who_signs_in_at_the_shop_has_a_basket_until_they_sign_out(browser: Browser) -> None:
    assert browser.call("POST", "basket", "/basket/tea") == (401, '{"detail":"sign in at the shop first"}')
    assert browser.call("POST", "shop", "/login?name=xiaoming") == (200, "welcome")
    assert browser.call("POST", "basket", "/basket/tea") == (200, '["tea"]')
    assert browser.call("POST", "basket", "/basket/cups") == (200, '["tea","cups"]')
    assert browser.call("GET", "shop", "/") == (200, "xiaoming takes tea, cups")
    assert len(browser.jar) == 1
    assert browser.call("POST", "shop", "/logout") == (200, "good bye")
    assert browser.call("GET", "basket", "/basket")[0] == 401
    assert not list(browser.jar)
