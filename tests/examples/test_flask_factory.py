"""The application factory, with keys that come from the environment and change."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType

import pytest
from flask.testing import FlaskClient
from kit import NOON, attributes, name_and_value

from coatcheck import UsageError
from coatcheck.flask import session
from coatcheck.testing import Clock

OLD, NEW = secrets.token_hex(32), secrets.token_hex(32)
HTTPS = "https://shop.example"


@pytest.fixture
def visit(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> Callable[..., FlaskClient]:
    """Starts the application with a key and fallbacks in its environment, and gives a browser."""
    factory = load("flask_factory")

    def start(key: str, *fallbacks: str, **config: object) -> FlaskClient:
        monkeypatch.setenv("FLASK_SECRET_KEY", key)
        monkeypatch.setenv("FLASK_SECRET_KEY_FALLBACKS", json.dumps(fallbacks))
        client: FlaskClient = factory.create_app(SESSION_CLOCK=clock, **config).test_client(use_cookies=False)
        client.environ_base["wsgi.url_scheme"] = "https"
        return client

    return start


def cookie_of(client: FlaskClient, user: str) -> str:
    answer = client.post("/login", data={"user": user}, base_url=HTTPS)
    assert answer.status_code == 303
    (cookie,) = answer.headers.getlist("Set-Cookie")
    return cookie.partition(";")[0]


def greeting(client: FlaskClient, cookie: str) -> str:
    return client.get("/", headers={"Cookie": cookie}, base_url=HTTPS).text


def test_the_cookie_is_for_this_host_and_https_alone(visit: Callable[..., FlaskClient]) -> None:
    cookie = visit(NEW).post("/login", data={"user": "xiaoming"}, base_url=HTTPS).headers["Set-Cookie"]
    assert name_and_value(cookie)[0] == "__Host-session"
    assert attributes(cookie) == {"secure": "", "httponly": "", "path": "/", "samesite": "Lax"}


def test_a_rotated_key_logs_nobody_out(visit: Callable[..., FlaskClient]) -> None:
    earlier = cookie_of(visit(OLD), "xiaoming")
    during = visit(NEW, OLD)
    answer = during.get("/", headers={"Cookie": earlier}, base_url=HTTPS)
    assert answer.text == "Hello xiaoming!"
    (sealed_anew,) = answer.headers.getlist("Set-Cookie")
    afterwards = visit(NEW)
    assert greeting(afterwards, sealed_anew.partition(";")[0]) == "Hello xiaoming!"
    assert greeting(afterwards, earlier) == "Hello stranger!"


def test_the_cookie_of_the_earlier_name_is_taken_over(visit: Callable[..., FlaskClient]) -> None:
    before = cookie_of(visit(NEW, SESSION_COOKIE_NAME="session", SESSION_EARLIER_COOKIE_NAMES=[]), "xiaoming")
    assert before.startswith("session=")
    answer = visit(NEW).get("/", headers={"Cookie": before}, base_url=HTTPS)
    assert answer.text == "Hello xiaoming!"
    kept, deleted = sorted(answer.headers.getlist("Set-Cookie"))
    assert kept.startswith("__Host-session=A")
    assert deleted.startswith("session=; ")
    assert attributes(deleted)["max-age"] == "0"


def test_a_login_begins_a_new_session(visit: Callable[..., FlaskClient], clock: Clock) -> None:
    client = visit(NEW)
    first = cookie_of(client, "xiaoming")
    clock.advance(timedelta(hours=11).total_seconds())
    answer = client.post("/login", data={"user": "xiaohong"}, headers={"Cookie": first}, base_url=HTTPS)
    second = answer.headers["Set-Cookie"].partition(";")[0]
    with client.application.test_request_context(headers={"Cookie": first}, base_url=HTTPS):
        before, began = session.handle, session.created_at.timestamp()
    with client.application.test_request_context(headers={"Cookie": second}, base_url=HTTPS):
        assert session == {"user": "xiaohong"}
        assert session.handle != before
        assert (began, session.created_at.timestamp()) == (NOON, clock.now)


def test_a_logout_deletes_the_cookie(visit: Callable[..., FlaskClient]) -> None:
    client = visit(NEW)
    answer = client.post("/logout", headers={"Cookie": cookie_of(client, "xiaoming")}, base_url=HTTPS)
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-session=; ")
    assert attributes(cookie)["max-age"] == "0"


def test_thirty_days_after_the_login_the_session_is_over_however_often_it_was_used(
    visit: Callable[..., FlaskClient], clock: Clock
) -> None:
    client = visit(NEW)
    cookie = cookie_of(client, "xiaoming")
    for _ in range(60):
        clock.advance(timedelta(hours=12).total_seconds())
        answer = client.get("/", headers={"Cookie": cookie}, base_url=HTTPS)
        assert answer.text == "Hello xiaoming!"
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    clock.advance(1)
    assert greeting(client, cookie) == "Hello stranger!"


def test_twelve_hours_unseen_end_a_session(visit: Callable[..., FlaskClient], clock: Clock) -> None:
    client = visit(NEW)
    cookie = cookie_of(client, "xiaoming")
    clock.advance(timedelta(hours=12, seconds=1).total_seconds())
    assert greeting(client, cookie) == "Hello stranger!"


def test_a_user_is_no_html(visit: Callable[..., FlaskClient]) -> None:
    client = visit(NEW)
    assert greeting(client, cookie_of(client, "<b>")) == "Hello &lt;b&gt;!"


def test_refusals_are_logged_without_the_token(
    visit: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture
) -> None:
    cookie = cookie_of(visit(OLD), "xiaoming")
    caplog.set_level(logging.INFO, "flask_factory")
    caplog.clear()
    assert greeting(visit(NEW), cookie) == "Hello stranger!"
    messages = [record.getMessage() for record in caplog.records if record.name == "flask_factory"]
    assert messages == ["session - rejected: unknown_key"]
    assert cookie.partition("=")[2] not in caplog.text


def test_a_weak_key_stops_the_start(visit: Callable[..., FlaskClient]) -> None:
    with pytest.raises(UsageError, match="needs at least 16"):
        visit("development")
