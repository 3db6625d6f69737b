"""The first thing that everybody does: keep a name, read it, forget it."""

from __future__ import annotations

import os
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import timedelta
from http.cookiejar import CookieJar

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature
from werkzeug.http import http_date

from coatcheck.flask import Coatcheck, session
from coatcheck.testing import Clock

Browse = Callable[[Flask, CookieJar], Callable[[str], str]]


def make_app(**config: object) -> Flask:
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.urandom(24)
    app.config.update(config)
    Coatcheck(app)

    @app.route("/")
    def index() -> str:
        session.permanent = True
        session["username"] = "Ada Lovelace"
        return "set"

    @app.route("/guest/")
    def guest() -> str:
        session["username"] = "Ada Lovelace"
        return "set until the browser closes"

    @app.route("/username/")
    def username() -> str:
        return str(session.get("username"))

    @app.route("/delete_user/")
    def delete_user() -> str:
        session.pop("username", None)
        return "deleted"

    return app


@pytest.fixture
def week() -> Flask:
    return make_app(PERMANENT_SESSION_LIFETIME=timedelta(days=7))


def test_a_name_is_kept_and_read_and_forgotten(week: Flask, browse: Browse) -> None:
    get = browse(week, CookieJar())
    assert get("/username/") == "None"
    assert get("/") == "set"
    assert get("/username/") == "Ada Lovelace"
    assert get("/username/") == "Ada Lovelace"
    assert get("/delete_user/") == "deleted"
    assert get("/username/") == "None"


def test_a_visitor_who_sets_nothing_gets_no_cookie(week: Flask, browse: Browse) -> None:
    jar = CookieJar()
    get = browse(week, jar)
    get("/username/")
    get("/delete_user/")
    assert len(jar) == 0


def test_two_visitors_have_two_sessions(week: Flask, browse: Browse) -> None:
    one, other = browse(week, CookieJar()), browse(week, CookieJar())
    one("/")
    assert other("/username/") == "None"
    other("/")
    one("/delete_user/")
    assert other("/username/") == "Ada Lovelace"


def test_the_jar_of_a_browser_keeps_the_cookie_for_seven_days(week: Flask, browse: Browse) -> None:
    jar = CookieJar()
    browse(week, jar)("/")
    (cookie,) = jar
    assert (cookie.name, cookie.path, cookie.discard) == ("session", "/", False)
    assert cookie.expires is not None and abs(cookie.expires - time.time() - 604800) < 60
    assert cookie.has_nonstandard_attr("HttpOnly")


def test_the_cookie_is_named_session_and_lasts_the_configured_week(week: Flask) -> None:
    header = week.test_client().get("/").headers["Set-Cookie"]
    name_and_value, *attributes = header.split("; ")
    assert name_and_value.startswith("session=")
    assert {part for part in attributes if not part.startswith("Expires=")} == {
        "Max-Age=604800",
        "HttpOnly",
        "Path=/",
        "SameSite=Lax",
    }


def test_a_permanent_session_lasts_31_days_where_nothing_is_configured() -> None:
    assert "; Max-Age=2678400;" in make_app().test_client().get("/").headers["Set-Cookie"]


def test_expires_and_max_age_say_the_same_instant(week: Flask) -> None:
    clock = Clock()
    Coatcheck(week, clock=clock)
    header = week.test_client().get("/").headers["Set-Cookie"]
    assert f"; Expires={http_date(clock.now + 604800)}; Max-Age=604800;" in header


def test_a_session_that_is_not_permanent_ends_with_the_browser(week: Flask) -> None:
    header = week.test_client().get("/guest/").headers["Set-Cookie"]
    assert "Max-Age" not in header and "Expires" not in header
    client = week.test_client()
    client.get("/guest/")
    assert client.get("/username/").text == "Ada Lovelace"


def test_the_cookie_is_gone_once_the_only_name_is_deleted_from_a_browser_session(week: Flask) -> None:
    client = week.test_client()
    client.get("/guest/")
    client.get("/delete_user/")
    assert client.get_cookie("session") is None


def test_the_cookie_is_opaque(week: Flask) -> None:
    client = week.test_client()
    client.get("/")
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cookie.value)
    raw = urlsafe_b64decode(cookie.value + "=" * (-len(cookie.value) % 4))
    for word in (b"username", b"Ada", b"Lovelace", b"_permanent"):
        assert word not in raw


def test_the_same_content_never_gives_the_same_cookie(week: Flask) -> None:
    values = {week.test_client().get("/").headers["Set-Cookie"].split(";")[0] for _ in range(20)}
    assert len(values) == 20


def test_flasks_own_reader_does_not_open_the_cookie(week: Flask) -> None:
    client = week.test_client()
    client.get("/")
    cookie = client.get_cookie("session")
    serializer = SecureCookieSessionInterface().get_signing_serializer(week)
    assert cookie is not None and serializer is not None
    with pytest.raises(BadSignature):
        serializer.loads(cookie.value)


def test_a_cookie_that_flask_has_signed_is_no_session(week: Flask) -> None:
    serializer = SecureCookieSessionInterface().get_signing_serializer(week)
    assert serializer is not None
    client = week.test_client()
    client.set_cookie("session", str(serializer.dumps({"username": "Mallory"})))
    assert client.get("/username/").text == "None"


def test_a_changed_cookie_gives_an_empty_session_and_no_error(week: Flask) -> None:
    client = week.test_client()
    client.get("/")
    cookie = client.get_cookie("session")
    assert cookie is not None
    for at in range(0, len(cookie.value), 7):
        other = "A" if cookie.value[at] != "A" else "B"
        client.set_cookie("session", cookie.value[:at] + other + cookie.value[at + 1 :])
        response = client.get("/username/")
        assert (response.status_code, response.text) == (200, "None")
        assert "Set-Cookie" not in response.headers


def test_the_cookie_of_a_process_with_another_key_is_an_empty_session(week: Flask) -> None:
    client = week.test_client()
    client.get("/")
    cookie = client.get_cookie("session")
    assert cookie is not None
    other = make_app().test_client()
    other.set_cookie("session", cookie.value)
    assert other.get("/username/").text == "None"
