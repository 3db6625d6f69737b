"""Options given to `Coatcheck` win over the configuration, under the names of Flask's keys or shorter ones."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from coatcheck import UsageError
from coatcheck.flask import Coatcheck, session
from coatcheck.testing import Clock


def _keep() -> str:
    session["value"] = "kept"
    return ""


def _read() -> str:
    return str(session.get("value"))


def header(app: Flask, base_url: str = "http://shop.example") -> str:
    value: str = app.test_client().get("/stay/user/ada", base_url=base_url).headers["Set-Cookie"]
    return value


# A keyword, a configuration that says otherwise, and what the cookie then has: by a clock that stands still, as what
# is left of an absolute lifetime counts from the second of the beginning.
WINNERS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"cookie_name": "sid"}, {"SESSION_COOKIE_NAME": "other"}, "sid="),
    ({"cookie_path": "/a"}, {"SESSION_COOKIE_PATH": "/b"}, "; Path=/a;"),
    ({"cookie_path": "/a"}, {"APPLICATION_ROOT": "/b"}, "; Path=/a;"),
    ({"cookie_domain": "shop.example"}, {"SESSION_COOKIE_DOMAIN": "example"}, "; Domain=shop.example;"),
    ({"cookie_samesite": "Strict"}, {"SESSION_COOKIE_SAMESITE": "Lax"}, "; SameSite=Strict"),
    ({"cookie_httponly": True}, {"SESSION_COOKIE_HTTPONLY": False}, "; HttpOnly;"),
    ({"cookie_secure": True}, {"SESSION_COOKIE_SECURE": False}, "; Secure;"),
    ({"permanent_lifetime": 60}, {"PERMANENT_SESSION_LIFETIME": timedelta(days=1)}, "; Max-Age=60;"),
    ({"absolute_lifetime": 70}, {"SESSION_ABSOLUTE_LIFETIME": 80}, "; Max-Age=70;"),
]


@pytest.mark.parametrize(("keywords", "config", "expected"), WINNERS)
def test_a_keyword_wins_over_the_configuration(
    app: Flask, clock: Clock, keywords: dict[str, Any], config: dict[str, Any], expected: str
) -> None:
    app.config.update(config)
    Coatcheck(app, clock=clock, **keywords)
    assert expected in header(app)


@pytest.mark.parametrize(("keywords", "config", "expected"), WINNERS)
def test_a_keyword_may_have_the_word_session_in_its_name(
    app: Flask, clock: Clock, keywords: dict[str, Any], config: dict[str, Any], expected: str
) -> None:
    app.config.update(config)
    long = {f"session_{key}".replace("session_permanent_", "permanent_session_"): keywords[key] for key in keywords}
    Coatcheck(app, session_clock=clock, **long)
    assert expected in header(app)


@pytest.mark.parametrize(("keywords", "config", "expected"), WINNERS)
def test_a_keyword_wins_over_a_configuration_that_comes_later(
    app: Flask, clock: Clock, keywords: dict[str, Any], config: dict[str, Any], expected: str
) -> None:
    Coatcheck(app, clock=clock, **keywords)
    header(app)
    app.config.update(config)
    assert expected in header(app)


def test_a_keyword_for_the_key_wins(app: Flask) -> None:
    Coatcheck(app, secret_key=os.urandom(24))
    client = app.test_client()
    client.get("/keep/user/ada")
    app.config["SECRET_KEY"] = os.urandom(24)
    assert client.get("/read").json == {"user": "ada"}


def test_a_keyword_for_the_key_that_is_none_leaves_the_configured_one(app: Flask) -> None:
    """As in `secret_key=os.environ.get(...)`."""
    Coatcheck(app, secret_key=None)
    client = app.test_client()
    client.get("/keep/user/ada")
    assert client.get("/read").json == {"user": "ada"}


def test_a_keyword_for_the_fallbacks_wins(app: Flask) -> None:
    Coatcheck(app)
    client = app.test_client()
    client.get("/keep/user/ada")
    old, app.config["SECRET_KEY"] = app.config["SECRET_KEY"], os.urandom(24)
    app.config["SECRET_KEY_FALLBACKS"] = [os.urandom(24)]
    Coatcheck(app, secret_key_fallbacks=[old])
    assert client.get("/read").json == {"user": "ada"}


def test_secure_false_as_a_keyword_means_never(app: Flask) -> None:
    Coatcheck(app, cookie_secure=False)
    assert "Secure" not in header(app, "https://shop.example")


def test_secure_none_as_a_keyword_follows_the_scheme(app: Flask) -> None:
    Coatcheck(app, cookie_secure=None)
    assert "Secure" in header(app, "https://shop.example")
    assert "Secure" not in header(app, "http://shop.example")


def test_samesite_false_as_a_keyword_leaves_the_attribute_out(app: Flask) -> None:
    Coatcheck(app, cookie_samesite=False)
    assert "SameSite" not in header(app)


def test_one_coatcheck_serves_two_applications() -> None:
    coatcheck = Coatcheck(cookie_name="sid")
    clients = []
    for name in ("one", "two"):
        app = Flask(name, static_folder=None)
        app.config["SECRET_KEY"] = os.urandom(24)
        coatcheck.init_app(app)
        app.add_url_rule("/keep", view_func=_keep)
        app.add_url_rule("/read", view_func=_read)
        clients.append(app.test_client())
    for client in clients:
        client.get("/keep")
        assert client.get("/read").text == "kept"
    one, two = (client.get_cookie("sid") for client in clients)
    assert one is not None and two is not None
    clients[0].set_cookie("sid", two.value)
    assert clients[0].get("/read").text == "None"


def test_two_applications_with_one_key_tell_each_other_apart_by_their_audience(app: Flask) -> None:
    Coatcheck(app, audience="shop")
    client = app.test_client()
    client.get("/keep/user/ada")
    Coatcheck(app, audience="blog")
    assert client.get("/read").json == {}
    Coatcheck(app, audience="shop")
    assert client.get("/read").json == {"user": "ada"}


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ("cookie_nam", "cookie_name"),
        ("session_cookie_nmae", "cookie_name"),
        ("cookie_same_site", "cookie_samesite"),
        ("http_only", "cookie_httponly"),
        ("refresh_intervall", "refresh_interval"),
        ("lifetime", "absolute_lifetime"),
        ("secret", "secret_key"),
        ("fallbacks", "secret_key_fallbacks"),
        ("allow_weak_keys", "allow_weak_key"),
    ],
)
def test_an_unknown_keyword_is_refused_with_what_was_meant(option: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        Coatcheck(None, **{option: "x"})
    assert str(caught.value).endswith(f"did you mean {meant!r}?")


def test_an_unknown_keyword_like_no_other_is_refused_too(app: Flask) -> None:
    with pytest.raises(UsageError, match="there is no option 'zzz'"):
        Coatcheck(app, zzz=1)


def test_one_option_under_two_names_is_refused(app: Flask) -> None:
    with pytest.raises(UsageError, match="cookie_name"):
        Coatcheck(app, cookie_name="one", session_cookie_name="two")


def test_a_coatcheck_that_refuses_leaves_the_application_as_it_was(app: Flask) -> None:
    interface = app.session_interface
    with pytest.raises(UsageError):
        Coatcheck(app, cookie_samesite="Sometimes")
    assert app.session_interface is interface
    assert "coatcheck" not in app.extensions
