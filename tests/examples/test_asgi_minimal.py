"""The small programs for ASGI, each on uvicorn and on hypercorn, with a browser's cookie jar."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.cookiejar import Cookie, CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

import pytest
from servers.process import HOST, Server, free_port

EXAMPLES = Path(__file__).parents[2] / "examples"


class Browser:
    """Follows redirects, and keeps the cookies as Python's own client does."""

    def __init__(self, port: int) -> None:
        self._root = f"http://{HOST}:{port}"
        self.jar = CookieJar()
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.jar))

    @property
    def cookie(self) -> Cookie:
        (cookie,) = self.jar
        return cookie

    def call(self, method: str, path: str) -> tuple[int, str]:
        try:
            with self._opener.open(Request(self._root + path, method=method), timeout=30) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture(params=["uvicorn", "hypercorn"])
def start(request: pytest.FixtureRequest) -> Iterator[Callable[..., Browser]]:
    """Starts an example on a server, and gives a browser. `start(example, store)`."""
    with ExitStack() as stack:

        def begin(example: str, store: str = "") -> Browser:
            port = free_port()
            command = ["env", f"SECRET_KEY={secrets.token_hex(32)}", f"PYTHONPATH={EXAMPLES}"]
            command += [f"SESSION_STORE={store}"] if store else []
            command += [sys.executable, "-m", request.param, f"{example}:app"]
            bind = [f"--port={port}"] if request.param == "uvicorn" else [f"--bind={HOST}:{port}"]
            server = Server([*command, *bind], port)
            stack.callback(server.discard)
            server.start()
            stack.callback(server.stop)
            return Browser(port)

        yield begin


@pytest.mark.parametrize("store", ["", "sqlite:///sessions.db"], ids=["cookie", "sqlite"])
@pytest.mark.parametrize(
    ("example", "greeting", "refusal"),
    [
        ("starlette_minimal", "Hello xiaoming!", (200, "Hello stranger!")),
        ("litestar_minimal", "Hello xiaoming!", (200, "Hello stranger!")),
        ("fastapi_minimal", '"Hello xiaoming!"', (401, '{"detail":"sign in first"}')),
    ],
)
def test_somebody_signs_in_and_out(
    start: Callable[..., Browser], example: str, greeting: str, refusal: tuple[int, str], store: str
) -> None:
    browser = start(example, store)
    assert browser.call("GET", "/") == refusal
    assert not list(browser.jar)
    browser.call("POST", "/login?name=xiaoming")
    assert browser.call("GET", "/") == (200, greeting)
    cookie = browser.cookie
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"
    copied = cookie.value
    browser.call("POST", "/logout")
    assert not list(browser.jar)
    assert browser.call("GET", "/") == refusal
    if store:
        cookie.value = copied
        browser.jar.set_cookie(cookie)
        assert browser.call("GET", "/") == refusal


@pytest.mark.parametrize("store", ["", "sqlite:///sessions.db"], ids=["cookie", "sqlite"])
def test_the_application_without_a_framework_counts_visits(start: Callable[..., Browser], store: str) -> None:
    browser = start("asgi_minimal", store)
    assert [browser.call("GET", "/")[1] for _ in range(3)] == ["Visit 1", "Visit 2", "Visit 3"]
