"""Where the session is besides a view, asked of Flask's own sessions and of ours: each test passes with both."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask, copy_current_request_context
from flask.sessions import SessionMixin

from coatcheck.flask import session

pytestmark = pytest.mark.usefixtures("either_keeper")


def test_a_thread_with_the_request_context_reads_the_session(app: Flask) -> None:
    @app.get("/background")
    def background() -> str:
        session["user"] = "ada"

        @copy_current_request_context
        def work() -> str:
            return str(session["user"])

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(work).result()

    assert app.test_client().get("/background").text == "ada"


def test_a_view_may_call_another_application(app: Flask) -> None:
    inner = Flask("inner")
    inner.secret_key = app.secret_key
    inner.session_interface = app.session_interface

    @inner.get("/")
    def inside() -> str:
        session["where"] = "inside"
        return str(dict(session))

    @app.get("/outside")
    def outside() -> str:
        session["where"] = "outside"
        return inner.test_client().get("/").text + str(dict(session))

    client = app.test_client()
    assert client.get("/outside").text == "{'where': 'inside'}{'where': 'outside'}"
    assert client.get("/read").json == {"where": "outside"}


def test_a_test_request_context_reads_the_cookie_of_its_request(app: Flask) -> None:
    client = app.test_client()
    client.get("/keep/user/ada")
    cookie = client.get_cookie("session")
    assert cookie is not None
    with app.test_request_context("/", headers={"Cookie": f"session={cookie.value}"}):
        assert session["user"] == "ada"
        session["user"] = "bob"
        assert session["user"] == "bob"
    with app.test_request_context():
        assert not session


def test_the_context_of_a_client_keeps_the_session_for_the_test(app: Flask) -> None:
    with app.test_client() as client:
        client.get("/keep/user/ada")
        assert session["user"] == "ada"
        client.get("/keep/user/bob")
        assert session["user"] == "bob"
        client.get("/clear")
        assert not session


def test_clients_inside_one_another_keep_their_own_sessions(app: Flask) -> None:
    with app.test_client() as outer:
        outer.get("/keep/user/ada")
        with app.test_client() as inner:
            inner.get("/keep/user/bob")
            assert session["user"] == "bob"
        assert session["user"] == "ada"
        assert outer.get("/read").json == {"user": "ada"}


def test_outside_of_a_request_there_is_no_session(app: Flask) -> None:
    with pytest.raises(RuntimeError, match="outside of request context"):
        session.get("user")


def test_a_teardown_may_read_the_session(app: Flask) -> None:
    seen: list[object] = []

    @app.teardown_request
    def tear_down(error: BaseException | None) -> None:
        seen.append(session.get("user"))

    client = app.test_client()
    client.get("/keep/user/ada")
    client.get("/plain")
    assert seen == ["ada", "ada"]


def test_the_session_is_one_of_flasks(app: Flask) -> None:
    with app.test_request_context():
        assert isinstance(session, SessionMixin)
        assert not app.session_interface.is_null_session(session)
