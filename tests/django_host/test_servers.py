"""Django on real servers, with a real cookie jar: its admin, sync and async views, with either middleware."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest
from servers.process import HOST, Server, free_port

HERE = Path(__file__).parent
MIDDLEWARE = {
    "ours": "coatcheck.django.SessionMiddleware",
    "theirs": "django.contrib.sessions.middleware.SessionMiddleware",
}


class Browser:
    def __init__(self, port: int) -> None:
        self.jar = CookieJar()
        self._site = f"http://{HOST}:{port}"
        self._opener: OpenerDirector = build_opener(HTTPCookieProcessor(self.jar))

    def get(self, path: str, **form: str) -> str:
        with self._opener.open(self._site + path, urlencode(form).encode() if form else None, timeout=60) as answer:
            text: str = answer.read().decode()
            return text

    def post(self, path: str, page: str, **form: str) -> str:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        return self.get(path, csrfmiddlewaretoken=token[1], **form)

    @property
    def session(self) -> str | None:
        found = [cookie.value for cookie in self.jar if cookie.name == "sessionid"]
        return found[0] if found else None


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    environ = {**os.environ, "SITE": str(folder), "MIDDLEWARE": MIDDLEWARE["ours"]}
    subprocess.run([sys.executable, str(HERE / "served.py")], env=environ, check=True, timeout=120)
    return folder


@pytest.fixture(params=["gunicorn", "uvicorn"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["ours", "theirs"])
def middleware(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["cookie", "store"])
def browser(
    request: pytest.FixtureRequest, kind: str, middleware: str, site: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Browser]:
    monkeypatch.setenv("SITE", str(site))
    monkeypatch.setenv("MIDDLEWARE", MIDDLEWARE[middleware])
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    if request.param == "store":
        monkeypatch.setenv("STORE", f"sqlite:///{site / 'sessions.db'}")
    port = free_port()
    command = {
        "gunicorn": ["-m", "gunicorn", "--no-control-socket", f"--bind={HOST}:{port}", "--threads=4", "served"],
        "uvicorn": ["-m", "uvicorn", f"--host={HOST}", f"--port={port}", "--lifespan=off", "served:asgi"],
    }
    server = Server([sys.executable, *command[kind]], port)
    try:
        server.start()
        yield Browser(port)
    finally:
        server.discard()


def test_the_admin_signs_in_and_out_and_views_of_both_kinds_share_the_session(browser: Browser) -> None:
    assert browser.get("/count") == "1"
    assert browser.get("/acount") == "2"
    before = browser.session
    page = browser.get("/admin/")
    page = browser.post("/admin/login/?next=/admin/", page, username="ann", password="a long password")
    assert "Site administration" in page
    assert browser.session != before
    # What a visitor had put there before is still there.
    assert browser.get("/count") == "3"
    signed_in = browser.get("/admin/")
    assert "Site administration" in signed_in
    browser.post("/admin/logout/", signed_in)
    assert browser.session is None
    assert "Site administration" not in browser.get("/admin/")
    assert browser.get("/acount") == "1"
