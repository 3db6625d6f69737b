"""The store is down: who does not need it is served, who does gets a 503, and nothing is confirmed that is not kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import BytesIO

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    flash,
    make_response,
    render_template_string,
    send_file,
    stream_with_context,
)
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, login_user
from werkzeug.exceptions import ServiceUnavailable

from coatcheck import Event, StoreError
from coatcheck.flask import Coatcheck, session
from coatcheck.testing import Clock, FailingStore

LAYOUT = "{{ session.get('user') }}: {{ message }} {{ get_flashed_messages() }}"
HOUR = 3600


@pytest.fixture(autouse=True)
def shop(app: Flask, store: FailingStore, clock: Clock, events: list[Event]) -> Flask:
    """Views during which the store goes down."""
    Coatcheck(app, store=store, revocations="memory:", clock=clock, on_event=events.append)

    @app.get("/buy")
    def buy() -> Response:
        session["cart"] = "pear"
        store.down = True
        response = make_response("bought")
        response.set_cookie("receipt", "17")
        response.headers["X-Bought"] = "pear"
        response.headers["Cache-Control"] = "public, max-age=60"
        return response

    @app.get("/logout")
    def logout() -> str:
        session.destroy()
        return "good bye"

    @app.get("/regenerate")
    def regenerate() -> str:
        session.regenerate()
        return ""

    @app.get("/anyhow")
    def anyhow() -> str:
        try:
            return str(session["user"])
        except StoreError as error:
            return f"guest, for {error}"

    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A visitor who has a session, once the application is complete."""
    return app.test_client()


def begin(client: FlaskClient, store: FailingStore, page: str = "/keep/user/ada") -> None:
    """Has the visitor get a session. Then the store goes down."""
    client.get(page)
    store.calls.clear()
    store.down = True


# Who is served


@pytest.mark.parametrize("page", ["/plain", "/nowhere"])
def test_who_does_not_look_is_served(client: FlaskClient, store: FailingStore, page: str) -> None:
    begin(client, store)
    assert client.get(page).status_code == (200 if page == "/plain" else 404)
    assert store.calls == []


@pytest.mark.parametrize("page", ["/read", "/user", "/clear", "/logout"])
def test_who_has_no_cookie_is_served(app: Flask, store: FailingStore, page: str) -> None:
    store.down = True
    assert app.test_client().get(page).status_code == 200
    assert store.calls == []


@pytest.mark.parametrize("value", ["", "x", "A" * 44, "A" * 3000])
def test_who_has_a_cookie_that_is_not_ours_is_served(client: FlaskClient, store: FailingStore, value: str) -> None:
    store.down = True
    client.set_cookie("session", value)
    assert client.get("/read").json == {}
    assert store.calls == []


def test_the_start_does_not_need_the_store(app: Flask) -> None:
    Coatcheck(app, store="sqlite:////no/such/folder/sessions.db")
    assert app.test_client().get("/read").json == {}


# Who is not


@pytest.mark.parametrize("mode", ["production", "testing", "debug"])
@pytest.mark.parametrize("page", ["/read", "/user", "/keep/user/eve", "/clear", "/logout", "/regenerate"])
def test_who_looks_gets_a_503(app: Flask, client: FlaskClient, store: FailingStore, page: str, mode: str) -> None:
    begin(client, store)
    app.testing, app.debug = mode == "testing", mode == "debug"
    response = client.get(page)
    assert response.status_code == 503
    assert "Service Unavailable" in response.text
    assert response.headers["Vary"] == "Cookie"
    assert "Set-Cookie" not in response.headers
    assert store.calls == ["read"]


@pytest.mark.parametrize("mode", ["production", "testing", "debug"])
def test_a_response_that_confirms_what_was_not_kept_is_replaced(
    app: Flask, client: FlaskClient, store: FailingStore, mode: str
) -> None:
    app.testing, app.debug = mode == "testing", mode == "debug"
    response = client.get("/buy")
    assert response.status_code == 503
    assert "bought" not in response.text and "Service Unavailable" in response.text
    assert "X-Bought" not in response.headers
    assert response.headers.getlist("Set-Cookie") == []
    assert response.headers.getlist("Vary") == ["Cookie"]
    assert response.headers.getlist("Cache-Control") == ["no-store"]
    assert int(response.headers["Content-Length"]) == len(response.data)


def test_the_session_is_afterwards_as_it_was(client: FlaskClient, store: FailingStore) -> None:
    client.get("/keep/user/ada")
    before = client.get_cookie("session")
    assert client.get("/buy").status_code == 503
    assert client.get("/read").status_code == 503
    store.down = False
    assert client.get("/read").json == {"user": "ada"}
    assert client.get_cookie("session") == before


def test_what_was_kept_and_not_answered_is_no_second_session(client: FlaskClient, store: FailingStore) -> None:
    """The answer of the store was lost: nobody knows, so nobody is told that it was kept."""
    client.get("/keep/user/ada")
    with client.session_transaction() as before:
        handle = before.handle  # type: ignore[attr-defined]
    store.lost_replies = 1
    assert client.get("/read").status_code == 503
    assert client.get("/keep/user/eve").status_code == 200
    with client.session_transaction() as after:
        assert (after["user"], after.handle) == ("eve", handle)  # type: ignore[attr-defined]


def test_a_refresh_that_fails_does_not_matter(
    app: Flask, client: FlaskClient, store: FailingStore, clock: Clock, events: list[Event]
) -> None:
    @app.get("/last")
    def last() -> str:
        user = session["user"]
        store.down = True
        return str(user)

    client.get("/stay/user/ada")
    clock.advance(2 * HOUR)
    response = client.get("/last")
    assert (response.status_code, response.text) == (200, "ada")
    assert (events[-1].kind, events[-1].reason) == ("dropped", "store_down")
    store.down = False
    assert client.get("/user").text == "ada"


def test_it_recovers_by_itself(client: FlaskClient, store: FailingStore) -> None:
    begin(client, store)
    assert [client.get("/user").status_code for _ in range(3)] == [503] * 3
    store.down = False
    assert client.get("/user").text == "ada"
    assert client.get("/keep/user/eve").status_code == 200


def test_a_view_may_go_on_without_its_session(client: FlaskClient, store: FailingStore) -> None:
    begin(client, store)
    response = client.get("/anyhow")
    assert (response.status_code, response.text) == (200, "guest, for the store is down, as the test wants it")


def test_the_error_tells_the_visitor_nothing(client: FlaskClient, store: FailingStore) -> None:
    begin(client, store)
    assert "the test wants" not in client.get("/read").text


# Handlers of the application


@pytest.mark.parametrize("named", [StoreError, 503, ServiceUnavailable, Exception])
@pytest.mark.parametrize("page", ["/read", "/buy"])
def test_the_application_may_answer_by_a_handler(
    app: Flask, client: FlaskClient, store: FailingStore, named: type[Exception] | int, page: str
) -> None:
    @app.errorhandler(named)
    def sorry(error: Exception) -> ResponseReturnValue:
        assert isinstance(error, StoreError)
        return f"sorry: {error}", 503, {"Retry-After": "5"}

    client.get("/keep/user/ada")
    store.down = page == "/read"
    response = client.get(page)
    assert (response.status_code, response.text) == (503, "sorry: the store is down, as the test wants it")
    assert response.headers["Retry-After"] == "5"
    assert "Set-Cookie" not in response.headers


def test_a_handler_of_the_code_comes_before_one_of_the_error_as_everywhere_in_flask(
    app: Flask, client: FlaskClient, store: FailingStore
) -> None:
    app.register_error_handler(StoreError, lambda error: ("by the error", 503))
    app.register_error_handler(503, lambda error: ("by the code", 503))
    begin(client, store)
    assert client.get("/read").text == "by the code"


@pytest.mark.parametrize("commit", [False, True])
def test_a_blueprint_answers_for_its_own_views(
    app: Flask, client: FlaskClient, store: FailingStore, commit: bool
) -> None:
    blog = Blueprint("blog", __name__, url_prefix="/blog")

    @blog.get("/write")
    def write() -> str:
        session["draft"] = "text"
        store.down = True
        return "kept"

    blog.register_error_handler(StoreError, lambda error: ("sorry, says the blog", 503))
    app.register_blueprint(blog)
    app.register_error_handler(StoreError, lambda error: ("sorry, says the shop", 503))
    client.get("/keep/user/ada")
    store.down = not commit
    assert client.get("/blog/write").text == "sorry, says the blog"
    assert client.get("/buy").text == "sorry, says the shop"


@pytest.mark.parametrize("page", ["/read", "/buy"])
@pytest.mark.parametrize("named", [StoreError, 503])
def test_an_error_page_may_look_at_the_session_as_layouts_do(
    app: Flask, client: FlaskClient, store: FailingStore, page: str, named: type[Exception] | int
) -> None:
    @app.errorhandler(named)
    def sorry(error: Exception) -> ResponseReturnValue:
        return render_template_string(LAYOUT, message="sorry"), 503

    client.get("/keep/user/ada")
    store.calls.clear()
    store.down = page == "/read"
    response = client.get(page)
    assert response.status_code == 503
    assert response.text == ("None: sorry []" if page == "/read" else "ada: sorry []")
    assert store.calls == (["read"] if page == "/read" else ["read", "replace"])


def test_an_error_page_may_say_who_is_logged_in(app: Flask, client: FlaskClient, store: FailingStore) -> None:
    """Flask-Login looks for the user whenever a template is rendered."""

    def load(user_id: str) -> UserMixin:
        user = UserMixin()
        user.id = user_id
        return user

    LoginManager(app).user_loader(load)

    @app.get("/in")
    def sign_in() -> str:
        login_user(load("ada"))
        return ""

    @app.get("/page")
    def page() -> str:
        return render_template_string("{{ current_user.id }}")

    @app.errorhandler(503)
    @app.errorhandler(500)
    def sorry(error: Exception) -> ResponseReturnValue:
        return render_template_string("sorry, {{ current_user.id or 'guest' }}"), 503

    begin(client, store, "/in")
    response = client.get("/page")
    assert (response.status_code, response.text) == (503, "sorry, guest")
    assert store.calls == ["read"]
    store.down = False
    assert client.get("/page").text == "ada"


def test_an_error_page_may_flash_and_only_that_is_lost(app: Flask, client: FlaskClient, store: FailingStore) -> None:
    @app.errorhandler(503)
    def sorry(error: Exception) -> ResponseReturnValue:
        flash("please come again")
        session.clear()
        return "sorry", 503

    begin(client, store)
    assert (client.get("/read").status_code, client.get("/buy").status_code) == (503, 503)
    store.down = False
    assert client.get("/read").json == {"user": "ada"}


def test_an_answer_may_be_a_page_that_needs_no_session(app: Flask, client: FlaskClient) -> None:
    """What the application answers counts, whatever its code; it is for this visitor and this time alone."""

    @app.errorhandler(StoreError)
    def sorry(error: Exception) -> ResponseReturnValue:
        return "the front page", 200, {"Cache-Control": "public, max-age=60", "Vary": "Accept"}

    response = client.get("/buy")
    assert (response.status_code, response.text) == (200, "the front page")
    assert response.headers.getlist("Cache-Control") == ["no-store"]
    assert response.headers.getlist("Vary") == ["Accept, Cookie"]


def test_functions_after_the_request_see_the_answer_of_a_look_and_not_the_one_that_takes_a_place(
    app: Flask, client: FlaskClient, store: FailingStore
) -> None:
    @app.after_request
    def sign(response: Response) -> Response:
        response.headers["X-Shop"] = str(response.status_code)
        return response

    assert "X-Shop" not in client.get("/buy").headers
    store.down = False
    begin(client, store)
    assert client.get("/read").headers["X-Shop"] == "503"


def test_an_error_in_a_handler_is_a_500(app: Flask, client: FlaskClient, store: FailingStore) -> None:
    app.register_error_handler(StoreError, lambda error: 1 // 0)  # type: ignore[arg-type]
    begin(client, store)
    assert client.get("/read").status_code == 500
    assert client.get("/buy").status_code == 500


# Bodies that are not sent


def test_a_stream_that_confirms_what_was_not_kept_never_begins(
    app: Flask, client: FlaskClient, store: FailingStore
) -> None:
    begun: list[str] = []

    @app.get("/stream")
    def stream() -> Response:
        session["cart"] = "pear"
        store.down = True

        def body() -> Iterator[str]:
            begun.append("begun")
            yield "bought"

        return Response(stream_with_context(body()))

    response = client.get("/stream")
    assert response.status_code == 503 and "bought" not in response.text
    assert begun == []


def test_a_stream_reads_what_was_loaded_before_the_store_went_down(
    app: Flask, client: FlaskClient, store: FailingStore
) -> None:
    @app.get("/stream")
    def stream() -> Response:
        assert session["user"] == "ada"

        def body() -> Iterator[str]:
            store.down = True
            yield str(session["user"])

        return Response(stream_with_context(body()))

    client.get("/keep/user/ada")
    assert client.get("/stream").text == "ada"


def test_a_file_that_is_not_sent_is_closed(app: Flask, store: FailingStore, client: FlaskClient) -> None:
    opened = BytesIO(b"a file")
    closed: list[str] = []

    @app.get("/file")
    def file() -> Response:
        session["cart"] = "pear"
        store.down = True
        response = send_file(opened, mimetype="text/plain")
        response.call_on_close(lambda: closed.append("closed"))
        return response

    with client.get("/file") as response:
        assert response.status_code == 503
    assert opened.closed
    assert closed == ["closed"]


# An empty session in place of the error


@pytest.fixture
def lenient(app: Flask, store: FailingStore, clock: Clock, events: list[Event]) -> FlaskClient:
    """The client of an application that goes on without sessions."""
    app.config["SESSION_STORE_DOWN"] = "empty"
    Coatcheck(app, store=store, revocations="memory:", clock=clock, on_event=events.append)
    return app.test_client()


@pytest.mark.parametrize("page", ["/read", "/keep/user/eve", "/stay/user/eve", "/regenerate"])
def test_an_empty_session_may_take_its_place_and_overwrites_nothing(
    lenient: FlaskClient, store: FailingStore, events: list[Event], page: str
) -> None:
    begin(lenient, store)
    before = lenient.get_cookie("session")
    events.clear()
    response = lenient.get(page)
    assert response.status_code == 200
    assert response.headers["Vary"] == "Cookie" and "Set-Cookie" not in response.headers
    assert (events[0].kind, events[0].reason) == ("rejected", "store_down")
    assert [(event.kind, event.reason) for event in events[1:]] == [("dropped", "store_down")] * (page != "/read")
    assert store.calls == ["read"]
    store.down = False
    assert lenient.get("/read").json == {"user": "ada"}
    assert lenient.get_cookie("session") == before


@pytest.mark.parametrize("page", ["/logout", "/clear"])
def test_nobody_is_told_of_a_logout_that_did_not_take_place(
    lenient: FlaskClient, store: FailingStore, page: str
) -> None:
    begin(lenient, store)
    assert lenient.get(page).status_code == 503
    store.down = False
    assert lenient.get("/user").text == "ada"
    assert lenient.get(page).status_code == 200
    assert lenient.get("/user").text == "None"


def test_what_cannot_be_kept_is_a_503_there_too(lenient: FlaskClient, store: FailingStore) -> None:
    """A visitor without a cookie has nothing to read, and an empty session that is honest. Keeping it fails."""
    store.down = True
    assert lenient.get("/read").json == {}
    assert lenient.get("/keep/user/ada").status_code == 503


# Tests of an application


def test_a_transaction_that_looks_raises_the_error(client: FlaskClient, store: FailingStore) -> None:
    begin(client, store)
    with pytest.raises(StoreError, match="as the test wants it"), client.session_transaction() as stored:
        stored.get("user")


def test_a_transaction_that_cannot_be_kept_raises_the_error(client: FlaskClient, store: FailingStore) -> None:
    def change() -> None:
        with client.session_transaction() as stored:
            stored["user"] = "eve"
            store.down = True

    client.get("/keep/user/ada")
    with pytest.raises(StoreError, match="as the test wants it"):
        change()
    store.down = False
    assert client.get("/user").text == "ada"


# The log


def outages(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in log.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("goes_on", [False, True])
def test_an_outage_is_one_line_of_the_log_and_not_one_for_each_request(
    app: Flask, store: FailingStore, caplog: pytest.LogCaptureFixture, goes_on: bool
) -> None:
    app.config["SESSION_STORE_DOWN"] = "empty" if goes_on else "error"
    client = app.test_client()
    begin(client, store)
    for page in ("/read", "/keep/user/eve", "/user"):
        client.get(page)
    (line,) = outages(caplog)
    assert line.startswith("the session store fails")
    assert ("as the test wants it" in line) == (not goes_on)
    assert {record.exc_info for record in caplog.records} == {None}
