"""What cannot be right is refused when it is said, not when the first visitor comes."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from coatcheck import UsageError
from coatcheck.core.settings import config_key
from coatcheck.flask import Coatcheck, CoatcheckSessionInterface

KEY = os.urandom(24)
TOMORROW = datetime(2030, 1, 1, tzinfo=UTC)

# Options that cannot be right, by a few words of the message.
WRONG: list[tuple[str, dict[str, Any]]] = [
    *[("cookie_name", {"cookie_name": name}) for name in ("", "a b", "a=b", "a;b", "a\r\nb", "sé", "x" * 1025, 5)],
    *[("cookie_path", {"cookie_path": path}) for path in ("shop", "/a;b", "/a,b", "/a\r\nX: y", "/é", 5)],
    ("cookie_path", {"cookie_path": "/" + "x" * 1024}),
    *[("cookie_domain", {"cookie_domain": name}) for name in ("a b", "a;b", "a\r\nb", "a..b", ".", True, 5)],
    ("cookie_domain", {"cookie_domain": ".".join(["x" * 60] * 20)}),
    *[("cookie_samesite", {"cookie_samesite": value}) for value in ("Sometimes", "Lax; Secure", True, 5)],
    ("cookie_secure=True", {"cookie_samesite": "None"}),
    ("cookie_secure=True", {"cookie_samesite": "none", "cookie_secure": False}),
    ("cookie_secure=True", {"cookie_partitioned": True}),
    *[("cookie_secure=True", {"cookie_name": name}) for name in ("__Host-s", "__Secure-s", "__HOST-s", "__Http-s")],
    ("__Host-", {"cookie_name": "__Host-s", "cookie_secure": True, "cookie_path": "/shop"}),
    ("__Host-", {"cookie_name": "__host-s", "cookie_secure": True, "cookie_domain": "shop.example"}),
    ("HttpOnly", {"cookie_name": "__Http-s", "cookie_secure": True, "cookie_httponly": False}),
    ("earlier_cookie_names", {"earlier_cookie_names": ["session"]}),
    ("token", {"earlier_cookie_names": ["a b"]}),
    *[("permanent_lifetime", {"permanent_lifetime": value}) for value in (0, -1, 34_560_001, 10**30, "7", True)],
    *[("permanent_lifetime", {"permanent_lifetime": timedelta(days=days)}) for days in (0, -1, 401)],
    ("permanent_lifetime", {"permanent_lifetime": float("nan")}),
    *[("absolute_lifetime", {"absolute_lifetime": value}) for value in (0, -1, 0.5, "7")],
    *[("refresh_interval", {"refresh_interval": value}) for value in (-1, timedelta(-1), "7", True)],
    *[("secret key", {"secret_key": value}) for value in (5, ["x"], "short", "x" * 32)],
    ("fallback secret key 0", {"secret_key_fallbacks": ["short"]}),
    ("fallback secret key 1", {"secret_key_fallbacks": [os.urandom(24), ""]}),
    ("fallback secret key 0", {"secret_key_fallbacks": [5]}),
    ("fallback secret key 0 is in the key ring twice", {"secret_key_fallbacks": [KEY]}),
    ("fallback secret key 0", {"secret_key_fallbacks": [("short", TOMORROW)]}),
    *[("a store is named by a URL", {"store": value}) for value in ("", "redis", "localhost", "/var/sessions.db")],
    *[("there is no store", {"store": url}) for url in ("redi://localhost", "localhost:6379", "http://localhost")],
    *[("did you mean 'timeout'", {option: "sqlite:///s.db?tiemout=1"}) for option in ("store", "earlier_store")],
    ("store_down", {"store_down": "503"}),
]
# As above: of a wrong type or shape, where Python would go on with something else.
MISTAKEN: list[tuple[str, dict[str, Any]]] = [
    ("earlier_cookie_names", {"earlier_cookie_names": "old"}),
    ("earlier_cookie_names", {"earlier_cookie_names": 5}),
    ("cookie_secure", {"cookie_secure": "no"}),
    ("cookie_httponly", {"cookie_httponly": "no"}),
    ("refresh_each_request", {"refresh_each_request": "no"}),
    ("allow_weak_key", {"allow_weak_key": "no"}),
    ("audience", {"audience": 5}),
    *[
        ("store must be", {option: value})
        for option in ("store", "earlier_store")
        for value in (5, b"memory:", object())
    ],
    ("store_down", {"store_down": True}),
    ("move_cookies", {"move_cookies": "no"}),
    *[("merge", {"merge": value}) for value in (5, "cart", ["cart"], {"cart": "union"})],
    ("clock", {"clock": 5}),
    ("on_event", {"on_event": 5}),
    ("fallback", {"secret_key_fallbacks": 5}),
    ("fallback", {"secret_key_fallbacks": os.urandom(24).hex()}),
    ("fallback", {"secret_key_fallbacks": [(os.urandom(24), "tomorrow")]}),
    ("fallback", {"secret_key_fallbacks": [(os.urandom(24), 1_900_000_000)]}),
    ("fallback", {"secret_key_fallbacks": [(os.urandom(24), datetime(2030, 1, 1))]}),
    ("fallback", {"secret_key_fallbacks": [(os.urandom(24),)]}),
    ("fallback", {"secret_key_fallbacks": [(os.urandom(24), TOMORROW, "x")]}),
]


IDS = [f"{index} {next(iter(options))}" for index, (_, options) in enumerate(WRONG + MISTAKEN)]


@pytest.fixture
def app() -> Flask:
    app = Flask("shop", static_folder=None)
    app.config["SECRET_KEY"] = KEY
    return app


@pytest.mark.parametrize(("words", "options"), WRONG + MISTAKEN, ids=IDS)
def test_a_wrong_keyword_is_refused_at_construction(app: Flask, words: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=words):
        Coatcheck(app, **options)


@pytest.mark.parametrize(("words", "options"), WRONG + MISTAKEN, ids=IDS)
def test_a_wrong_configuration_is_refused_at_construction(app: Flask, words: str, options: dict[str, Any]) -> None:
    app.config.update({config_key(option): value for option, value in options.items()})
    with pytest.raises(UsageError, match=words):
        Coatcheck(app)


@pytest.mark.parametrize("secret", ["", b""])
def test_an_empty_key_as_a_keyword_is_refused(app: Flask, secret: str | bytes) -> None:
    with pytest.raises(UsageError, match="the secret key is empty"):
        Coatcheck(app, secret_key=secret)


def test_a_wrong_policy_is_refused_before_there_is_a_key(app: Flask) -> None:
    app.secret_key = None
    app.config["SESSION_COOKIE_SAMESITE"] = "Sometimes"
    with pytest.raises(UsageError, match="cookie_samesite"):
        Coatcheck(app)


def test_what_is_wrong_later_is_refused_in_the_request(app: Flask) -> None:
    app.testing = True
    app.session_interface = CoatcheckSessionInterface()
    app.config["SESSION_ABSOLUTE_LIFETIME"] = -1
    app.add_url_rule("/", view_func=lambda: "hello")
    with pytest.raises(UsageError, match="absolute_lifetime"):
        app.test_client().get("/")


def test_a_refusal_is_a_value_error_as_flasks_own_for_samesite(app: Flask) -> None:
    with pytest.raises(ValueError, match="cookie_samesite"):
        Coatcheck(app, cookie_samesite="Sometimes")


@pytest.mark.parametrize(
    "options",
    [
        {"cookie_name": "__Host-s", "cookie_secure": True},
        {"cookie_name": "__Secure-s", "cookie_secure": True, "cookie_domain": "shop.example", "cookie_path": "/a"},
        {"cookie_name": "__Http-s", "cookie_secure": True},
        {"cookie_samesite": "None", "cookie_secure": True},
        {"cookie_path": "/" + "x" * 1023},
        {"cookie_domain": "bücher.example"},
        {"cookie_domain": "shop.example:8000"},
        {"permanent_lifetime": 1},
        {"permanent_lifetime": timedelta(days=400)},
        {"refresh_interval": 0},
        {"absolute_lifetime": timedelta(days=10_000)},
        {"secret_key_fallbacks": ()},
        {"secret_key_fallbacks": [os.urandom(16), (os.urandom(16), TOMORROW)]},
        {"earlier_cookie_names": ["old", "older"]},
        {"store": None},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_is_just_right_is_taken(app: Flask, options: dict[str, Any]) -> None:
    Coatcheck(app, **options)


def test_a_refusal_shows_no_key(app: Flask) -> None:
    app.secret_key = "tulip-garden-4"
    with pytest.raises(UsageError) as caught:
        Coatcheck(app)
    assert "tulip" not in str(caught.value)
