"""The small programs on gunicorn, with both of its usual workers, and on waitress, with a browser's cookie jar."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import IncompleteRead
from http.cookiejar import Cookie, CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

import pytest
from servers.process import HOST, Server, free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMANDS = {
    "gunicorn": ["gunicorn", "--no-control-socket", "--worker-class=sync"],
    "gunicorn with threads": ["gunicorn", "--no-control-socket", "--worker-class=gthread", "--threads=4"],
    "waitress": ["waitress", "--threads=4"],
}
STORES = pytest.mark.parametrize("store", ["", "sqlite:///sessions.db"], ids=["cookie", "sqlite"])


class Browser:
    """Keeps the cookies as Python's own client does."""

    def __init__(self, port: int) -> None:
        self._root = f"http://{HOST}:{port}"
        self.jar = CookieJar()
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.jar))

    @property
    def cookie(self) -> Cookie:
        (cookie,) = self.jar
        return cookie

    def call(self, path: str, method: str = "GET") -> tuple[int, str]:
        try:
            with self._opener.open(Request(self._root + path, method=method), timeout=30) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture(params=COMMANDS)
def start(request: pytest.FixtureRequest) -> Iterator[Callable[..., Browser]]:
    """Starts a program on a server, and gives a browser. `start(program, store)`."""
    with ExitStack() as stack:

        def begin(program: str, store: str = "", folder: Path = EXAMPLES) -> Browser:
            port = free_port()
            command = ["env", f"SECRET_KEY={secrets.token_hex(32)}", f"PYTHONPATH={folder}"]
            command += [f"SESSION_STORE={store}"] if store else []
            module, *arguments = COMMANDS[request.param]
            command += [sys.executable, "-m", module, *arguments]
            command += [f"--bind={HOST}:{port}" if module == "gunicorn" else f"--listen={HOST}:{port}"]
            server = Server([*command, f"{program}:app"], port)
            stack.callback(server.discard)
            server.start()
            stack.callback(server.stop)
            return Browser(port)

        yield begin


@STORES
@pytest.mark.parametrize("example", ["bottle_minimal", "falcon_minimal", "pyramid_minimal"])
def test_somebody_signs_in_and_out(start: Callable[..., Browser], example: str, store: str) -> None:
    browser = start(example, store)
    assert browser.call("/") == (200, "Hello stranger!")
    assert not list(browser.jar)
    assert browser.call("/login?name=xiaoming", "POST")[0] == 200
    assert browser.call("/") == (200, "Hello xiaoming!")
    assert browser.call("/stream") == (200, "0 1 2 ")
    assert browser.call("/") == (200, "Hello xiaoming!")
    cookie = browser.cookie
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"
    copied = cookie.value
    browser.call("/logout", "POST")
    assert not list(browser.jar)
    assert browser.call("/") == (200, "Hello stranger!")
    if store:
        cookie.value = copied
        browser.jar.set_cookie(cookie)
        assert browser.call("/") == (200, "Hello stranger!")


@STORES
def test_the_application_without_a_framework_counts_visits(start: Callable[..., Browser], store: str) -> None:
    browser = start("wsgi_minimal", store)
    assert [browser.call("/")[1] for _ in range(3)] == ["Visit 1", "Visit 2", "Visit 3"]


@STORES
def test_a_change_in_a_stream_is_kept_or_breaks_it(start: Callable[..., Browser], store: str) -> None:
    browser = start("late_changes", store, Path(__file__).parent)
    browser.call("/put")
    if store:
        assert browser.call("/stream") == (200, "onetwo")
        assert browser.call("/look") == (200, "{'user': 'ann', 'late': True}")
        return
    with pytest.raises(IncompleteRead) as caught:
        browser.call("/stream")
    assert caught.value.partial == b"one"
    assert browser.call("/look") == (200, "{'user': 'ann'}")


def test_a_file_is_sent_as_it_is(start: Callable[..., Browser]) -> None:
    browser = start("late_changes", "", Path(__file__).parent)
    browser.call("/put")
    assert browser.call("/file") == (200, Path(__file__).with_name("late_changes.py").read_text())
