"""`session_transaction` of the test client, which opens and saves a session without a view."""

from __future__ import annotations

import pytest
from flask import Flask, request
from flask.sessions import SessionInterface

from coatcheck import SessionTooLarge
from coatcheck.flask import Coatcheck, CoatcheckSessionInterface


@pytest.mark.usefixtures("either_keeper")
class TestWithEitherKeeper:
    """Each test passes with Flask's own sessions too."""

    def test_what_is_written_is_read_by_a_view(self, app: Flask) -> None:
        client = app.test_client()
        with client.session_transaction() as session:
            session["user"] = "ada"
        assert client.get("/read").json == {"user": "ada"}

    def test_what_a_view_wrote_is_read(self, app: Flask) -> None:
        client = app.test_client()
        client.get("/stay/user/ada")
        with client.session_transaction() as session:
            assert session["user"] == "ada"
            assert session.permanent

    def test_a_permanent_session_is_written(self, app: Flask) -> None:
        client = app.test_client()
        with client.session_transaction() as session:
            session.permanent = True
        cookie = client.get_cookie("session")
        assert cookie is not None and cookie.expires is not None

    def test_reading_leaves_the_cookie_alone(self, app: Flask) -> None:
        client = app.test_client()
        client.get("/keep/user/ada")
        before = client.get_cookie("session")
        with client.session_transaction() as session:
            assert "user" in session
        assert client.get_cookie("session") == before

    def test_clearing_deletes_the_cookie(self, app: Flask) -> None:
        client = app.test_client()
        client.get("/keep/user/ada")
        with client.session_transaction() as session:
            session.clear()
        assert client.get_cookie("session") is None

    def test_without_a_key_there_is_no_transaction(self, app: Flask) -> None:
        app.secret_key = None
        with (
            pytest.raises(RuntimeError, match="Session backend did not open a session"),
            app.test_client().session_transaction(),
        ):
            pass

    def test_a_subclass_may_choose_the_name_by_the_request(self, app: Flask) -> None:
        class ByTenant(type(app.session_interface)):  # type: ignore[misc]
            def get_cookie_name(self, app: Flask) -> str:
                return "session-" + request.host.partition(".")[0]

        app.session_interface = ByTenant()
        client = app.test_client()
        with client.session_transaction(base_url="http://red.example") as session:
            session["user"] = "ada"
        assert client.get_cookie("session-red", "red.example") is not None
        assert client.get("/read", base_url="http://red.example").json == {"user": "ada"}


def test_a_change_inside_a_value_is_written(app: Flask) -> None:
    Coatcheck(app)
    client = app.test_client()
    with client.session_transaction() as session:
        session["cart"] = []
    with client.session_transaction() as session:
        session["cart"].append("pear")
    assert client.get("/read").json == {"cart": ["pear"]}


def test_a_session_that_is_too_large_is_refused_and_the_old_one_stays(app: Flask) -> None:
    Coatcheck(app)
    client = app.test_client()
    client.get("/keep/user/ada")
    with pytest.raises(SessionTooLarge), client.session_transaction() as session:
        session["all"] = "x" * 5000
    assert client.get("/read").json == {"user": "ada"}


def test_an_interface_without_the_extension_has_transactions_too(app: Flask) -> None:
    interface: SessionInterface = CoatcheckSessionInterface()
    app.session_interface = interface
    client = app.test_client()
    with client.session_transaction() as session:
        session["user"] = "ada"
    assert client.get("/read").json == {"user": "ada"}
