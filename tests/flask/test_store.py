"""Sessions on the server by one option: the views stay as they are, and the store is asked as little as can be."""

from __future__ import annotations

from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, abort, flash, get_flashed_messages, redirect
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from kit import attributes
from servers.redis import RedisServer

from coatcheck import SessionTooLarge
from coatcheck.core.text import decode
from coatcheck.flask import Coatcheck, CoatcheckSessionInterface, session
from coatcheck.stores import open_store
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore

HOUR = 3600


# One option


def _keyword(app: Flask, url: str) -> None:
    Coatcheck(app, store=url)


def _configuration(app: Flask, url: str) -> None:
    app.config["SESSION_STORE"] = url
    Coatcheck(app)


def _late_configuration(app: Flask, url: str) -> None:
    Coatcheck(app)
    app.config["SESSION_STORE"] = url


def _store(app: Flask, url: str) -> None:
    Coatcheck(app, store=open_store(url))


def _configured_store(app: Flask, url: str) -> None:
    app.config["SESSION_STORE"] = open_store(url)
    Coatcheck(app)


def _interface_alone(app: Flask, url: str) -> None:
    app.config["SESSION_STORE"] = url
    app.session_interface = CoatcheckSessionInterface()


@pytest.fixture(params=["sqlite", "redis", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that is there."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        return server.url()
    return f"sqlite:///{tmp_path}/sessions.db" if request.param == "sqlite" else "memory:"


@pytest.mark.parametrize(
    "say", [_keyword, _configuration, _late_configuration, _store, _configured_store, _interface_alone]
)
def test_one_option_puts_the_sessions_on_the_server(
    app: Flask, url: str, say: Callable[[Flask, str], None], browse: Callable[[Flask, CookieJar], Callable[[str], str]]
) -> None:
    say(app, url)
    jar = CookieJar()
    get = browse(app, jar)
    assert get("/keep/user/ada") == "kept"
    assert get("/user") == "ada"
    (cookie,) = jar
    assert cookie.value is not None
    assert decode(cookie.value)[0] == 2 and len(cookie.value) == 44
    assert get("/clear") == "cleared"
    assert get("/user") == "None"
    assert len(jar) == 0


def test_the_attributes_of_the_cookie_are_those_of_a_sealed_one(app: Flask, store: FailingStore, clock: Clock) -> None:
    said = []
    for kept_in in (None, store):
        Coatcheck(app, store=kept_in, revocations="memory:", clock=clock)
        client = app.test_client()
        said += [attributes(client.get(page).headers["Set-Cookie"]) for page in ("/stay/user/ada", "/clear")]
    assert said[:2] == said[2:]
    assert said[0]["max-age"] == "2678400" and said[1]["max-age"] == "0"


def test_a_change_deep_inside_is_kept(client: FlaskClient) -> None:
    @client.application.get("/buy/<thing>")
    def buy(thing: str) -> str:
        session.setdefault("cart", {"things": []})
        session["cart"]["things"].append(thing)
        return "bought"

    client.get("/buy/pear")
    client.get("/buy/fig")
    assert client.get("/read").json == {"cart": {"things": ["pear", "fig"]}}


def test_messages_are_flashed_over_a_redirect(client: FlaskClient) -> None:
    @client.application.post("/order")
    def order() -> ResponseReturnValue:
        flash("thank you")
        return redirect("/orders")

    @client.application.get("/orders")
    def orders() -> list[object]:
        return [*get_flashed_messages()]

    with client.session_transaction() as stored:
        stored["user"] = "ada"
    assert client.post("/order", follow_redirects=True).json == ["thank you"]
    assert client.get("/orders").json == []
    assert client.get("/read").json == {"user": "ada"}


def test_a_session_may_be_larger_than_a_cookie(client: FlaskClient) -> None:
    @client.application.get("/fill")
    def fill() -> str:
        session["scroll"] = "x" * 900_000
        return ""

    assert client.get("/fill").status_code == 200
    assert client.get("/read").json == {"scroll": "x" * 900_000}


def test_a_session_that_no_store_is_asked_to_keep_is_an_error_and_the_old_one_stays(client: FlaskClient) -> None:
    @client.application.get("/fill")
    def fill() -> str:
        session["scroll"] = "x" * 1_000_000
        return ""

    client.get("/keep/user/ada")
    client.application.testing = True
    with pytest.raises(
        SessionTooLarge, match="a record of 10000.. bytes and a store is given at most 1000000"
    ) as caught:
        client.get("/fill")
    assert (caught.value.place, caught.value.limit, caught.value.largest[0][0]) == ("record", 1_000_000, "scroll")
    assert client.get("/read").json == {"user": "ada"}


# What the store is asked


@pytest.fixture
def client(app: Flask, store: FailingStore, clock: Clock) -> FlaskClient:
    Coatcheck(app, store=store, revocations="memory:", clock=clock)

    @app.get("/regenerate")
    def regenerate() -> str:
        session.regenerate()
        return ""

    @app.get("/destroy")
    def destroy() -> str:
        session.destroy()
        return ""

    @app.get("/pop")
    def pop() -> str:
        session.pop("user", None)
        return ""

    @app.get("/ends")
    def ends() -> str:
        abort(404)

    return app.test_client()


def asked(store: FailingStore, client: FlaskClient, *pages: str) -> list[str]:
    store.calls.clear()
    for page in pages:
        client.get(page)
    return store.calls


@pytest.mark.parametrize(
    ("page", "operations"),
    [
        ("/plain", []),
        ("/ends", []),
        ("/nowhere", []),
        ("/read", ["read"]),
        ("/user", ["read"]),
        ("/keep/user/ada", ["read"]),
        ("/keep/user/bob", ["read", "replace"]),
        ("/keep/step/one", ["read", "replace"]),
        ("/pop", ["read", "replace"]),
        ("/regenerate", ["read", "insert", "replace"]),
        ("/destroy", ["read", "replace", "delete"]),
        ("/clear", ["read", "replace", "delete"]),
    ],
)
def test_a_visitor_with_a_session_costs_no_more_than_this(
    client: FlaskClient, store: FailingStore, page: str, operations: list[str]
) -> None:
    client.get("/keep/user/ada")
    assert asked(store, client, page) == operations


@pytest.mark.parametrize(
    ("page", "operations"),
    [
        ("/plain", []),
        ("/read", []),
        ("/pop", []),
        ("/clear", []),
        ("/destroy", []),
        ("/regenerate", []),
        ("/keep/user/ada", ["insert"]),
        ("/stay/user/ada", ["insert"]),
    ],
)
def test_a_visitor_without_a_cookie_costs_no_more_than_this(
    client: FlaskClient, store: FailingStore, page: str, operations: list[str]
) -> None:
    assert asked(store, client, page) == operations


@pytest.mark.parametrize(
    ("page", "operations"), [("/plain", []), ("/read", ["read", "touch"]), ("/keep/user/bob", ["read", "replace"])]
)
def test_a_refresh_is_one_more_and_a_change_needs_none(
    client: FlaskClient, store: FailingStore, clock: Clock, page: str, operations: list[str]
) -> None:
    client.get("/stay/user/ada")
    clock.advance(HOUR + 1)
    assert asked(store, client, page) == operations
    assert asked(store, client, "/read")[:1] == ["read"]


@pytest.mark.parametrize(
    ("page", "commands"),
    [("/plain", 0), ("/read", 1), ("/keep/user/ada", 1), ("/keep/user/bob", 2), ("/regenerate", 3), ("/destroy", 3)],
)
def test_redis_is_sent_one_command_for_each(
    app: Flask, client: FlaskClient, redis_server: RedisServer, page: str, commands: int
) -> None:
    app.config["SESSION_STORE"] = redis_server.url()
    # Else a machine that is busy with other things may take so long that what has been ended is asked for again.
    Coatcheck(app, revocation_delay=HOUR)
    # The connection is made, and the script is there.
    for warming in ("/keep/user/eve", "/destroy", "/keep/user/ada"):
        client.get(warming)
    assert len(redis_server.watched(lambda: client.get(page))) == commands
    assert len(redis_server.watched(lambda: app.test_client().get("/read"))) == 0


def test_a_thousand_visitors_who_only_look_leave_no_record(app: Flask, clock: Clock) -> None:
    store = MemoryStore(clock=clock)
    Coatcheck(app, store=store, revocations="memory:", clock=clock)
    for _ in range(500):
        for page in ("/read", "/clear"):
            response = app.test_client().get(page)
            assert "Set-Cookie" not in response.headers
    assert repr(store) == "<MemoryStore, 0 records>"


@pytest.mark.parametrize("value", ["", "x", "../../etc/passwd", "*", "A" * 44, "B" * 44, "Ag" * 22, "A" * 43, "A" * 45])
def test_what_is_no_id_never_reaches_the_store(client: FlaskClient, store: FailingStore, value: str) -> None:
    client.set_cookie("session", value)
    store.calls.clear()
    # "Ag" begins with the kind byte 0x02, so this one is an id like any other.
    assert client.get("/read").json == {}
    assert store.calls == (["read"] if value == "Ag" * 22 else [])


def test_an_id_that_somebody_made_up_is_never_adopted(client: FlaskClient, store: FailingStore) -> None:
    planted = "Ag" * 22
    client.set_cookie("session", planted)
    assert "Set-Cookie" not in client.get("/read").headers
    client.get("/keep/user/ada")
    cookie = client.get_cookie("session")
    assert cookie is not None and cookie.value != planted
    other = client.application.test_client()
    other.set_cookie("session", planted)
    assert other.get("/read").json == {}


# What the response says


@pytest.mark.parametrize(
    ("page", "vary", "cache", "cookie"),
    [
        ("/plain", None, None, False),
        ("/read", "Cookie", None, False),
        ("/keep/user/bob", "Cookie", None, False),
        ("/stay/user/bob", "Cookie", "no-store", True),
        ("/regenerate", "Cookie", "no-store", True),
        ("/destroy", "Cookie", "no-store", True),
    ],
)
def test_a_response_says_what_it_depends_on_and_is_stored_by_nobody_if_it_has_a_cookie(
    client: FlaskClient, page: str, vary: str | None, cache: str | None, cookie: bool
) -> None:
    client.get("/keep/user/ada")
    headers: Any = client.get(page).headers
    assert (headers.get("Vary"), headers.get("Cache-Control"), "Set-Cookie" in headers) == (vary, cache, cookie)


def test_a_change_sends_no_cookie_where_the_browser_has_it_already(client: FlaskClient) -> None:
    first = client.get("/keep/user/ada").headers.getlist("Set-Cookie")
    assert len(first) == 1
    for value in ("bob", "eve"):
        assert "Set-Cookie" not in client.get(f"/keep/user/{value}").headers
    assert client.get("/user").text == "eve"


def test_a_session_whose_last_key_was_popped_keeps_its_cookie_and_can_be_filled_again(client: FlaskClient) -> None:
    client.get("/keep/user/ada")
    cookie = client.get_cookie("session")
    assert "Set-Cookie" not in client.get("/pop").headers
    assert client.get("/read").json == {}
    client.get("/keep/user/bob")
    assert client.get("/read").json == {"user": "bob"}
    assert client.get_cookie("session") == cookie


def test_a_record_without_content_is_forgotten_after_a_minute(client: FlaskClient, clock: Clock) -> None:
    client.get("/keep/user/ada")
    cookie = client.get_cookie("session")
    client.get("/pop")
    clock.advance(60)
    client.get("/keep/user/bob")
    assert client.get_cookie("session") != cookie
