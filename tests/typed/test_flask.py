"""The model of Flask's session, by whichever of its two names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import flask
import pytest
from flask import Flask, Response, flash, get_flashed_messages
from flask.testing import FlaskClient
from kit import SECRET

from coatcheck import InvalidSession, UsageError
from coatcheck.flask import Coatcheck, session
from coatcheck.typed import TypedSession


@dataclass
class Cart:
    user: str | None = None
    items: list[str] = field(default_factory=list)


typed = TypedSession(Cart)


@pytest.fixture(params=[None, "memory:"])
def app(request: pytest.FixtureRequest) -> Flask:
    app = Flask("shop")
    app.config["SECRET_KEY"] = SECRET
    Coatcheck(app, store=request.param)
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_a_view_has_the_session_as_its_model(app: Flask, client: FlaskClient) -> None:
    @app.get("/add/<item>")
    def add(item: str) -> list[str]:
        cart = typed.of(session)
        assert typed.of(flask.session) is cart
        cart.items.append(item)
        return cart.items

    @app.get("/look")
    def look() -> list[str]:
        return typed.of(session).items

    assert client.get("/add/pear").json == ["pear"]
    assert client.get("/add/fig").json == ["pear", "fig"]
    answer = client.get("/look")
    assert answer.json == ["pear", "fig"]
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Vary"] == "Cookie"


def test_what_flask_keeps_beside_the_model_stays(app: Flask, client: FlaskClient) -> None:
    @app.get("/")
    def index() -> str:
        typed.of(session).user = "ada"
        session.permanent = True
        flash("welcome")
        return ""

    @app.get("/messages")
    def messages() -> list[Any]:
        return [get_flashed_messages(), typed.of(session).user, session.permanent]

    client.get("/")
    assert client.get("/messages").json == [["welcome"], "ada", True]
    assert client.get("/messages").json == [[], "ada", True]


def test_the_handler_of_an_invalid_session_may_begin_anew(app: Flask, client: FlaskClient) -> None:
    @app.get("/")
    def index() -> str:
        return typed.of(session).user or "nobody"

    @app.errorhandler(InvalidSession)
    def begin_anew(error: InvalidSession) -> Response:
        session.destroy()
        return Response(str(error), 409)

    with client.session_transaction() as own:
        own["user"] = 7
    answer = client.get("/")
    assert (answer.status_code, answer.text) == (
        409,
        "the session is not what its model says: session['user'] (string_type)",
    )
    assert client.get("/").text == "nobody"


def test_without_a_handler_it_is_a_server_error(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/", view_func=lambda: str(typed.of(session)))
    with client.session_transaction() as own:
        own["user"] = 7
    assert client.get("/").status_code == 500


def test_a_transaction_of_a_test_sees_the_model_and_changes_it(app: Flask, client: FlaskClient) -> None:
    with client.session_transaction() as own:
        typed.of(own).items.append("pear")
    with client.session_transaction() as own:
        assert dict(own) == {"items": ["pear"]}


def test_what_a_stream_changes_is_kept_in_a_store() -> None:
    app = Flask("shop")
    app.config["SECRET_KEY"] = SECRET
    Coatcheck(app, store="memory:")
    client = app.test_client()

    @app.get("/")
    def stream() -> Response:
        cart = typed.of(session)
        cart.items.append("pear")

        def pieces() -> Iterator[str]:
            yield "begun"
            cart.items.append("streamed")

        return Response(pieces())

    app.add_url_rule("/items", view_func=lambda: typed.of(session).items)
    client.get("/items")
    with client.session_transaction() as own:
        own["user"] = "ada"
    assert client.get("/").text == "begun"
    assert client.get("/items").json == ["pear", "streamed"]


def test_flask_without_a_key_or_without_us_is_told_apart() -> None:
    app = Flask("shop")
    with app.test_request_context(), pytest.raises(UsageError, match="this is a NullSession: is it set up"):
        typed.of(flask.session)
    app.config["SECRET_KEY"] = SECRET
    with app.test_request_context(), pytest.raises(UsageError, match="this is a SecureCookieSession"):
        typed.of(flask.session)
