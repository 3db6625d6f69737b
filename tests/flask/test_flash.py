"""Flask's flashed messages, asked of Flask's own sessions and of ours: each test passes with both."""

from __future__ import annotations

import pytest
from flask import Flask, flash, get_flashed_messages, message_flashed, render_template_string
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from coatcheck.flask import session

pytestmark = pytest.mark.usefixtures("either_keeper")


SAID = [["message", "saved"], ["warning", "nearly full"], ["html", "<b>bold</b>"]]


@pytest.fixture(autouse=True)
def views(app: Flask) -> None:
    @app.get("/say")
    def say() -> str:
        flash("saved")
        flash("nearly full", "warning")
        flash(Markup("<b>bold</b>"), "html")
        return ""

    @app.get("/hear")
    def hear() -> list[object]:
        return [list(pair) for pair in get_flashed_messages(with_categories=True)]


def test_messages_come_once_with_their_categories(app: Flask) -> None:
    client = app.test_client()
    client.get("/say")
    assert client.get("/hear").json == SAID
    assert client.get("/hear").json == []


def test_nothing_is_left_behind_by_messages_that_were_heard(app: Flask, either_keeper: str) -> None:
    """But for the cookie of a session on the server, which another request may be filling at this moment."""
    client = app.test_client()
    client.get("/say")
    client.get("/hear")
    assert client.get("/read").json == {}
    assert (client.get_cookie("session") is None) == (either_keeper != "coatcheck on the server")


def test_messages_of_several_requests_are_heard_in_order(app: Flask) -> None:
    client = app.test_client()
    client.get("/say")
    client.get("/say")
    assert client.get("/hear").json == SAID + SAID


def test_messages_may_be_heard_by_category(app: Flask) -> None:
    @app.get("/warnings")
    def warnings() -> list[object]:
        return [*get_flashed_messages(category_filter=["warning"])]

    client = app.test_client()
    client.get("/say")
    assert client.get("/warnings").json == ["nearly full"]


def test_markup_is_still_markup_after_the_trip(app: Flask) -> None:
    @app.get("/page")
    def page() -> str:
        return render_template_string("{% for message in get_flashed_messages() %}{{ message }};{% endfor %}")

    @app.get("/say-raw")
    def say_raw() -> str:
        flash("<i>raw</i>")
        return ""

    client = app.test_client()
    client.get("/say")
    client.get("/say-raw")
    assert client.get("/page").text == "saved;nearly full;<b>bold</b>;&lt;i&gt;raw&lt;/i&gt;;"


def test_a_message_is_heard_in_the_request_that_said_it(app: Flask) -> None:
    @app.get("/both")
    def both() -> list[object]:
        flash("now")
        return [*get_flashed_messages()]

    client = app.test_client()
    assert client.get("/both").json == ["now"]
    assert client.get("/hear").json == []


def test_a_handler_of_404_may_flash(app: Flask) -> None:
    @app.errorhandler(404)
    def missing(error: HTTPException) -> ResponseReturnValue:
        flash("no such page")
        return "", 404

    client = app.test_client()
    client.get("/nowhere")
    assert client.get("/hear").json == [["message", "no such page"]]


def test_a_handler_of_500_may_flash(app: Flask) -> None:
    @app.errorhandler(500)
    def failed(error: HTTPException) -> ResponseReturnValue:
        flash("sorry")
        return "", 500

    @app.get("/fail")
    def fail() -> str:
        raise ZeroDivisionError

    client = app.test_client()
    assert client.get("/fail").status_code == 500
    assert client.get("/hear").json == [["message", "sorry"]]


def test_the_signal_of_a_message_is_sent(app: Flask) -> None:
    heard: list[str] = []

    def hear(sender: Flask, message: str, category: str) -> None:
        heard.append(f"{category}: {message}, {len(session['_flashes'])} so far")

    with message_flashed.connected_to(hear, app):
        app.test_client().get("/say")
    assert heard == [
        "message: saved, 1 so far",
        "warning: nearly full, 2 so far",
        "html: <b>bold</b>, 3 so far",
    ]
