"""The configuration is read late: whatever is in it when a request comes counts, also between two requests."""

from __future__ import annotations

import logging
import os
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Blueprint, Flask
from kit import SECRET
from quart import Quart
from werkzeug.middleware.proxy_fix import ProxyFix

from coatcheck import UsageError
from coatcheck.flask import Coatcheck, CoatcheckSessionInterface, session
from coatcheck.testing import Clock


def attributes(app: Flask, base_url: str = "http://shop.example") -> set[str]:
    """Gives the attributes of a permanent session's cookie, without the date."""
    header = app.test_client().get("/stay/user/ada", base_url=base_url).headers["Set-Cookie"]
    return {part for part in header.split("; ")[1:] if not part.startswith("Expires=")}


def cookie_name(app: Flask) -> str:
    return app.test_client().get("/keep/user/ada").headers["Set-Cookie"].partition("=")[0]


USUAL = {"Max-Age=2678400", "HttpOnly", "Path=/", "SameSite=Lax"}

# A change of the configuration, and the attributes that it takes away and brings.
ATTRIBUTES: dict[str, tuple[dict[str, object], set[str], set[str]]] = {
    "path": ({"SESSION_COOKIE_PATH": "/shop"}, {"Path=/"}, {"Path=/shop"}),
    "root": ({"APPLICATION_ROOT": "/app"}, {"Path=/"}, {"Path=/app"}),
    "path before root": ({"APPLICATION_ROOT": "/app", "SESSION_COOKIE_PATH": "/p"}, {"Path=/"}, {"Path=/p"}),
    "domain": ({"SESSION_COOKIE_DOMAIN": "shop.example"}, set(), {"Domain=shop.example"}),
    "domain with a dot": ({"SESSION_COOKIE_DOMAIN": ".shop.example"}, set(), {"Domain=shop.example"}),
    "domain False": ({"SESSION_COOKIE_DOMAIN": False}, set(), set()),
    "samesite Strict": ({"SESSION_COOKIE_SAMESITE": "Strict"}, {"SameSite=Lax"}, {"SameSite=Strict"}),
    "samesite in small letters": ({"SESSION_COOKIE_SAMESITE": "strict"}, {"SameSite=Lax"}, {"SameSite=Strict"}),
    "samesite Lax": ({"SESSION_COOKIE_SAMESITE": "Lax"}, set(), set()),
    "samesite unset": ({"SESSION_COOKIE_SAMESITE": None}, set(), set()),
    "samesite left out": ({"SESSION_COOKIE_SAMESITE": False}, {"SameSite=Lax"}, set()),
    "samesite None": (
        {"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_SECURE": True},
        {"SameSite=Lax"},
        {"SameSite=None", "Secure"},
    ),
    "secure": ({"SESSION_COOKIE_SECURE": True}, set(), {"Secure"}),
    "not for scripts": ({"SESSION_COOKIE_HTTPONLY": True}, set(), set()),
    "for scripts": ({"SESSION_COOKIE_HTTPONLY": False}, {"HttpOnly"}, set()),
    "partitioned": (
        {"SESSION_COOKIE_PARTITIONED": True, "SESSION_COOKIE_SECURE": True},
        set(),
        {"Partitioned", "Secure"},
    ),
    "lifetime": ({"PERMANENT_SESSION_LIFETIME": timedelta(hours=2)}, {"Max-Age=2678400"}, {"Max-Age=7200"}),
    "lifetime in seconds": ({"PERMANENT_SESSION_LIFETIME": 60}, {"Max-Age=2678400"}, {"Max-Age=60"}),
    "absolute lifetime": ({"SESSION_ABSOLUTE_LIFETIME": 90}, {"Max-Age=2678400"}, {"Max-Age=90"}),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_follows_the_configuration_between_two_requests(app: Flask, clock: Clock, name: str) -> None:
    config, gone, come = ATTRIBUTES[name]
    before = {key: app.config.get(key) for key in config}
    # It stands still: what is left of an absolute lifetime counts from the second of the beginning.
    Coatcheck(app, clock=clock)
    assert attributes(app) == USUAL
    app.config.update(config)
    assert attributes(app) == USUAL - gone | come
    app.config.update(before)
    assert attributes(app) == USUAL


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_is_taken_from_a_configuration_that_comes_after_init_app(
    app: Flask, clock: Clock, name: str
) -> None:
    config, gone, come = ATTRIBUTES[name]
    Coatcheck(clock=clock).init_app(app)
    app.config.update(config)
    assert attributes(app) == USUAL - gone | come


def test_an_application_factory_may_configure_last() -> None:
    coatcheck = Coatcheck()
    app = Flask("factory", static_folder=None)
    coatcheck.init_app(app)
    app.config.from_mapping(SECRET_KEY=os.urandom(24), SESSION_COOKIE_NAME="sid", PERMANENT_SESSION_LIFETIME=60)

    @app.get("/keep/user/ada")
    def keep() -> str:
        session["user"] = "ada"
        return ""

    assert cookie_name(app) == "sid"


def test_the_name_may_change_between_two_requests(app: Flask) -> None:
    Coatcheck(app)
    client = app.test_client()
    client.get("/keep/user/ada")
    app.config["SESSION_COOKIE_NAME"] = "sid"
    assert client.get("/read").json == {}
    client.get("/keep/user/bob")
    assert client.get("/read").json == {"user": "bob"}
    app.config["SESSION_COOKIE_NAME"] = "session"
    assert client.get("/read").json == {"user": "ada"}


def test_an_earlier_name_may_be_configured_between_two_requests(app: Flask) -> None:
    Coatcheck(app)
    client = app.test_client()
    client.get("/keep/user/ada")
    app.config.update(SESSION_COOKIE_NAME="sid", SESSION_EARLIER_COOKIE_NAMES=["session"])
    assert client.get("/read").json == {"user": "ada"}
    assert client.get_cookie("session") is None
    assert client.get_cookie("sid") is not None


def test_a_list_of_earlier_names_may_be_changed_in_place(app: Flask) -> None:
    Coatcheck(app)
    client = app.test_client()
    client.get("/keep/user/ada")
    app.config.update(SESSION_COOKIE_NAME="sid", SESSION_EARLIER_COOKIE_NAMES=[])
    assert client.get("/read").json == {}
    app.config["SESSION_EARLIER_COOKIE_NAMES"].append("session")
    assert client.get("/read").json == {"user": "ada"}


def test_the_key_may_change_between_two_requests(app: Flask) -> None:
    Coatcheck(app)
    client = app.test_client()
    client.get("/keep/user/ada")
    app.config["SECRET_KEY"] = os.urandom(24)
    assert client.get("/read").json == {}
    client.get("/keep/user/bob")
    assert client.get("/read").json == {"user": "bob"}


def test_fallbacks_may_be_replaced_between_two_requests(app: Flask) -> None:
    Coatcheck(app)
    client = app.test_client()
    client.get("/keep/user/ada")
    old = app.config["SECRET_KEY"]
    app.config["SECRET_KEY"] = os.urandom(24)
    app.config["SECRET_KEY_FALLBACKS"] = [os.urandom(24)]
    assert client.get("/read").json == {}
    app.config["SECRET_KEY_FALLBACKS"] = [os.urandom(24), old]
    assert client.get("/read").json == {"user": "ada"}


def test_fallbacks_may_be_changed_in_place(app: Flask) -> None:
    app.config["SECRET_KEY_FALLBACKS"] = []
    Coatcheck(app)
    client = app.test_client()
    client.get("/keep/user/ada")
    old = app.config["SECRET_KEY"]
    app.config["SECRET_KEY"] = os.urandom(24)
    assert client.get("/read").json == {}
    app.config["SECRET_KEY_FALLBACKS"].append(old)
    other = app.test_client()
    cookie = client.get_cookie("session")
    assert cookie is not None
    other.set_cookie("session", cookie.value)
    assert client.get("/read").json == {"user": "ada"}
    app.config["SECRET_KEY_FALLBACKS"].clear()
    assert other.get("/read").json == {}


def test_a_shorter_lifetime_counts_for_sessions_that_are_there(app: Flask) -> None:
    now = 1_800_000_000
    Coatcheck(app, clock=lambda: now)
    client = app.test_client()
    client.get("/stay/user/ada")
    now += 3600
    app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(minutes=30)
    assert client.get("/read").json == {}


def test_a_configuration_that_becomes_wrong_raises_in_the_request_that_needs_it(app: Flask) -> None:
    app.testing = True
    Coatcheck(app)
    app.config["SESSION_COOKIE_SAMESITE"] = "Sometimes"
    with pytest.raises(UsageError, match="cookie_samesite"):
        app.test_client().get("/read")


def test_secure_false_in_the_configuration_is_flasks_default_and_follows_the_scheme(app: Flask) -> None:
    assert app.config["SESSION_COOKIE_SECURE"] is False
    Coatcheck(app)
    assert "Secure" not in attributes(app, "http://shop.example")
    assert "Secure" in attributes(app, "https://shop.example")


def test_secure_true_in_the_configuration_counts_for_plain_http_too(app: Flask) -> None:
    app.config["SESSION_COOKIE_SECURE"] = True
    Coatcheck(app)
    assert "Secure" in attributes(app, "http://shop.example")


def test_the_scheme_is_the_one_that_a_trusted_proxy_says(app: Flask) -> None:
    Coatcheck(app)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1)  # type: ignore[method-assign]
    for scheme, secure in (("https", True), ("http", False)):
        headers = app.test_client().get("/keep/user/ada", headers={"X-Forwarded-Proto": scheme}).headers
        assert ("; Secure" in headers["Set-Cookie"]) == secure


def test_an_interface_without_the_extension_reads_everything_from_the_configuration(app: Flask, clock: Clock) -> None:
    app.config.update(SESSION_COOKIE_NAME="sid", SESSION_ABSOLUTE_LIFETIME=60, SESSION_COOKIE_SAMESITE="Strict")
    app.config["SESSION_CLOCK"] = clock
    app.session_interface = CoatcheckSessionInterface()
    assert cookie_name(app) == "sid"
    assert attributes(app) == {"Max-Age=60", "HttpOnly", "Path=/", "SameSite=Strict"}


# What is not as it was meant


def test_a_key_that_is_misspelt_is_a_warning_with_what_was_meant(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    app.config.update({"SESSION_REVOCATION": "sqlite:///revoked.db", "SESSION_KEY_PREFIX": "shop", 5: "a number"})
    Coatcheck(app)
    for _ in range(2):
        app.test_client().get("/keep/user/ada")
        app.config["SESSION_COOKIE_NAME"] = "other"
    lines = [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert lines == ["SESSION_REVOCATION is no option, and means nothing here; did you mean SESSION_REVOCATIONS?"]


@pytest.mark.parametrize("given", ["shop", Quart("shop"), Blueprint("shop", "shop")], ids=type)
def test_what_is_no_application_of_flask_is_refused(given: Any) -> None:
    name = f"{type(given).__module__}.{type(given).__qualname__}"
    with pytest.raises(UsageError, match=f"^coatcheck.flask takes a Flask application, not a {re.escape(name)}$"):
        Coatcheck(given, secret_key=SECRET)


def test_calls_about_users_say_whose_sessions_there_are_instead() -> None:
    app, coatcheck = Flask("shop"), Coatcheck(secret_key=SECRET, store="memory:")
    with app.app_context(), pytest.raises(UsageError, match=r"kept by flask\.sessions: call init_app\(app\), and no"):
        coatcheck.sessions_of(7)
    coatcheck.init_app(app)
    with app.app_context():
        assert coatcheck.sessions_of(7) == []
