"""Keys and names change, and nobody is signed out by it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from logging import WARNING

import pytest
from flask import Flask
from flask.testing import FlaskClient

from coatcheck import Event, Reason
from coatcheck.flask import Coatcheck
from coatcheck.testing import Clock

HOUR = 3600
DAY = 24 * HOUR


@pytest.fixture
def client(app: Flask, clock: Clock, events: list[Event]) -> FlaskClient:
    """A visitor who has a session."""
    Coatcheck(app, clock=clock, on_event=events.append)
    client = app.test_client()
    client.get("/stay/user/ada")
    events.clear()
    return client


def rotate(app: Flask) -> None:
    old, app.config["SECRET_KEY"] = app.config["SECRET_KEY"], os.urandom(24)
    app.config["SECRET_KEY_FALLBACKS"] = [old, *(app.config["SECRET_KEY_FALLBACKS"] or [])]


def user(client: FlaskClient) -> str:
    return client.get("/user").text


def test_a_session_of_an_earlier_key_is_read(app: Flask, client: FlaskClient) -> None:
    rotate(app)
    assert user(client) == "ada"


def test_a_session_of_an_earlier_key_is_sealed_anew_at_the_next_response(
    app: Flask, client: FlaskClient, events: list[Event]
) -> None:
    rotate(app)
    response = client.get("/read")
    assert len(response.headers.getlist("Set-Cookie")) == 1
    assert "Max-Age=2678400" in response.headers["Set-Cookie"]
    assert [event.kind.value for event in events] == ["resealed"]
    app.config["SECRET_KEY_FALLBACKS"] = []
    response = client.get("/user")
    assert response.text == "ada"
    assert "Set-Cookie" not in response.headers


def test_a_request_that_does_not_look_does_not_seal_anew(app: Flask, client: FlaskClient) -> None:
    rotate(app)
    assert "Set-Cookie" not in client.get("/plain").headers


def test_a_session_survives_one_rotation_after_the_other(app: Flask, client: FlaskClient) -> None:
    for _ in range(5):
        rotate(app)
        assert user(client) == "ada"
    rotate(app)
    rotate(app)
    assert user(client) == "ada"


def test_the_order_of_the_fallbacks_means_nothing(app: Flask, client: FlaskClient) -> None:
    rotate(app)
    app.config["SECRET_KEY_FALLBACKS"] = [os.urandom(24), *app.config["SECRET_KEY_FALLBACKS"], os.urandom(32)]
    assert user(client) == "ada"
    app.config["SECRET_KEY_FALLBACKS"] = []
    assert user(client) == "ada"


def test_an_expired_session_is_not_brought_back_by_a_rotation(app: Flask, client: FlaskClient, clock: Clock) -> None:
    rotate(app)
    clock.advance(32 * DAY)
    assert user(client) == "None"


def test_a_fallback_with_a_date_opens_until_then(
    app: Flask, client: FlaskClient, clock: Clock, events: list[Event]
) -> None:
    until = datetime.fromtimestamp(clock.now, UTC) + timedelta(hours=1)
    old, app.config["SECRET_KEY"] = app.config["SECRET_KEY"], os.urandom(24)
    app.config["SECRET_KEY_FALLBACKS"] = [(old, until)]
    cookie = client.get_cookie("session")
    assert cookie is not None
    clock.advance(HOUR)
    assert user(client) == "ada"
    clock.advance(1)
    assert user(client) == "ada"  # it was sealed anew
    late = app.test_client()
    late.set_cookie("session", cookie.value)
    response = late.get("/read")
    assert response.json == {} and "Set-Cookie" not in response.headers
    assert events[-1].reason is Reason.KEY_EXPIRED


def test_a_list_may_mix_fallbacks_with_and_without_a_date(app: Flask, client: FlaskClient, clock: Clock) -> None:
    until = datetime.fromtimestamp(clock.now, UTC) + timedelta(hours=1)
    old, app.config["SECRET_KEY"] = app.config["SECRET_KEY"], os.urandom(24)
    app.config["SECRET_KEY_FALLBACKS"] = [(os.urandom(24), until), old, os.urandom(24).hex()]
    clock.advance(2 * HOUR)
    assert user(client) == "ada"


def test_a_session_of_an_unknown_key_is_empty_and_its_cookie_is_left_alone(
    app: Flask, client: FlaskClient, events: list[Event]
) -> None:
    key, app.config["SECRET_KEY"] = app.config["SECRET_KEY"], os.urandom(24)
    response = client.get("/read")
    assert response.json == {} and "Set-Cookie" not in response.headers
    assert [event.reason for event in events] == [Reason.UNKNOWN_KEY]
    app.config["SECRET_KEY"] = key
    assert user(client) == "ada"


def test_an_unknown_key_is_one_warning_that_names_the_likely_cause(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(WARNING, "coatcheck")
    app.config["SECRET_KEY"] = os.urandom(24)
    for _ in range(3):
        client.get("/read")
    (record,) = (record for record in caplog.records if record.name == "coatcheck")
    assert record.levelno == WARNING
    for words in ("SECRET_KEY made at import", "os.urandom", "SECRET_KEY_FALLBACKS"):
        assert words in record.getMessage()


def test_a_view_that_writes_replaces_the_cookie_of_an_unknown_key(app: Flask, client: FlaskClient) -> None:
    app.config["SECRET_KEY"] = os.urandom(24)
    client.get("/keep/user/bob")
    assert client.get("/read").json == {"user": "bob"}


def test_an_earlier_name_hands_its_session_over(app: Flask, client: FlaskClient) -> None:
    app.config.update(SESSION_COOKIE_NAME="sid", SESSION_EARLIER_COOKIE_NAMES=("session", "older"))
    response = client.get("/user")
    assert response.text == "ada"
    new, gone = response.headers.getlist("Set-Cookie")
    assert new.startswith("sid=") and "Max-Age=2678400" in new
    assert gone.startswith("session=; ") and "Max-Age=0" in gone
    assert (client.get_cookie("session"), client.get_cookie("sid") is None) == (None, False)
    assert user(client) == "ada"


def test_the_present_name_wins_over_an_earlier_one(app: Flask, client: FlaskClient) -> None:
    app.config["SESSION_COOKIE_NAME"] = "sid"
    client.get("/keep/user/bob")
    app.config["SESSION_EARLIER_COOKIE_NAMES"] = ["session"]
    assert user(client) == "bob"


def test_clearing_deletes_the_cookies_of_both_names(app: Flask, client: FlaskClient) -> None:
    app.config["SESSION_COOKIE_NAME"] = "sid"
    client.get("/keep/user/bob")
    app.config["SESSION_EARLIER_COOKIE_NAMES"] = ["session"]
    client.get("/clear")
    assert client.get_cookie("session") is None and client.get_cookie("sid") is None


def test_a_move_to_a_host_prefix_takes_the_sessions_along(app: Flask, client: FlaskClient) -> None:
    app.config.update(
        SESSION_COOKIE_NAME="__Host-session", SESSION_COOKIE_SECURE=True, SESSION_EARLIER_COOKIE_NAMES=["session"]
    )
    response = client.get("/user", base_url="https://localhost")
    assert response.text == "ada"
    assert client.get_cookie("session") is None
    assert client.get("/user", base_url="https://localhost").text == "ada"
