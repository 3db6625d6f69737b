"""The program that signs in with Flask."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pages.guest import Page

from coatcheck.testing import Clock

LIST = "/account/sessions/"
NAME, PASSWORD, BETTER = "xiaoming", "correct horse", "battery staple"


@pytest.fixture
def app(load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: Clock) -> Flask:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLASK_SECRET_KEY", secrets.token_hex(32))
    app: Flask = load("sign_in_flask").app
    app.config["SESSION_CLOCK"] = clock
    return app


def send(client: FlaskClient, path: str, **fields: str) -> int:
    """Fills in the form of a page and sends it. Gives the status."""
    page = "/" if path == "/logout" else path
    return client.post(path, data={"csrf": Page(client.get(page).text).csrf, **fields}).status_code


def sign_in(app: Flask, password: str = PASSWORD) -> FlaskClient:
    client = app.test_client()
    assert send(client, "/login", name=NAME, password=password) == 303
    return client


def greeting(client: FlaskClient) -> str:
    return Page(client.get("/").text).texts("h1")[0]


def test_somebody_signs_in_and_out(app: Flask) -> None:
    client = sign_in(app)
    assert greeting(client) == "Hello xiaoming!"
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert send(client, "/logout") == 303
    assert greeting(client) == "Hello stranger!"
    client.set_cookie("session", cookie.value)
    assert greeting(client) == "Hello stranger!"


@pytest.mark.parametrize(("name", "password"), [(NAME, "wrong"), ("nobody", ""), ("nobody", PASSWORD), ("", "")])
def test_a_wrong_password_signs_nobody_in(app: Flask, name: str, password: str) -> None:
    client = app.test_client()
    assert send(client, "/login", name=name, password=password) == 403
    assert greeting(client) == "Hello stranger!"


def test_a_form_of_another_site_does_nothing(app: Flask) -> None:
    client = sign_in(app)
    for path in ("/login", "/logout", "/password", LIST):
        assert client.post(path, data={"name": NAME, "password": PASSWORD, "end": "others"}).status_code == 403
    assert greeting(client) == "Hello xiaoming!"


def test_one_browser_ends_the_other(app: Flask) -> None:
    here, there = sign_in(app), sign_in(app)
    (_, other) = Page(here.get(LIST).text).cards
    assert send(here, LIST, end=other.handle) == 303
    assert (greeting(here), greeting(there)) == ("Hello xiaoming!", "Hello stranger!")


def test_a_new_password_signs_out_whoever_knew_the_old_one(app: Flask) -> None:
    here, thief = sign_in(app), sign_in(app)
    before = here.get_cookie("session")
    assert send(here, "/password", old="wrong", new=BETTER) == 403
    assert send(here, "/password", old=PASSWORD, new="short") == 422
    assert greeting(thief) == "Hello xiaoming!"
    assert send(here, "/password", old=PASSWORD, new=BETTER) == 303
    assert (greeting(here), greeting(thief)) == ("Hello xiaoming!", "Hello stranger!")
    assert here.get_cookie("session") != before
    assert send(thief, "/login", name=NAME, password=PASSWORD) == 403
    assert greeting(sign_in(app, BETTER)) == "Hello xiaoming!"


def test_a_browser_that_was_left_open_changes_no_password(app: Flask, clock: Clock) -> None:
    client = sign_in(app)
    assert client.get("/password").status_code == 200
    clock.advance(11 * 60)
    assert client.get("/password").headers["Location"] == "/login"
    guest = app.test_client()
    assert guest.get("/password").headers["Location"] == "/login"
