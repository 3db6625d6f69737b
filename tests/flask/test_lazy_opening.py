"""The interface driven as a later Flask may drive it: opened when first used, saved without any context.

Flask opens the session when the request context is pushed. The contract of
`SessionInterface` leaves it free to open when a view first looks, to mark the
session as accessed by itself, and to save a session that nobody has looked at.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask, Response
from flask.sessions import SessionMixin
from werkzeug.http import parse_cookie
from werkzeug.test import create_environ

from coatcheck import Event
from coatcheck.flask import Coatcheck

View = Callable[[Callable[[], SessionMixin]], object]


def respond(app: Flask, view: View, cookie: str = "") -> Response:
    """Gives the response of a request that opens its session at the first call, and has no context pushed."""
    environ = create_environ("/", headers={"Cookie": cookie})
    request = app.request_class(environ)
    interface = app.session_interface
    opened: list[SessionMixin] = []

    def get_session() -> SessionMixin:
        if not opened:
            current = interface.open_session(app, request)
            opened.append(interface.make_null_session(app) if current is None else current)
        return opened[0]

    def proxy() -> SessionMixin:
        current = get_session()
        current.accessed = True
        return current

    view(proxy)
    response = app.response_class("page")
    if not interface.is_null_session(get_session()):
        interface.save_session(app, get_session(), response)
    return response


def cookie_of(response: Response) -> str:
    value = parse_cookie(response.headers["Set-Cookie"])["session"]
    return f"session={value}"


@pytest.fixture(autouse=True)
def coatcheck(app: Flask, events: list[Event]) -> Coatcheck:
    return Coatcheck(app, on_event=events.append)


def test_a_session_that_is_opened_late_is_written_and_read(app: Flask) -> None:
    seen: list[object] = []
    written = respond(app, lambda session: session().update(user="ada"))
    read = respond(app, lambda session: seen.append(session()["user"]), cookie_of(written))
    assert seen == ["ada"]
    assert read.headers["Vary"] == "Cookie" and "Set-Cookie" not in read.headers


def test_a_session_that_is_opened_only_to_be_saved_says_nothing(app: Flask, events: list[Event]) -> None:
    for cookie in ("", "session=rubbish", cookie_of(respond(app, lambda session: session().update(user="ada")))):
        events.clear()
        response = respond(app, lambda session: None, cookie)
        assert not {"Vary", "Set-Cookie", "Cache-Control"} & set(response.headers.keys())
        assert events == []


def test_a_session_that_is_only_marked_as_accessed_makes_the_response_vary(app: Flask, events: list[Event]) -> None:
    response = respond(app, lambda session: session(), "session=rubbish")
    assert response.headers["Vary"] == "Cookie"
    assert events == []


def test_a_session_that_is_opened_late_is_deleted(app: Flask) -> None:
    written = respond(app, lambda session: session().update(user="ada"))
    deleted = respond(app, lambda session: session().clear(), cookie_of(written))
    assert deleted.headers["Set-Cookie"].startswith("session=; ")


def test_a_change_inside_a_value_is_found(app: Flask) -> None:
    seen: list[object] = []
    written = respond(app, lambda session: session().update(cart=[]))
    changed = respond(app, lambda session: session()["cart"].append("pear"), cookie_of(written))
    respond(app, lambda session: seen.append(session()["cart"]), cookie_of(changed))
    assert seen == [["pear"]]


def test_without_a_key_the_null_session_is_opened_late(app: Flask) -> None:
    app.secret_key = None
    with pytest.raises(RuntimeError, match="no secret key was set"):
        respond(app, lambda session: session().update(user="ada"))
    assert "Set-Cookie" not in respond(app, lambda session: session().get("user")).headers


def test_an_interval_of_0_sends_a_permanent_session_that_is_opened_only_to_be_saved(app: Flask) -> None:
    app.config["SESSION_REFRESH_INTERVAL"] = 0
    written = respond(app, lambda session: setattr(session(), "permanent", True))
    assert "Set-Cookie" in respond(app, lambda session: None, cookie_of(written)).headers
