"""Flask-Login's own calls sign in and out, with no line for it in the application."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import flask_login
import pytest
from flask import Flask, Response, jsonify, request
from flask.testing import FlaskClient

from coatcheck import Event, ReauthenticationRequired
from coatcheck.core.events import Kind
from coatcheck.flask import Coatcheck, session
from coatcheck.testing import Clock

SECRET = "7f2b1c9d0e3a48659b1d2c3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6"
MODES: dict[str, dict[str, Any]] = {
    "cookie": {},
    "list": {"revocations": "memory:"},
    "store": {"store": "memory:"},
    "hybrid": {"store": "memory:", "mode": "hybrid"},
}
REMEMBERING = [name for name in MODES if name != "cookie"]


class User(flask_login.UserMixin):  # type: ignore[misc]
    def __init__(self, name: str) -> None:
        self.id = name


def shop(clock: Clock, events: list[Event], **options: Any) -> Flask:
    app = Flask("shop", static_folder=None)
    app.config["SECRET_KEY"] = SECRET
    app.extensions["calls"] = Coatcheck(app, clock=clock, on_event=events.append, **options)
    manager = flask_login.LoginManager(app)
    manager.user_loader(User)

    @app.get("/basket")
    def basket() -> str:
        session["basket"] = "full"
        return "kept"

    @app.get("/login/<name>")
    def login(name: str) -> str:
        flask_login.login_user(User(name), remember="remember" in request.args)
        return "in"

    @app.get("/logout")
    def logout() -> str:
        flask_login.logout_user()
        session["message"] = "see you"
        return "out"

    @app.get("/confirm")
    def confirm() -> str:
        flask_login.confirm_login()
        return "confirmed"

    @app.get("/me")
    def me() -> Response:
        user = flask_login.current_user
        content = {key: session[key] for key in ("basket", "message") if key in session}
        return jsonify(user=user.get_id() if user.is_authenticated else None, known=session.user_id, **content)

    @app.get("/fresh")
    def fresh() -> str:
        try:
            session.require_fresh(timedelta(minutes=5))
        except ReauthenticationRequired:
            return "no"
        return "yes"

    return app


@pytest.fixture
def clock() -> Clock:
    return Clock(1_800_000_000)


@pytest.fixture
def events() -> list[Event]:
    return []


def cookie_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("session")
    assert cookie is not None
    return cookie.value


def copy_of(client: FlaskClient, app: Flask) -> FlaskClient:
    other = app.test_client()
    other.set_cookie("session", cookie_of(client))
    return other


@pytest.mark.parametrize("mode", MODES)
def test_a_login_keeps_the_basket_and_gives_a_new_id(mode: str, clock: Clock, events: list[Event]) -> None:
    app = shop(clock, events, **MODES[mode])
    client = app.test_client()
    client.get("/basket")
    planted = copy_of(client, app)
    client.get("/login/ada")
    assert client.get("/me").json == {"user": "ada", "known": "ada", "basket": "full"}
    assert planted.get("/me").json["user"] is None  # type: ignore[index]
    if mode != "cookie":
        assert planted.get("/me").json == {"user": None, "known": None}
    assert Kind.SIGNED_IN in [event.kind for event in events]


@pytest.mark.parametrize("mode", MODES)
def test_another_user_finds_nothing_of_the_first(mode: str, clock: Clock, events: list[Event]) -> None:
    client = shop(clock, events, **MODES[mode]).test_client()
    client.get("/login/ada")
    client.get("/basket")
    client.get("/login/bob")
    assert client.get("/me").json == {"user": "bob", "known": "bob"}


@pytest.mark.parametrize("mode", MODES)
def test_a_logout_leaves_what_the_application_keeps_to_a_session_of_nobody(
    mode: str, clock: Clock, events: list[Event]
) -> None:
    app = shop(clock, events, **MODES[mode])
    client = app.test_client()
    client.get("/basket")
    client.get("/login/ada")
    copied = copy_of(client, app)
    client.get("/logout")
    assert client.get("/me").json == {"user": None, "known": None, "basket": "full", "message": "see you"}
    assert Kind.SIGNED_OUT in [event.kind for event in events]
    if mode != "cookie":
        assert copied.get("/me").json == {"user": None, "known": None}


@pytest.mark.parametrize("mode", REMEMBERING)
def test_the_sessions_of_a_user_are_listed_and_ended(mode: str, clock: Clock, events: list[Event]) -> None:
    app = shop(clock, events, **MODES[mode])
    here, there = app.test_client(), app.test_client()
    here.get("/login/ada", headers={"User-Agent": "Here/1"})
    there.get("/login/ada", headers={"User-Agent": "There/1"})
    calls: Coatcheck = app.extensions["calls"]
    with app.app_context():
        infos = calls.sessions_of("ada")
        assert {(info.user_agent, info.ip) for info in infos} == {("Here/1", "127.0.0.1"), ("There/1", "127.0.0.1")}
        gone = next(info for info in infos if info.user_agent == "There/1")
        assert calls.revoke(gone.handle, user_id="ada")
    assert there.get("/me").json == {"user": None, "known": None}
    assert here.get("/me").json == {"user": "ada", "known": "ada"}


@pytest.mark.parametrize("mode", MODES)
def test_a_cookie_that_remembers_signs_in_and_proves_nothing_anew(mode: str, clock: Clock, events: list[Event]) -> None:
    client = shop(clock, events, **MODES[mode]).test_client()
    client.get("/login/ada?remember")
    assert client.get("/fresh").text == "yes"
    client.delete_cookie("session")
    assert client.get("/me").json == {"user": "ada", "known": "ada"}
    assert client.get("/fresh").text == "no"
    client.get("/confirm")
    assert client.get("/fresh").text == "yes"


@pytest.mark.parametrize("mode", REMEMBERING)
def test_strong_protection_ends_the_session_of_another_browser(mode: str, clock: Clock, events: list[Event]) -> None:
    app = shop(clock, events, **MODES[mode])
    app.login_manager.session_protection = "strong"  # type: ignore[attr-defined]
    client = app.test_client()
    client.get("/login/ada", headers={"User-Agent": "Here/1"})
    thief = copy_of(client, app)
    assert thief.get("/me", headers={"User-Agent": "Thief/1"}).json == {"user": None, "known": None}
    assert client.get("/me", headers={"User-Agent": "Here/1"}).json == {"user": None, "known": None}


def test_a_logout_of_nobody_begins_no_session(clock: Clock, events: list[Event]) -> None:
    app = shop(clock, events, store="memory:")
    app.view_functions["logout"] = lambda: str(flask_login.logout_user())
    client = app.test_client()
    assert "Set-Cookie" not in client.get("/logout").headers
    assert not events


def test_an_application_may_have_flask_login_and_another_session(clock: Clock) -> None:
    app = Flask("plain", static_folder=None)
    app.config["SECRET_KEY"] = SECRET
    flask_login.LoginManager(app).user_loader(User)
    app.add_url_rule("/login", view_func=lambda: str(flask_login.login_user(User("ada"))), endpoint="login")
    client = app.test_client()
    assert client.get("/login").text == "True"
    assert re.match(r"session=\.?[\w-]+\.", client.get("/login").headers["Set-Cookie"])
