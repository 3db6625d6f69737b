"""Being looked at makes a session live longer, but its cookie is not sent with every response."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from coatcheck import Event
from coatcheck.flask import Coatcheck, session
from coatcheck.testing import Clock

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
KINDS = pytest.mark.parametrize("page", ["/stay/user/ada", "/keep/user/ada"], ids=["permanent", "browser"])


def sent(response: TestResponse) -> bool:
    return "Set-Cookie" in response.headers


@pytest.fixture
def client(app: Flask, clock: Clock, events: list[Event]) -> FlaskClient:
    Coatcheck(app, clock=clock, on_event=events.append)
    return app.test_client()


@KINDS
def test_a_look_within_the_interval_sends_nothing(client: FlaskClient, clock: Clock, page: str) -> None:
    client.get(page)
    for _ in range(4):
        clock.advance(15 * MINUTE)
        assert not sent(client.get("/read"))


@KINDS
def test_a_look_after_the_interval_refreshes(client: FlaskClient, clock: Clock, events: list[Event], page: str) -> None:
    client.get(page)
    clock.advance(HOUR + 1)
    response = client.get("/read")
    assert sent(response) and response.headers["Cache-Control"] == "no-store"
    assert ("Max-Age=2678400" in response.headers["Set-Cookie"]) == page.startswith("/stay")
    assert [event.kind.value for event in events] == ["created", "refreshed"]
    assert not sent(client.get("/read"))


@KINDS
def test_a_request_that_does_not_look_does_not_refresh(client: FlaskClient, clock: Clock, page: str) -> None:
    client.get(page)
    clock.advance(DAY)
    assert not sent(client.get("/plain"))


@pytest.mark.parametrize(
    ("lifetime", "interval"),
    [(HOUR, 36), (10 * HOUR, 360), (100 * HOUR, HOUR), (101 * HOUR, HOUR), (400 * DAY, HOUR)],
)
def test_the_interval_is_a_hundredth_of_the_lifetime_and_at_most_an_hour(
    app: Flask, client: FlaskClient, clock: Clock, lifetime: int, interval: int
) -> None:
    app.config["PERMANENT_SESSION_LIFETIME"] = lifetime
    client.get("/stay/user/ada")
    clock.advance(interval)
    assert not sent(client.get("/read"))
    clock.advance(1)
    assert sent(client.get("/read"))


def test_an_interval_may_be_configured(app: Flask, client: FlaskClient, clock: Clock) -> None:
    app.config["SESSION_REFRESH_INTERVAL"] = 600
    client.get("/stay/user/ada")
    clock.advance(600)
    assert not sent(client.get("/read"))
    clock.advance(1)
    assert sent(client.get("/read"))


@KINDS
def test_a_session_that_is_looked_at_lives_on_and_on(client: FlaskClient, clock: Clock, page: str) -> None:
    client.get(page)
    for _ in range(10):
        clock.advance(30 * DAY)
        assert client.get("/user").text == "ada"


@KINDS
def test_the_server_ends_a_session_that_nobody_looked_at(
    client: FlaskClient, clock: Clock, events: list[Event], page: str
) -> None:
    client.get(page)
    clock.advance(31 * DAY)
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert client.get("/user").text == "ada"
    client.set_cookie("session", cookie.value)
    clock.advance(1)
    response = client.get("/read")
    assert response.json == {} and not sent(response)
    assert events[-1].reason is not None and events[-1].reason.value == "expired"


@KINDS
def test_requests_that_do_not_look_do_not_keep_a_session_alive(client: FlaskClient, clock: Clock, page: str) -> None:
    client.get(page)
    for _ in range(32):
        clock.advance(DAY)
        client.get("/plain")
    assert client.get("/read").json == {}


@KINDS
def test_without_refresh_a_session_ends_a_lifetime_after_the_last_change(
    app: Flask, client: FlaskClient, clock: Clock, page: str
) -> None:
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    client.get(page)
    clock.advance(20 * DAY)
    assert not sent(client.get("/read"))
    assert sent(client.get("/keep/user/bob"))
    clock.advance(31 * DAY)
    response = client.get("/user")
    assert response.text == "bob" and not sent(response)
    clock.advance(1)
    assert client.get("/read").json == {}


def test_an_absolute_lifetime_is_extended_by_nothing(app: Flask, client: FlaskClient, clock: Clock) -> None:
    app.config["SESSION_ABSOLUTE_LIFETIME"] = timedelta(days=2)
    client.get("/stay/user/ada")
    for hour in range(47):
        clock.advance(HOUR)
        client.get(f"/keep/hour/{hour}")
    clock.advance(HOUR)
    assert client.get("/user").text == "ada"
    clock.advance(1)
    assert client.get("/read").json == {}


def test_the_cookie_does_not_outlive_the_absolute_lifetime(app: Flask, client: FlaskClient, clock: Clock) -> None:
    app.config["SESSION_ABSOLUTE_LIFETIME"] = 40 * HOUR
    assert f"Max-Age={40 * HOUR};" in client.get("/stay/user/ada").headers["Set-Cookie"]
    clock.advance(30 * HOUR)
    assert f"Max-Age={10 * HOUR};" in client.get("/read").headers["Set-Cookie"]


def test_a_new_session_after_the_absolute_lifetime_has_a_full_one(
    app: Flask, client: FlaskClient, clock: Clock
) -> None:
    app.config["SESSION_ABSOLUTE_LIFETIME"] = HOUR
    client.get("/stay/user/ada")
    clock.advance(2 * HOUR)
    assert f"Max-Age={HOUR};" in client.get("/stay/user/bob").headers["Set-Cookie"]
    assert client.get("/user").text == "bob"


def test_created_at_is_the_beginning_whatever_happens_later(app: Flask, client: FlaskClient, clock: Clock) -> None:
    app.add_url_rule("/since", view_func=lambda: str(session.created_at.timestamp()))
    began = clock.now
    client.get("/stay/user/ada")
    for _ in range(3):
        clock.advance(20 * DAY)
        assert float(client.get("/since").text) == began
        client.get("/keep/user/bob")


def test_a_session_from_a_clock_far_ahead_is_none(client: FlaskClient, clock: Clock) -> None:
    client.get("/stay/user/ada")
    clock.advance(-60)
    assert client.get("/user").text == "ada"
    clock.advance(-2)
    assert client.get("/read").json == {}
