"""Sessions in a file, and in another store when the environment says so."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from flask.testing import FlaskClient
from servers.redis import RedisServer

KEY = secrets.token_hex(32)


@pytest.fixture
def start(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., FlaskClient]:
    """Starts the program in an empty folder, as a new process would, and gives a browser."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLASK_SECRET_KEY", KEY)

    def begin(before: FlaskClient | None = None, **environment: str) -> FlaskClient:
        for name, value in environment.items():
            monkeypatch.setenv(f"FLASK_SESSION_{name}", value)
        client: FlaskClient = load("flask_on_server").app.test_client()
        cookie = before and before.get_cookie("session")
        if cookie:
            client.set_cookie("session", cookie.value)
        return client

    return begin


def signed_in(client: FlaskClient) -> FlaskClient:
    for thing in ("a pear", "<b>"):
        client.post("/cart", data={"thing": thing})
    client.post("/login", data={"user": "xiaoming"})
    return client


GREETING = "Hello xiaoming! In your cart: a pear, &lt;b&gt;."
NOBODY = "Hello stranger! In your cart: nothing."


def test_a_session_is_kept_in_a_file_and_outlasts_the_program(
    start: Callable[..., FlaskClient], tmp_path: Path
) -> None:
    client = signed_in(start())
    assert client.get("/").text == GREETING
    assert start(client).get("/").text == GREETING
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert (tmp_path / "sessions.db").exists() and b"xiaoming" not in content


def test_a_login_gives_a_new_id_and_keeps_the_cart(start: Callable[..., FlaskClient]) -> None:
    client = start()
    client.post("/cart", data={"thing": "a pear"})
    before = client.get_cookie("session")
    client.post("/login", data={"user": "xiaoming"})
    assert client.get_cookie("session") != before
    assert client.get("/").text == "Hello xiaoming! In your cart: a pear."


def test_a_logout_ends_every_copy_of_the_cookie(start: Callable[..., FlaskClient]) -> None:
    client = signed_in(start())
    thief = start(client)
    assert thief.get("/").text == GREETING
    client.post("/logout")
    assert client.get("/").text == thief.get("/").text == NOBODY


def test_two_tabs_that_fill_the_cart_lose_nothing(load: Callable[[str], ModuleType]) -> None:
    join = load("flask_on_server").join
    assert join(["pear"], ["pear", "fig"], ["pear", "nut"]) == ["pear", "nut", "fig"]
    assert join(None, ["fig"], ["nut"]) == ["nut", "fig"]


def test_it_moves_to_redis_and_nobody_is_logged_out(
    start: Callable[..., FlaskClient], redis_server: RedisServer
) -> None:
    client = signed_in(start())
    moved = start(client, STORE=redis_server.url(), EARLIER_STORE="sqlite:///sessions.db")
    assert moved.get("/").text == GREETING
    assert start(moved, EARLIER_STORE="null").get("/").text == GREETING


def test_while_the_store_is_down_it_asks_for_patience(start: Callable[..., FlaskClient]) -> None:
    client = signed_in(start())
    cut_off = start(client, STORE="redis://127.0.0.1:1/0")
    response = cut_off.get("/")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "60")
    assert response.text == "Please come again in a minute."
    assert start(client, STORE="sqlite:///sessions.db").get("/").text == GREETING
