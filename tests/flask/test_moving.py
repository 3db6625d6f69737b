"""From cookies to a store, from there to another, and back: the visitors notice nothing."""

from __future__ import annotations

import os
from typing import Any

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
SEALED, OPAQUE = 1, 2
KEY = os.urandom(24)


class Visitors:
    """Browsers whose cookies outlast the applications that set them."""

    def __init__(self, count: int) -> None:
        self.clients: list[FlaskClient | None] = [None] * count

    def __iter__(self) -> Any:
        return iter(range(len(self.clients)))

    def get(self, number: int, app: Flask, page: str) -> str:
        """Has one of them get a page of the application that is deployed now."""
        before, client = self.clients[number], app.test_client()
        cookie = before and before.get_cookie("session")
        if cookie:
            client.set_cookie("session", cookie.value)
        self.clients[number] = client
        response = client.get(page)
        assert response.status_code == 200
        return response.text

    def kind(self, number: int) -> int:
        """Gives what the first byte of the cookie says: sealed, or the id of a record."""
        return decode(self.value(number))[0]

    def value(self, number: int) -> str:
        client = self.clients[number]
        cookie = client and client.get_cookie("session")
        assert cookie
        return cookie.value


@pytest.fixture
def other_store(clock: Clock) -> FailingStore:
    return FailingStore(MemoryStore(clock=clock))


@pytest.fixture
def deploy(clock: Clock, events: list[Event]) -> Any:
    """Gives the application as it is after a deployment with these options."""

    def start(**options: Any) -> Flask:
        app = Flask("shop", static_folder=None)
        app.config["SECRET_KEY"] = KEY
        if "store" in options:
            # Elsewhere, so that the store is asked for sessions alone.
            options.setdefault("revocations", "memory:")
        Coatcheck(app, clock=clock, on_event=events.append, **options)

        @app.get("/plain")
        def plain() -> str:
            return ""

        @app.get("/login/<user>")
        def login(user: str) -> str:
            session.regenerate()
            session["user"] = user
            session.permanent = True
            return session.handle

        @app.get("/keep/<key>/<value>")
        def keep(key: str, value: str) -> str:
            session[key] = value
            return ""

        @app.get("/fill")
        def fill() -> str:
            session["scroll"] = "x" * 5000
            return ""

        @app.get("/read")
        def read() -> str:
            return " ".join(f"{key}={str(session[key])[:9]}" for key in sorted(session) if key != "_permanent")

        @app.get("/logout")
        def logout() -> str:
            session.destroy()
            return ""

        return app

    return start


def test_nobody_is_logged_out_on_the_way_to_a_store_and_back(deploy: Any, store: FailingStore, clock: Clock) -> None:
    visitors = Visitors(4)
    # Whom each deployment sees for the first time; the first visitor misses two of them.
    deployments = [
        (SEALED, {}, [0, 1]),
        (OPAQUE, {"store": store}, [1, 2]),
        (OPAQUE, {"store": store}, [1, 2]),
        (SEALED, {"earlier_store": store}, [0, 1, 2, 3]),
        (OPAQUE, {"store": store}, [0, 1, 2, 3]),
        (SEALED, {"earlier_store": store}, [3, 2, 1, 0]),
    ]
    known: set[int] = set()
    for kind, options, whom in deployments:
        app = deploy(**options)
        for number in whom:
            if number not in known:
                visitors.get(number, app, f"/login/user{number}")
            known.add(number)
            assert visitors.get(number, app, "/read") == f"user=user{number}"
            assert visitors.kind(number) == kind
        clock.advance(DAY)


def test_nobody_is_logged_out_on_the_way_from_one_store_to_another(
    deploy: Any, store: FailingStore, other_store: FailingStore
) -> None:
    visitors = Visitors(1)
    handle = visitors.get(0, deploy(store=store), "/login/ada")
    id_ = visitors.value(0)
    app = deploy(store=other_store, earlier_store=store)
    assert visitors.get(0, app, "/read") == "user=ada"
    visitors.get(0, app, "/keep/step/one")
    assert visitors.value(0) == id_
    store.calls.clear()
    assert visitors.get(0, app, "/read") == "step=one user=ada"
    assert store.calls == []
    assert visitors.get(0, deploy(store=other_store), "/read") == "step=one user=ada"
    assert other_store.read(bytes.fromhex(handle)) is not None


def test_who_does_not_come_between_two_moves_is_not_logged_out(
    deploy: Any, store: FailingStore, other_store: FailingStore, clock: Clock
) -> None:
    visitors = Visitors(1)
    visitors.get(0, deploy(), "/login/ada")
    deploy(store=store)
    clock.advance(DAY)
    assert visitors.get(0, deploy(store=other_store, earlier_store=store), "/read") == "user=ada"


def test_a_visitor_who_does_not_look_is_moved_at_a_later_visit(deploy: Any, store: FailingStore) -> None:
    visitors = Visitors(1)
    visitors.get(0, deploy(), "/login/ada")
    app = deploy(store=store)
    visitors.get(0, app, "/plain")
    assert (visitors.kind(0), store.calls) == (SEALED, [])
    visitors.get(0, app, "/read")
    assert visitors.kind(0) == OPAQUE


def test_moving_to_a_store_costs_one_read_and_one_insert(deploy: Any, store: FailingStore) -> None:
    visitors = Visitors(1)
    visitors.get(0, deploy(), "/login/ada")
    app = deploy(store=store)
    visitors.get(0, app, "/read")
    assert store.calls == ["read", "insert"]
    visitors.get(0, app, "/read")
    assert store.calls == ["read", "insert", "read"]


def test_requests_with_one_sealed_cookie_meet_at_one_record(deploy: Any, store: FailingStore) -> None:
    visitors = Visitors(1)
    visitors.get(0, deploy(), "/login/ada")
    sealed = visitors.value(0)
    app = deploy(store=store)
    tabs = [app.test_client() for _ in range(3)]
    for number, tab in enumerate(tabs):
        tab.set_cookie("session", sealed)
        tab.get(f"/keep/tab{number}/open")
    for tab in tabs:
        assert tab.get("/read").text == "tab0=open tab1=open tab2=open user=ada"


def test_a_logout_in_the_store_ends_the_sealed_cookie_too(deploy: Any, store: FailingStore, clock: Clock) -> None:
    visitors = Visitors(1)
    visitors.get(0, deploy(), "/login/ada")
    sealed = visitors.value(0)
    app = deploy(store=store)
    visitors.get(0, app, "/read")
    visitors.get(0, app, "/logout")
    thief = app.test_client()
    for wait in (0, HOUR, 20 * DAY, 20 * DAY):
        clock.advance(wait)
        thief.set_cookie("session", sealed)
        assert thief.get("/read").text == ""


def test_a_session_that_is_too_large_for_a_cookie_stays_in_its_store(
    deploy: Any, store: FailingStore, clock: Clock
) -> None:
    """Nobody is logged out because of its size. It can be read, and made smaller; more cannot be added."""
    visitors = Visitors(1)
    visitors.get(0, deploy(store=store), "/login/ada")
    visitors.get(0, deploy(store=store), "/fill")
    app = deploy(earlier_store=store)
    for _ in range(40):
        assert visitors.get(0, app, "/read") == "scroll=xxxxxxxxx user=ada"
        assert visitors.kind(0) == OPAQUE
        clock.advance(DAY)
    visitors.get(0, app, "/keep/scroll/short")
    assert visitors.kind(0) == SEALED
    assert visitors.get(0, app, "/read") == "scroll=short user=ada"


def test_without_the_store_its_sessions_are_none_and_come_back_with_it(deploy: Any, store: FailingStore) -> None:
    """As long as nothing was written meanwhile: the cookie is left alone."""
    visitors = Visitors(1)
    visitors.get(0, deploy(store=store), "/login/ada")
    assert visitors.get(0, deploy(), "/read") == ""
    assert visitors.get(0, deploy(earlier_store=store), "/read") == "user=ada"


def test_servers_may_be_deployed_one_after_the_other(deploy: Any, store: FailingStore, clock: Clock) -> None:
    """First all of them can read what the others will write, and then they write it. So do they on the way back."""
    visitors = Visitors(1)
    cookies, reading, writing = deploy(), deploy(earlier_store=store), deploy(store=store)
    visitors.get(0, cookies, "/login/ada")
    for step, servers in enumerate([(cookies, reading), (reading, writing), (writing, reading), (reading, cookies)]):
        for turn in range(3):
            for server in servers:
                visitors.get(0, server, f"/keep/step/{step}.{turn}")
                clock.advance(1)
                assert visitors.get(0, servers[0], "/read") == f"step={step}.{turn} user=ada"
    assert visitors.get(0, cookies, "/read") == "step=3.2 user=ada"


def test_sealed_cookies_may_be_refused(deploy: Any, store: FailingStore, events: list[Event]) -> None:
    visitors = Visitors(2)
    visitors.get(0, deploy(), "/login/ada")
    app = deploy(store=store, move_cookies=False)
    assert visitors.get(0, app, "/read") == ""
    assert (events[-1].kind, events[-1].reason) == ("rejected", "unknown_kind")
    assert store.calls == []
    visitors.get(1, app, "/login/bob")
    assert visitors.get(1, app, "/read") == "user=bob"


def test_the_key_may_change_while_sessions_are_on_the_server(deploy: Any, store: FailingStore) -> None:
    visitors = Visitors(1)
    visitors.get(0, deploy(store=store), "/login/ada")
    id_, new = visitors.value(0), os.urandom(24)
    rotated = deploy(store=store, secret_key=new, secret_key_fallbacks=[KEY])
    assert visitors.get(0, rotated, "/read") == "user=ada"
    assert visitors.value(0) == id_
    assert visitors.get(0, deploy(store=store, secret_key=new), "/read") == "user=ada"


def test_the_cookie_may_be_renamed_while_sessions_are_on_the_server(deploy: Any, store: FailingStore) -> None:
    client = deploy(store=store).test_client()
    client.get("/login/ada")
    old = client.get_cookie("session")
    assert old is not None
    renamed = deploy(store=store, cookie_name="sid", earlier_cookie_names=["session"]).test_client()
    renamed.set_cookie("session", old.value)
    assert renamed.get("/read").text == "user=ada"
    assert renamed.get_cookie("session") is None
    assert renamed.get_cookie("sid") is not None
    assert renamed.get("/read").text == "user=ada"


@pytest.mark.parametrize("away", ["store", "earlier_store"])
def test_a_store_that_is_down_while_sessions_move_loses_nobody(deploy: Any, store: FailingStore, away: str) -> None:
    visitors = Visitors(1)
    visitors.get(0, deploy() if away == "store" else deploy(store=store), "/login/ada")
    app = deploy(**{away: store})
    cookie = visitors.value(0)
    store.down = True
    client = visitors.clients[0] = app.test_client()
    client.set_cookie("session", cookie)
    response = client.get("/read")
    assert response.status_code == 503 and "Set-Cookie" not in response.headers
    store.down = False
    assert visitors.get(0, app, "/read") == "user=ada"


@pytest.mark.parametrize("value", ["A" * 44, "B" * 44, "AQ" * 22, "Ag" * 22, "A" * 43, "A" * 100, "x"])
@pytest.mark.parametrize("name", ["session", "sid"])
def test_rubbish_is_no_session_under_whatever_name(deploy: Any, store: FailingStore, name: str, value: str) -> None:
    client = deploy(store=store, cookie_name="sid", earlier_cookie_names=["session"]).test_client()
    client.set_cookie(name, value)
    response = client.get("/read")
    assert (response.status_code, response.text) == (200, "")
    # "Ag" is 0x02 in base64, the kind of an id: this one might be one.
    assert set(store.calls) == ({"read"} if value == "Ag" * 22 else set())
