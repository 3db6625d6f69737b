"""How a session on the server ends, gets another id, and is named: what a cookie's copy is worth then."""

from __future__ import annotations

from hashlib import sha256

import pytest
from flask import Flask
from flask.testing import FlaskClient

from coatcheck import Event
from coatcheck.core.text import decode
from coatcheck.flask import Coatcheck, session
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore

HOUR = 3600
DAY = 24 * HOUR


@pytest.fixture
def client(app: Flask, store: FailingStore, clock: Clock, events: list[Event]) -> FlaskClient:
    """A visitor who has a session."""
    Coatcheck(app, store=store, clock=clock, on_event=events.append)

    @app.get("/login/<user>")
    def login(user: str) -> str:
        session.regenerate()
        session["user"] = user
        return session.handle

    @app.get("/logout")
    def logout() -> str:
        session.destroy()
        return ""

    @app.get("/again/<user>")
    def again(user: str) -> str:
        session.destroy()
        session["user"] = user
        return session.handle

    @app.get("/handle")
    def handle() -> str:
        return session.handle

    client = app.test_client()
    client.get("/keep/basket/full")
    events.clear()
    return client


def value_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("session")
    assert cookie is not None
    return cookie.value


def copy_of(client: FlaskClient) -> FlaskClient:
    """Gives somebody who has copied the cookie."""
    other = client.application.test_client()
    other.set_cookie("session", value_of(client))
    return other


# Ending


@pytest.mark.parametrize("page", ["/logout", "/clear"])
def test_a_copy_of_the_cookie_is_worth_nothing_after_the_logout(client: FlaskClient, page: str) -> None:
    thief = copy_of(client)
    assert thief.get("/read").json == {"basket": "full"}
    client.get(page)
    assert client.get_cookie("session") is None
    assert thief.get("/read").json == {}
    thief.get("/keep/user/mallory")
    assert value_of(thief) != "" and client.get("/read").json == {}


@pytest.mark.parametrize("page", ["/logout", "/clear"])
def test_nothing_under_an_id_that_was_ended_comes_back(client: FlaskClient, clock: Clock, page: str) -> None:
    thief = copy_of(client)
    planted = value_of(thief)
    client.get(page)
    for wait in (0, 9, HOUR, 40 * DAY):
        clock.advance(wait)
        thief.set_cookie("session", planted)
        thief.get("/keep/step/one")
        assert value_of(thief) != planted
        thief.set_cookie("session", planted)
        assert thief.get("/read").json == {}


def test_what_is_set_after_destroy_is_a_session_of_its_own(client: FlaskClient) -> None:
    before = client.get("/handle").text
    thief = copy_of(client)
    assert client.get("/again/ada").text != before
    assert client.get("/read").json == {"user": "ada"}
    assert thief.get("/read").json == {}


def test_a_session_ends_when_it_was_not_seen_for_its_lifetime(client: FlaskClient, clock: Clock) -> None:
    client.application.config["PERMANENT_SESSION_LIFETIME"] = HOUR
    client.get("/keep/user/ada")
    for _ in range(5):
        clock.advance(HOUR - 1)
        assert client.get("/user").text == "ada"
    clock.advance(HOUR + 1)
    assert client.get("/user").text == "None"


def test_nothing_extends_the_absolute_lifetime(client: FlaskClient, clock: Clock) -> None:
    client.application.config["SESSION_ABSOLUTE_LIFETIME"] = 2 * HOUR
    for _ in range(4):
        assert client.get("/keep/user/ada").status_code == 200
        clock.advance(HOUR / 2)
    clock.advance(1)
    assert client.get("/read").json == {}


def test_a_shorter_lifetime_counts_for_records_that_are_there(client: FlaskClient, clock: Clock) -> None:
    clock.advance(HOUR)
    client.application.config["PERMANENT_SESSION_LIFETIME"] = HOUR / 2
    assert client.get("/read").json == {}


def test_records_leave_the_store_when_their_time_is_over(app: Flask, clock: Clock) -> None:
    store = MemoryStore(clock=clock)
    Coatcheck(app, store=store, clock=clock, permanent_lifetime=HOUR)
    for _ in range(3):
        app.test_client().get("/keep/user/ada")
    assert (repr(store), store.sweep()) == ("<MemoryStore, 3 records>", 0)
    clock.advance(HOUR)
    assert store.sweep() == 0
    clock.advance(1)
    assert (store.sweep(), repr(store)) == (3, "<MemoryStore, 0 records>")


# Another id


def test_a_login_gives_a_new_id_and_keeps_the_content(client: FlaskClient) -> None:
    before = value_of(client), client.get("/handle").text
    answered = client.get("/login/ada").text
    assert value_of(client) != before[0]
    assert client.get("/handle").text == answered != before[1]
    assert client.get("/read").json == {"basket": "full", "user": "ada"}


def test_who_knew_the_id_before_the_login_never_sees_the_login(client: FlaskClient, clock: Clock) -> None:
    planted = copy_of(client)
    client.get("/login/ada")
    # For requests that were under way: the session as it was.
    assert planted.get("/read").json == {"basket": "full"}
    clock.advance(11)
    assert client.get("/user").text == "ada"
    assert planted.get("/read").json == {}


def test_what_is_changed_under_the_old_id_in_its_grace_is_not_kept(
    client: FlaskClient, clock: Clock, events: list[Event]
) -> None:
    planted = copy_of(client)
    client.get("/login/ada")
    events.clear()
    response = planted.get("/keep/user/mallory")
    assert response.status_code == 200 and "Set-Cookie" not in response.headers
    assert [(event.kind, event.reason) for event in events] == [("dropped", "ended")]
    assert client.get("/user").text == "ada"


def test_a_logout_ends_what_is_left_of_the_old_id_too(client: FlaskClient) -> None:
    planted = copy_of(client)
    client.get("/login/ada")
    client.get("/logout")
    assert planted.get("/read").json == {}


def test_a_logout_with_the_old_id_ends_the_session_under_its_new_one(client: FlaskClient) -> None:
    """Two tabs: one signs in, and the other, whose request was under way, signs out."""
    other_tab = copy_of(client)
    client.get("/login/ada")
    other_tab.get("/logout")
    assert client.get("/read").json == {}


# Its name


def test_the_handle_is_the_key_of_the_record_and_no_cookie(client: FlaskClient, store: FailingStore) -> None:
    handle = client.get("/handle").text
    assert len(handle) == 64
    assert handle == sha256(decode(value_of(client))[1:]).hexdigest()
    assert store.read(bytes.fromhex(handle)) is not None
    stranger = client.application.test_client()
    for value in (handle, handle[:44]):
        stranger.set_cookie("session", value)
        assert stranger.get("/read").json == {}


def test_a_session_has_one_handle_until_it_gets_another_id(client: FlaskClient, clock: Clock) -> None:
    first = client.get("/handle").text
    client.get("/stay/user/ada")
    clock.advance(2 * HOUR)
    assert client.get("/handle").text == first
    assert client.get("/handle").text == first


def test_the_events_of_a_session_have_its_handle(client: FlaskClient, clock: Clock, events: list[Event]) -> None:
    first = client.get("/handle").text
    client.get("/stay/user/ada")
    clock.advance(2 * HOUR)
    client.get("/read")
    second = client.get("/login/ada").text
    client.get("/logout")
    assert [(event.kind, event.handle) for event in events] == [
        ("changed", first),
        ("refreshed", first),
        ("regenerated", second),
        ("destroyed", second),
    ]
