"""The programs for FastAPI and Django in which a user signs in, each on a real server, with two browsers."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

import pytest
from servers.process import HOST, Server, free_port, new_folder

EXAMPLES = Path(__file__).parents[2] / "examples"
CREDENTIALS = {"name": "xiaoming", "username": "xiaoming", "password": "correct horse"}


class Browser:
    """Follows redirects, and keeps the cookies as Python's own client does."""

    def __init__(self, port: int, *, agent: str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0") -> None:
        self._port, self._agent = port, agent
        self._root = f"http://{HOST}:{port}"
        self.jar = CookieJar()
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.jar))

    def copy(self) -> Browser:
        """Gives the browser of somebody who has a copy of this one's cookies."""
        other = Browser(self._port)
        for cookie in self.jar:
            other.jar.set_cookie(cookie)
        return other

    def get(self, path: str = "/") -> tuple[int, str]:
        return self._call(Request(self._root + path, headers={"User-Agent": self._agent}))

    def send(self, path: str, **fields: str) -> tuple[int, str]:
        """Sends a form with the token of the first page."""
        shown = self.get("/")[1]
        found = re.search(r'name="(csrf\w*)" value="([^"]+)"', shown)
        assert found, shown
        data = urlencode({found[1]: found[2], **fields}).encode()
        return self._call(Request(self._root + path, data, {"User-Agent": self._agent}))

    def _call(self, request: Request) -> tuple[int, str]:
        try:
            with self._opener.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture(params=["cookie", "store"])
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the sessions are. The list of what has been ended is in a file of its own in both."""
    monkeypatch.setenv("SECRET_KEY", secrets.token_hex(32))
    if request.param == "store":
        monkeypatch.setenv("SESSION_STORE", "sqlite:///sessions.db")


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives the database of a site of Django's that has one user."""
    folder = tmp_path_factory.mktemp("users")
    names = {
        "SECRET_KEY": secrets.token_hex(32),
        "DJANGO_SUPERUSER_USERNAME": "xiaoming",
        "DJANGO_SUPERUSER_PASSWORD": "correct horse",
    }
    for verb in (["migrate"], ["createsuperuser", "--noinput", "--email="]):
        command = [sys.executable, str(EXAMPLES / "sign_in_django.py"), *verb, "-v0"]
        subprocess.run(command, cwd=folder, env={**os.environ, **names}, check=True)
    return folder / "users.db"


@pytest.fixture(params=["fastapi", "django"])
def port(request: pytest.FixtureRequest, settings: None, users: Path) -> Iterator[int]:
    port = free_port()
    folder = new_folder()
    if request.param == "fastapi":
        command = ["-m", "uvicorn", "--app-dir", str(EXAMPLES), "sign_in_fastapi:app", f"--port={port}"]
    else:
        shutil.copy(users, folder)
        command = [str(EXAMPLES / "sign_in_django.py"), "runserver", "--noreload", f"{HOST}:{port}"]
    server = Server([sys.executable, *command], port, folder=folder)
    with ExitStack() as stack:
        stack.callback(server.discard)
        server.start()
        stack.callback(server.stop)
        yield port


@pytest.fixture
def sign_in(port: int) -> Callable[[], Browser]:
    def enter() -> Browser:
        browser = Browser(port)
        status, page = browser.send("/login", **CREDENTIALS)
        assert status == 200
        assert "Hello xiaoming!" in page
        return browser

    return enter


def test_a_wrong_password_and_a_form_of_another_site_sign_nobody_in(port: int) -> None:
    browser = Browser(port)
    browser.send("/login", **{**CREDENTIALS, "password": "wrong"})
    assert "Hello" not in browser.get()[1]
    assert browser.send("/login", **CREDENTIALS, csrf="", csrfmiddlewaretoken="")[0] == 403
    assert "Hello" not in browser.get()[1]


def test_one_browser_sees_the_other_and_ends_it(sign_in: Callable[[], Browser]) -> None:
    here, there = sign_in(), sign_in()
    page = here.get()[1]
    assert page.count("Firefox") == 2
    assert page.count(HOST) == 2
    (handle,) = re.findall(r'name="handle" value="(\w+)"', page)
    assert here.send("/end", handle="0" * len(handle))[0] == 404
    assert here.send("/end", handle=handle)[1].count("Firefox") == 1
    assert "Hello" not in there.get()[1]
    assert "Hello xiaoming!" in here.get()[1]


def test_one_button_ends_all_others_and_another_this_one(sign_in: Callable[[], Browser]) -> None:
    here, *there = (sign_in() for _ in range(3))
    assert here.send("/end-others")[1].count("Firefox") == 1
    assert all("Hello" not in each.get()[1] for each in there)
    thief = here.copy()
    assert "Hello" in thief.get()[1]
    here.send("/logout")
    assert ["Hello" in each.get()[1] for each in (here, thief)] == [False, False]
