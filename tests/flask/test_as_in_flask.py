"""What views and handlers rely on, asked of Flask's own sessions and of ours: each test passes with both."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    after_this_request,
    redirect,
    render_template_string,
    request_finished,
)
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from flask.views import MethodView
from werkzeug.exceptions import HTTPException

from coatcheck.flask import session

pytestmark = pytest.mark.usefixtures("either_keeper")


def read(client: FlaskClient) -> object:
    return client.get("/read").json


def test_after_request_may_change_the_session(app: Flask) -> None:
    @app.after_request
    def count(response: Response) -> Response:
        session["answers"] = session.get("answers", 0) + 1
        return response

    client = app.test_client()
    client.get("/plain")
    assert read(client) == {"answers": 1}


def test_after_this_request_may_change_the_session(app: Flask) -> None:
    @app.get("/late")
    def late() -> str:
        @after_this_request
        def keep(response: Response) -> Response:
            session["late"] = True
            return response

        return ""

    client = app.test_client()
    client.get("/late")
    assert read(client) == {"late": True}


def test_before_request_may_read_and_change_the_session(app: Flask) -> None:
    @app.before_request
    def count() -> None:
        session["requests"] = session.get("requests", 0) + 1

    client = app.test_client()
    client.get("/plain")
    assert read(client) == {"requests": 2}


def test_before_request_may_turn_away_who_is_not_signed_in(app: Flask) -> None:
    @app.before_request
    def guard() -> ResponseReturnValue | None:
        return None if "user" in session else ("sign in", 401)

    with app.test_client() as client:
        assert client.get("/plain").status_code == 401
        with client.session_transaction() as kept:
            kept["user"] = "ada"
        assert client.get("/plain").status_code == 200


def test_a_view_of_a_blueprint_has_the_session(app: Flask) -> None:
    cart = Blueprint("cart", __name__, url_prefix="/cart")

    @cart.before_request
    def begin() -> None:
        session.setdefault("cart", [])

    @cart.get("/add/<item>")
    def add(item: str) -> str:
        session["cart"] = [*session["cart"], item]
        return ""

    app.register_blueprint(cart)
    client = app.test_client()
    client.get("/cart/add/pear")
    client.get("/cart/add/plum")
    assert read(client) == {"cart": ["pear", "plum"]}


def test_a_class_of_views_has_the_session(app: Flask) -> None:
    class Note(MethodView):
        def post(self) -> str:
            session["note"] = "posted"
            return ""

    app.add_url_rule("/note", view_func=Note.as_view("note"))
    client = app.test_client()
    client.post("/note")
    assert read(client) == {"note": "posted"}


def test_a_redirect_takes_the_cookie_along(app: Flask) -> None:
    @app.get("/enter")
    def enter() -> ResponseReturnValue:
        session["user"] = "ada"
        return redirect("/read")

    assert app.test_client().get("/enter", follow_redirects=True).json == {"user": "ada"}


def test_a_change_before_abort_is_kept(app: Flask) -> None:
    @app.get("/refuse")
    def refuse() -> str:
        session["attempts"] = session.get("attempts", 0) + 1
        abort(403)

    client = app.test_client()
    client.get("/refuse")
    assert client.get("/refuse").status_code == 403
    assert read(client) == {"attempts": 2}


def test_a_404_handler_may_use_the_session(app: Flask) -> None:
    @app.errorhandler(404)
    def missing(error: HTTPException) -> ResponseReturnValue:
        session["lost"] = session.get("lost", 0) + 1
        return f"lost {session['lost']} times", 404

    client = app.test_client()
    client.get("/nowhere")
    response = client.get("/nowhere")
    assert (response.status_code, response.text) == (404, "lost 2 times")
    assert "Cookie" in response.vary


def test_a_500_handler_may_use_the_session(app: Flask) -> None:
    @app.get("/fail")
    def fail() -> str:
        session["before"] = True
        raise ZeroDivisionError

    @app.errorhandler(500)
    def failed(error: HTTPException) -> ResponseReturnValue:
        session["failed"] = type(getattr(error, "original_exception", None)).__name__
        return "sorry", 500

    client = app.test_client()
    assert client.get("/fail").status_code == 500
    assert read(client) == {"before": True, "failed": "ZeroDivisionError"}


def test_a_change_before_an_error_without_a_handler_is_kept(app: Flask) -> None:
    @app.get("/fail")
    def fail() -> str:
        session["before"] = True
        raise ZeroDivisionError

    client = app.test_client()
    assert client.get("/fail").status_code == 500
    assert read(client) == {"before": True}


def test_an_error_after_the_session_was_saved_may_be_handled_with_the_session(app: Flask) -> None:
    """A listener to the end of the request fails when the response is made; the handler makes another one."""

    @app.errorhandler(500)
    def failed(error: HTTPException) -> ResponseReturnValue:
        session["failed"] = True
        return "sorry", 500

    def fail(sender: Flask, **extra: object) -> None:
        raise ZeroDivisionError

    client = app.test_client()
    with request_finished.connected_to(fail, app):
        assert client.get("/keep/user/ada").text == "sorry"
    assert read(client) == {"user": "ada", "failed": True}


def test_a_handler_of_an_applications_own_error_may_use_the_session(app: Flask) -> None:
    @app.get("/fail")
    def fail() -> str:
        raise LookupError("no such thing")

    @app.errorhandler(LookupError)
    def failed(error: LookupError) -> str:
        session["error"] = str(error)
        return "sorry"

    client = app.test_client()
    assert client.get("/fail").status_code == 200
    assert read(client) == {"error": "no such thing"}


def test_a_template_has_the_session(app: Flask) -> None:
    page = "{% if session.user %}Hello {{ session.user }}, {{ session['cart']|length }}{% else %}Who?{% endif %}"

    @app.get("/page")
    def show() -> str:
        return render_template_string(page)

    client = app.test_client()
    response = client.get("/page")
    assert response.text == "Who?" and "Cookie" in response.vary
    with client.session_transaction() as kept:
        kept.update(user="<ada>", cart=[1, 2])
    assert client.get("/page").text == "Hello &lt;ada&gt;, 2"


def test_a_template_that_does_not_look_does_not_make_the_page_vary(app: Flask) -> None:
    @app.get("/page")
    def show() -> str:
        return render_template_string("{% if false %}{{ session.user }}{% endif %}same for all")

    assert "Vary" not in app.test_client().get("/page").headers


def test_an_async_view_has_the_session(app: Flask) -> None:
    @app.get("/async/<value>")
    async def keep_later(value: str) -> str:
        before = session.get("value")
        session["value"] = value
        return str(before)

    client = app.test_client()
    assert client.get("/async/one").text == "None"
    assert client.get("/async/two").text == "one"
    assert read(client) == {"value": "two"}


def test_a_request_without_a_view_leaves_the_session_alone(app: Flask) -> None:
    client = app.test_client()
    client.get("/keep/user/ada")
    for answer in (client.options("/read"), client.get("/nowhere"), client.post("/read")):
        assert not {"Vary", "Set-Cookie"} & set(answer.headers.keys())


def test_head_has_the_headers_of_get(app: Flask) -> None:
    client = app.test_client()
    client.get("/keep/user/ada")
    assert client.head("/read").headers.getlist("Vary") == client.get("/read").headers.getlist("Vary") == ["Cookie"]
    client.head("/keep/user/bob")
    assert read(client) == {"user": "bob"}


def test_static_files_are_the_same_for_everybody(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text("body {}")
    app.register_blueprint(Blueprint("files", __name__, static_folder=tmp_path, static_url_path="/files"))
    client = app.test_client()
    client.get("/keep/user/ada")
    with client.get("/files/style.css") as response:
        assert response.get_data(as_text=True) == "body {}"
        assert not {"Vary", "Set-Cookie"} & set(response.headers.keys())
