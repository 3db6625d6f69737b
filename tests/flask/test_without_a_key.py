"""Without a secret key, Flask's sessions and ours are the same: empty, to be read and not to be written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask, flash, get_flashed_messages

from coatcheck import Session
from coatcheck.flask import Coatcheck, CoatcheckSessionInterface, session

READINGS: dict[str, Callable[[Session], object]] = {
    "[]": lambda session: "user" in session and session["user"],
    "get": lambda session: session.get("user"),
    "len": len,
    "bool": bool,
    "iteration": list,
    "permanent": lambda session: session.permanent,
    "flashed messages": lambda session: get_flashed_messages(),
}


def _set(session: Session) -> None:
    session["user"] = "ada"


WRITINGS: dict[str, Callable[[Session], object]] = {
    "[]": _set,
    "pop": lambda session: session.pop("user", None),
    "clear": lambda session: session.clear(),
    "update": lambda session: session.update(user="ada"),
    "setdefault": lambda session: session.setdefault("user", "ada"),
    "permanent": lambda session: setattr(session, "permanent", True),
    "flash": lambda session: flash("hello"),
}


@pytest.fixture
def keyless(app: Flask, either_keeper: None) -> Flask:
    app.secret_key = None
    app.testing = True
    return app


@pytest.mark.parametrize("name", READINGS)
def test_reading_finds_nothing(keyless: Flask, name: str) -> None:
    keyless.add_url_rule("/do", view_func=lambda: str(READINGS[name](session) or "nothing"))
    client = keyless.test_client()
    client.set_cookie("session", "rubbish")
    response = client.get("/do")
    assert response.text == "nothing"
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("name", WRITINGS)
def test_writing_raises_flasks_own_error(keyless: Flask, name: str) -> None:
    keyless.add_url_rule("/do", view_func=lambda: str(WRITINGS[name](session)))
    with pytest.raises(RuntimeError, match="The session is unavailable because no secret key was set"):
        keyless.test_client().get("/do")


def test_writing_is_a_500_for_the_visitor(keyless: Flask) -> None:
    keyless.testing = False
    assert keyless.test_client().get("/keep/user/ada").status_code == 500


@pytest.mark.parametrize("key", [None, "", b""])
def test_an_empty_key_is_no_key(keyless: Flask, key: str | bytes | None) -> None:
    keyless.secret_key = key
    with pytest.raises(RuntimeError, match="no secret key was set"):
        keyless.test_client().get("/keep/user/ada")


def test_an_application_without_sessions_needs_no_key() -> None:
    app = Flask("plain", static_folder=None)
    Coatcheck(app)
    app.add_url_rule("/", view_func=lambda: "hello")
    assert app.test_client().get("/").text == "hello"


def test_the_interface_alone_needs_no_key_either() -> None:
    app = Flask("plain", static_folder=None)
    app.session_interface = CoatcheckSessionInterface()
    app.add_url_rule("/", view_func=lambda: f"{len(session)} keys")
    assert app.test_client().get("/").text == "0 keys"


def test_a_key_that_comes_later_is_taken(app: Flask) -> None:
    key, app.secret_key = app.secret_key, None
    Coatcheck(app)
    client = app.test_client()
    assert client.get("/keep/user/ada").status_code == 500
    app.secret_key = key
    client.get("/keep/user/ada")
    assert client.get("/read").json == {"user": "ada"}


def test_a_key_that_is_a_keyword_is_enough(app: Flask) -> None:
    key, app.secret_key = app.secret_key, None
    Coatcheck(app, secret_key=key)
    client = app.test_client()
    client.get("/keep/user/ada")
    assert client.get("/read").json == {"user": "ada"}
