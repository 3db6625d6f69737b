"""Extensions that keep things in the session work as they do on Flask's own: each test passes with both."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from flask import Flask, render_template_string, request, request_finished, request_started
from flask.testing import FlaskClient
from flask_babel import Babel, get_locale  # type: ignore[import-untyped]
from flask_login import (
    LoginManager,
    current_user,
    fresh_login_required,
    login_required,
    login_user,
    logout_user,
)
from flask_wtf import CSRFProtect, FlaskForm  # type: ignore[import-untyped]
from wtforms import StringField  # type: ignore[import-untyped]

from coatcheck.flask import session

pytestmark = pytest.mark.usefixtures("either_keeper")


class TestFlaskWtf:
    @pytest.fixture
    def client(self, app: Flask) -> FlaskClient:
        CSRFProtect(app)

        class Note(FlaskForm):  # type: ignore[misc]
            text = StringField()

        @app.route("/note", methods=["GET", "POST"])
        def note() -> str:
            form = Note()
            if form.validate_on_submit():
                session["note"] = form.text.data
                return "noted"
            return render_template_string("{{ form.csrf_token.current_token }}", form=form)

        @app.post("/api")
        def api() -> str:
            return "called"

        return app.test_client()

    def test_a_form_with_the_token_of_its_page_is_accepted(self, client: FlaskClient) -> None:
        token = client.get("/note").text
        assert client.post("/note", data={"csrf_token": token, "text": "milk"}).text == "noted"
        with client.session_transaction() as kept:
            assert kept["note"] == "milk"

    def test_the_token_lasts_over_several_pages(self, client: FlaskClient) -> None:
        first = client.get("/note").text
        client.get("/keep/user/ada")
        client.get("/note")
        assert client.post("/note", data={"csrf_token": first, "text": "milk"}).text == "noted"

    def test_a_form_without_a_token_is_refused(self, client: FlaskClient) -> None:
        client.get("/note")
        assert client.post("/note", data={"text": "milk"}).status_code == 400
        assert client.post("/api").status_code == 400

    def test_the_token_of_another_visitor_is_refused(self, client: FlaskClient) -> None:
        token = client.application.test_client().get("/note").text
        client.get("/note")
        assert client.post("/note", data={"csrf_token": token}).status_code == 400

    def test_a_token_in_a_header_is_accepted(self, client: FlaskClient) -> None:
        token = client.get("/note").text
        assert client.post("/api", headers={"X-CSRFToken": token}).text == "called"

    def test_a_token_outlives_the_session_in_no_case(self, client: FlaskClient) -> None:
        token = client.get("/note").text
        client.get("/clear")
        assert client.post("/api", headers={"X-CSRFToken": token}).status_code == 400


@dataclass
class User:
    name: str
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    def get_id(self) -> str:
        return self.name


# The extension itself asks for the time as Python no longer likes it.
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning:flask_login")
class TestFlaskLogin:
    @pytest.fixture
    def client(self, app: Flask) -> FlaskClient:
        manager = LoginManager(app)
        manager.user_loader(User)

        @app.get("/enter/<name>")
        def enter(name: str) -> str:
            login_user(User(name), remember="remember" in request.args)
            return "entered"

        @app.get("/leave")
        def leave() -> str:
            logout_user()
            return "left"

        @app.get("/me")
        @login_required  # type: ignore[untyped-decorator]
        def me() -> str:
            return str(current_user.name)

        @app.get("/secret")
        @fresh_login_required  # type: ignore[untyped-decorator]
        def secret() -> str:
            return "secret"

        return app.test_client()

    def test_who_signs_in_is_known_until_signing_out(self, client: FlaskClient) -> None:
        assert client.get("/me").status_code == 401
        client.get("/enter/ada")
        assert client.get("/me").text == "ada"
        assert client.get("/secret").text == "secret"
        client.get("/leave")
        assert client.get("/me").status_code == 401

    def test_the_session_holds_what_the_extension_put_there(self, client: FlaskClient) -> None:
        client.get("/enter/ada")
        with client.session_transaction() as kept:
            assert kept["_user_id"] == "ada" and kept["_fresh"] is True and len(kept["_id"]) == 128

    def test_who_is_remembered_comes_back_without_a_session_and_is_not_fresh(self, client: FlaskClient) -> None:
        client.get("/enter/ada?remember")
        client.delete_cookie("session")
        assert client.get("/me").text == "ada"
        assert client.get("/secret").status_code == 401
        client.get("/enter/ada")
        assert client.get("/secret").text == "secret"

    def test_signing_out_forgets_who_was_remembered(self, client: FlaskClient) -> None:
        client.get("/enter/ada?remember")
        client.get("/leave")
        client.delete_cookie("session")
        assert client.get("/me").status_code == 401
        assert client.get_cookie("remember_token") is None

    @pytest.mark.parametrize(("protection", "status"), [("basic", 200), ("strong", 401), (None, 200)])
    def test_another_browser_with_the_cookie_is_treated_as_configured(
        self, client: FlaskClient, protection: str | None, status: int
    ) -> None:
        client.application.config["SESSION_PROTECTION"] = protection
        client.get("/enter/ada")
        assert client.get("/me", headers={"User-Agent": "another"}).status_code == status
        assert client.get("/secret", headers={"User-Agent": "another"}).status_code == (401 if protection else 200)

    def test_the_next_page_waits_in_the_session_where_it_is_told_to(self, client: FlaskClient) -> None:
        client.application.config["USE_SESSION_FOR_NEXT"] = True
        client.application.login_manager.login_view = "read"  # type: ignore[attr-defined]
        assert client.get("/me").status_code == 302
        with client.session_transaction() as kept:
            assert kept["next"] == "/me"


class TestFlaskBabel:
    def test_the_language_may_be_kept_in_the_session(self, app: Flask) -> None:
        Babel(app, locale_selector=lambda: session.get("language", "en"))
        app.add_url_rule("/language", view_func=lambda: str(get_locale()))
        client = app.test_client()
        assert client.get("/language").text == "en"
        client.get("/keep/language/de")
        assert client.get("/language").text == "de"


class TestSignals:
    def test_a_listener_to_the_beginning_of_a_request_has_the_session(self, app: Flask) -> None:
        def begin(sender: Flask) -> None:
            session["requests"] = session.get("requests", 0) + 1

        client = app.test_client()
        with request_started.connected_to(begin, app):
            client.get("/plain")
            client.get("/plain")
        assert client.get("/read").json == {"requests": 2}

    def test_a_listener_to_the_end_of_a_request_may_read_the_session(self, app: Flask) -> None:
        seen: list[object] = []

        def end(sender: Flask, **extra: object) -> None:
            seen.append(session.get("user"))

        with request_finished.connected_to(end, app):
            app.test_client().get("/keep/user/ada")
        assert seen == ["ada"]
