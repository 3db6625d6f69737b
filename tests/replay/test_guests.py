"""Guests and bots in hybrid mode leave nothing in a real database, however many they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest
from kit import SECRET, name_and_value

from coatcheck.wsgi import SessionMiddleware

REQUESTS = 10_000
BOTS = 2_000


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    session = environ["coatcheck.session"]
    if environ["PATH_INFO"] == "/login":
        session.login("ada")
    session["n"] = session.get("n", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
    return [b""]


class Site:
    """A site of which each request is a call."""

    def __init__(self, path: Path, mode: Literal["store", "hybrid"]) -> None:
        self._path = path
        self.app = SessionMiddleware(app, secret_key=SECRET, store=f"sqlite:///{path}", mode=mode)

    def ask(self, cookie: str = "", path: str = "/") -> str:
        """Makes a request, and gives the cookie that a browser has afterwards."""
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "HTTP_HOST": "shop.example",
            "HTTP_COOKIE": cookie,
            "wsgi.url_scheme": "https",
        }
        headers: list[tuple[str, str]] = []

        def start_response(_: str, given: list[tuple[str, str]], __: Any = None, /) -> Callable[[bytes], object]:
            headers.extend(given)
            return lambda _: None

        body: Any = self.app(environ, start_response)
        try:
            b"".join(body)
        finally:
            getattr(body, "close", lambda: None)()
        for name, value in headers:
            if name == "Set-Cookie":
                cookie = "=".join(name_and_value(value))
        return cookie

    def rows(self) -> int:
        """Counts the rows of every table."""
        if not self._path.exists():
            return 0
        with closing(sqlite3.connect(self._path)) as database:
            names = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
            return sum(database.execute(f'select count(*) from "{name}"').fetchone()[0] for name in names)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "sessions.db", "hybrid")


def test_ten_thousand_requests_of_guests_that_write_leave_no_row(site: Site) -> None:
    before = site.rows()
    cookie = ""
    for number in range(REQUESTS):
        # A hundred guests, one after the other.
        cookie = site.ask(cookie if number % 100 else "")
        assert cookie
    assert site.rows() == before == 0
    # The same request does leave something where a user has signed in.
    site.ask(cookie, "/login")
    assert site.rows() > 0


def test_bots_that_keep_no_cookies_leave_no_row(site: Site) -> None:
    for _ in range(BOTS):
        site.ask()
    assert site.rows() == 0


def test_those_who_send_rubbish_leave_no_row(site: Site) -> None:
    guest = site.ask()
    for number in range(BOTS):
        changed = f"{guest[:-4]}{number:04}"
        site.ask(changed)
        site.ask(f"session={'A' * (number % 5000)}")
    assert site.rows() == 0


def test_in_store_mode_each_of_them_leaves_a_row(tmp_path: Path) -> None:
    """So what is counted above is what counts."""
    site = Site(tmp_path / "sessions.db", "store")
    for _ in range(10):
        site.ask()
    assert site.rows() >= 10
