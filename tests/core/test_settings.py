"""What an application may set, and everything that cannot be right."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from coatcheck import Settings, UsageError
from coatcheck.core.settings import LONGEST_COOKIE, OPTIONS, config_key, normalize

BREAKERS = [
    "\x00",
    "\t",
    "\n",
    "\r",
    "\r\nSet-Cookie: a=b",
    "\x1f",
    "\x7f",
    ";",
    ",",
    "; Secure",
    "\u00e9",
    "\u2028",
    "\ud800",
]
PREFIXES = ["__Host-", "__Secure-", "__Http-", "__Host-Http-"]
LABEL = "a" * 63


def casings(prefix: str) -> list[str]:
    return [prefix, prefix.lower(), prefix.upper(), prefix.swapcase()]


def refused(**options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        Settings(**options)
    return str(caught.value)


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert {field.name: getattr(Settings(), field.name) for field in fields(Settings)} == {
        "cookie_name": "session",
        "earlier_cookie_names": (),
        "cookie_path": "/",
        "cookie_domain": None,
        "cookie_httponly": True,
        "cookie_secure": None,
        "cookie_samesite": "Lax",
        "cookie_partitioned": False,
        "permanent": False,
        "permanent_lifetime": timedelta(days=31),
        "refresh_each_request": True,
        "refresh_interval": None,
        "absolute_lifetime": None,
        "idle": None,
        "preset": None,
        "rotate_every": None,
        "max_sessions_per_user": None,
        "over_limit": "end_oldest",
        "bind": None,
        "mode": None,
        "revocation_delay": 1,
        "revocations_down": "closed",
        "allow_weak_key": False,
        "store_down": "error",
        "move_cookies": True,
        "merge": {},
        "audience": "",
    }


def test_settings_do_not_change() -> None:
    settings = Settings()
    with pytest.raises(FrozenInstanceError):
        settings.cookie_name = "other"  # type: ignore[misc]
    assert not hasattr(settings, "__dict__")


# The cookie's name


@pytest.mark.parametrize(
    "breaker", [*BREAKERS, " ", "=", '"', "(", ")", "<", ">", "@", ":", "\\", "/", "[", "]", "?", "{", "}"]
)
def test_a_name_that_is_no_token_is_refused(breaker: str) -> None:
    for name in (breaker, f"a{breaker}", f"{breaker}a", f"a{breaker}b"):
        assert "cookie_name" in refused(cookie_name=name)
        assert "cookie_name" in refused(earlier_cookie_names=("old", name))


@pytest.mark.parametrize("name", ["", None, 5, b"session", ["session"], True])
def test_a_name_of_another_type_is_refused(name: Any) -> None:
    assert "cookie_name" in refused(cookie_name=name)
    assert "cookie_name" in refused(earlier_cookie_names=(name,))


@pytest.mark.parametrize("name", ["s", "session", "a.b", "!#$%&'*+-.^_`|~09AZaz", "__Hostile", "Host-s", "_Host-s"])
def test_a_name_that_is_a_token_passes(name: str) -> None:
    assert Settings(cookie_name=name).cookie_name == name
    assert Settings(earlier_cookie_names=(name + "2",)).earlier_cookie_names == (name + "2",)


def test_the_present_name_is_no_earlier_one() -> None:
    assert "earlier_cookie_names" in refused(earlier_cookie_names=("old", "session"))
    assert "earlier_cookie_names" in refused(cookie_name="a", earlier_cookie_names=["a"])


@pytest.mark.parametrize("names", ["old", 5, None, b"old", {"old": 1}.get])
def test_earlier_names_that_are_no_list_are_refused(names: Any) -> None:
    # A text is a list of texts to Python: each of its letters would become a name.
    assert "earlier_cookie_names" in refused(earlier_cookie_names=names)


def test_an_earlier_name_that_stands_twice_is_refused_or_taken_once() -> None:
    try:
        settings = Settings(earlier_cookie_names=("old", "old"))
    except UsageError:
        return
    assert settings.earlier_cookie_names == ("old",)


def test_earlier_names_may_be_any_list() -> None:
    assert Settings(earlier_cookie_names=["a", "b"]).earlier_cookie_names == ("a", "b")  # type: ignore[arg-type]


# Path and domain


@pytest.mark.parametrize("breaker", BREAKERS)
def test_a_path_with_a_character_that_no_attribute_has_is_refused(breaker: str) -> None:
    for path in (f"/{breaker}", f"/a{breaker}", f"/a{breaker}b", breaker):
        assert "cookie_path" in refused(cookie_path=path)


@pytest.mark.parametrize("path", ["", "a", "a/", " /", None, 5, b"/", True, "\\", "http://example.com/"])
def test_a_path_that_does_not_begin_with_a_slash_is_refused(path: Any) -> None:
    assert "cookie_path" in refused(cookie_path=path)


@pytest.mark.parametrize("path", ["/", "/app", "/app/", "/a b", "/a=b", "/%C3%BC", "//", '/"', "/a:b@c"])
def test_a_path_passes(path: str) -> None:
    assert Settings(cookie_path=path).cookie_path == path


@pytest.mark.parametrize("breaker", [*BREAKERS[:10], " ", "/", "@", "*", "?", "=", '"', "..", "-", "[", "]", "\x85"])
def test_a_domain_that_is_no_host_name_is_refused(breaker: str) -> None:
    for domain in (breaker, f"example.com{breaker}", f"a{breaker}.com", f"a.{breaker}com"):
        assert "cookie_domain" in refused(cookie_domain=domain)


@pytest.mark.parametrize(
    "domain", [5, True, b"example.com", ["example.com"], ".", "..", ":80", "[::1]", "a..b", "example.com."]
)
def test_a_domain_of_another_form_is_refused(domain: Any) -> None:
    assert "cookie_domain" in refused(cookie_domain=domain)


@pytest.mark.parametrize("domain", [LABEL + "a", "\u00fc" * 63, f"a.{LABEL}a", "xn--\u00fc", "a\u2028b"])
def test_a_domain_that_is_no_international_name_is_refused(domain: str) -> None:
    assert "cookie_domain" in refused(cookie_domain=domain)


@pytest.mark.parametrize(
    ("domain", "written"),
    [
        (None, None),
        (False, None),
        ("", None),
        ("example.com", "example.com"),
        (".example.com", "example.com"),
        ("example.com:5000", "example.com"),
        ("localhost", "localhost"),
        ("a_b.example.com", "a_b.example.com"),
        ("a-b.example.com", "a-b.example.com"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_a_domain_is_written_as_browsers_take_it(domain: Any, written: str | None) -> None:
    assert Settings(cookie_domain=domain).cookie_domain == written


def test_an_attribute_has_1024_bytes_at_most() -> None:
    assert len(Settings(cookie_path="/" + "a" * 1023).cookie_path) == 1024
    assert "at most 1024" in refused(cookie_path="/" + "a" * 1024)
    domain = ".".join([LABEL] * 15 + ["a" * 62, "b"])
    assert len(domain) == 1024
    assert Settings(cookie_domain=domain).cookie_domain == domain
    assert "at most 1024" in refused(cookie_domain=f"{domain}c")


# Secure, SameSite, Partitioned and the prefixes


@pytest.mark.parametrize("breaker", BREAKERS)
def test_a_same_site_with_anything_added_is_refused(breaker: str) -> None:
    assert "cookie_samesite" in refused(cookie_samesite=f"Lax{breaker}")


@pytest.mark.parametrize("samesite", ["", "lax ", "Sloppy", "True", True, 0, 1, b"Lax", ["Lax"]])
def test_a_same_site_of_another_form_is_refused(samesite: Any) -> None:
    assert "cookie_samesite" in refused(cookie_samesite=samesite, cookie_secure=True)


@pytest.mark.parametrize(
    ("samesite", "written"),
    [
        (None, "Lax"),
        (False, False),
        ("Lax", "Lax"),
        ("lax", "Lax"),
        ("STRICT", "Strict"),
        ("none", "None"),
        ("None", "None"),
    ],
)
def test_same_site_is_written_in_its_usual_casing(samesite: Any, written: object) -> None:
    assert Settings(cookie_samesite=samesite, cookie_secure=True).cookie_samesite == written


@pytest.mark.parametrize("secure", [False, None])
def test_what_needs_secure_is_refused_without(secure: bool | None) -> None:
    assert "needs cookie_secure=True" in refused(cookie_samesite="None", cookie_secure=secure)
    assert "needs cookie_secure=True" in refused(cookie_samesite="none", cookie_secure=secure)
    assert "needs cookie_secure=True" in refused(cookie_partitioned=True, cookie_secure=secure)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("secure", [False, None])
def test_a_prefix_needs_secure_in_any_casing(prefix: str, secure: bool | None) -> None:
    for cased in casings(prefix):
        assert "needs cookie_secure=True" in refused(cookie_name=cased + "s", cookie_secure=secure)
        assert Settings(cookie_name=cased + "s", cookie_secure=True).cookie_name == cased + "s"


@pytest.mark.parametrize("prefix", ["__Host-", "__Host-Http-"])
def test_a_host_prefix_needs_the_root_path_and_no_domain_in_any_casing(prefix: str) -> None:
    for cased in casings(prefix):
        name = cased + "s"
        assert "__Host- cookie" in refused(cookie_name=name, cookie_secure=True, cookie_path="/app")
        assert "__Host- cookie" in refused(cookie_name=name, cookie_secure=True, cookie_path="//")
        assert "__Host- cookie" in refused(cookie_name=name, cookie_secure=True, cookie_domain="example.com")
        assert Settings(cookie_name=name, cookie_secure=True, cookie_domain="").cookie_domain is None


@pytest.mark.parametrize("prefix", ["__Secure-", "__Http-"])
def test_the_other_prefixes_leave_path_and_domain_free(prefix: str) -> None:
    settings = Settings(cookie_name=prefix + "s", cookie_secure=True, cookie_path="/app", cookie_domain="example.com")
    assert (settings.cookie_path, settings.cookie_domain) == ("/app", "example.com")


@pytest.mark.parametrize("prefix", ["__Http-", "__Host-Http-"])
def test_an_http_prefix_needs_http_only_in_any_casing(prefix: str) -> None:
    for cased in casings(prefix):
        assert "must be HttpOnly" in refused(cookie_name=cased + "s", cookie_secure=True, cookie_httponly=False)


@pytest.mark.parametrize("prefix", ["__Host-", "__Secure-"])
def test_the_older_prefixes_leave_http_only_free(prefix: str) -> None:
    assert not Settings(cookie_name=prefix + "s", cookie_secure=True, cookie_httponly=False).cookie_httponly


def test_an_earlier_name_may_promise_what_the_present_settings_do_not() -> None:
    settings = Settings(cookie_path="/app", cookie_secure=False, earlier_cookie_names=("__Host-session",))
    assert settings.earlier_cookie_names == ("__Host-session",)


@pytest.mark.parametrize(
    "option", ["cookie_httponly", "cookie_secure", "cookie_partitioned", "refresh_each_request", "allow_weak_key"]
)
@pytest.mark.parametrize("value", ["True", "false", "", "no", 0, 1, 2, [], [True], b"1"])
def test_a_switch_takes_true_and_false_alone(option: str, value: Any) -> None:
    # "false" is true to Python, and 1 is not `True`: whichever is meant, the other could happen.
    assert option in refused(**{"cookie_secure": True, option: value})


@pytest.mark.parametrize("option", ["cookie_httponly", "cookie_partitioned", "refresh_each_request", "allow_weak_key"])
def test_none_is_no_switch_where_it_has_no_meaning(option: str) -> None:
    assert option in refused(**{"cookie_secure": True, option: None})


@pytest.mark.parametrize("audience", [None, 5, b"shop", ["shop"], True, "\ud800", "a" * 65536])
def test_an_audience_that_no_key_can_be_derived_for_is_refused(audience: Any) -> None:
    assert "audience" in refused(audience=audience)


@pytest.mark.parametrize("audience", ["", "shop", "shop, staging; \u00fc\n"])
def test_an_audience_may_be_any_text(audience: str) -> None:
    assert Settings(audience=audience).audience == audience


# Times


@pytest.mark.parametrize(
    "lifetime",
    [
        *(0, -1, 0.5, 34_560_001, 10**9, 1e300, float("inf"), float("nan"), True, False, Decimal(60), 1j),
        *(timedelta(0), timedelta(days=-1), timedelta.max, timedelta(days=400, microseconds=1)),
        *(None, "31", "31 days", b"1", [1]),
    ],
)
def test_a_lifetime_that_no_cookie_can_have_is_refused(lifetime: Any) -> None:
    assert "permanent_lifetime" in refused(permanent_lifetime=lifetime)


@pytest.mark.parametrize(
    ("lifetime", "means"),
    [
        (1, timedelta(seconds=1)),
        (1.5, timedelta(seconds=1.5)),
        (3600, timedelta(hours=1)),
        (34_560_000, LONGEST_COOKIE),
        (timedelta(days=400), LONGEST_COOKIE),
        (timedelta(seconds=1), timedelta(seconds=1)),
    ],
)
def test_a_lifetime_is_a_timedelta_or_seconds(lifetime: Any, means: timedelta) -> None:
    assert Settings(permanent_lifetime=lifetime).permanent_lifetime == means


@pytest.mark.parametrize(
    "limit", [0, -1, 0.5, timedelta(0), "1", True, float("nan"), float("inf"), timedelta(days=-400)]
)
def test_an_absolute_lifetime_under_a_second_is_refused(limit: Any) -> None:
    assert "absolute_lifetime" in refused(absolute_lifetime=limit)


@pytest.mark.parametrize("limit", [None, 1, 43_200, timedelta(days=4000)])
def test_an_absolute_lifetime_may_be_longer_than_any_cookie(limit: Any) -> None:
    means = timedelta(seconds=limit) if type(limit) is int else limit
    assert Settings(absolute_lifetime=limit).absolute_lifetime == means


@pytest.mark.parametrize("interval", [-1, -0.001, timedelta(seconds=-1), "5", True, False, float("nan"), float("inf")])
def test_a_negative_refresh_interval_is_refused(interval: Any) -> None:
    assert "refresh_interval" in refused(refresh_interval=interval)


@pytest.mark.parametrize("interval", [None, 0, 0.0, 5, timedelta(0), timedelta(days=500)])
def test_a_refresh_interval_may_be_zero(interval: Any) -> None:
    means = interval if interval is None or isinstance(interval, timedelta) else timedelta(seconds=interval)
    assert Settings(refresh_interval=interval).refresh_interval == means


# Names of options


@pytest.mark.parametrize(
    ("option", "suggested"),
    [
        ("cookie_nam", "cookie_name"),
        ("samesite", "cookie_samesite"),
        ("permanent_life", "permanent_lifetime"),
        ("secret", "secret_key"),
        ("secretkey", "secret_key"),
        ("refresh_intervall", "refresh_interval"),
        ("SESSION_COOKIE_SECUR", "cookie_secure"),
    ],
)
def test_an_option_that_does_not_exist_is_refused_with_the_likely_one(option: str, suggested: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean '{suggested}'"):
        normalize({option: 1})


def test_an_option_like_no_other_is_refused_without_a_guess() -> None:
    with pytest.raises(UsageError, match="^there is no option 'zzzz'$"):
        normalize({"zzzz": 1})
    with pytest.raises(UsageError, match="zzzz"):
        Settings.read({"zzzz": 1})


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_is_taken_in_every_spelling_and_once(option: str) -> None:
    spellings = {option, option.upper(), f"session_{option}", f"SESSION_{option.upper()}", config_key(option)}
    for spelling in spellings:
        assert normalize({spelling: len}) == {option: len}
    for spelling in spellings - {option}:
        with pytest.raises(UsageError, match=f"'{option}' is given twice"):
            normalize({option: len, spelling: len})


@pytest.mark.parametrize("option", OPTIONS)
def test_none_is_not_given(option: str) -> None:
    assert normalize({option: None}) == {}


@pytest.mark.parametrize("option", ["clock", "on_event"])
@pytest.mark.parametrize("value", [5, "now", []])
def test_what_is_called_must_be_callable(option: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"^{option} must be callable$"):
        normalize({option: value})


def test_the_keys_are_flask_s_where_flask_has_them() -> None:
    assert [config_key(option) for option in OPTIONS] == [
        "SESSION_COOKIE_NAME",
        "SESSION_EARLIER_COOKIE_NAMES",
        "SESSION_COOKIE_PATH",
        "SESSION_COOKIE_DOMAIN",
        "SESSION_COOKIE_HTTPONLY",
        "SESSION_COOKIE_SECURE",
        "SESSION_COOKIE_SAMESITE",
        "SESSION_COOKIE_PARTITIONED",
        "SESSION_PERMANENT",
        "PERMANENT_SESSION_LIFETIME",
        "SESSION_REFRESH_EACH_REQUEST",
        "SESSION_REFRESH_INTERVAL",
        "SESSION_ABSOLUTE_LIFETIME",
        "SESSION_IDLE",
        "SESSION_PRESET",
        "SESSION_ROTATE_EVERY",
        "SESSION_MAX_SESSIONS_PER_USER",
        "SESSION_OVER_LIMIT",
        "SESSION_BIND",
        "SESSION_MODE",
        "SESSION_REVOCATION_DELAY",
        "SESSION_REVOCATIONS_DOWN",
        "SESSION_ALLOW_WEAK_KEY",
        "SESSION_STORE_DOWN",
        "SESSION_MOVE_COOKIES",
        "SESSION_MERGE",
        "SESSION_AUDIENCE",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
        "SESSION_STORE",
        "SESSION_EARLIER_STORE",
        "SESSION_REVOCATIONS",
        "SESSION_CLOCK",
        "SESSION_ON_EVENT",
    ]


@pytest.mark.parametrize(
    ("preset", "absolute", "idle"),
    [
        ("aal1", timedelta(days=30), None),
        ("aal2", timedelta(hours=24), timedelta(hours=1)),
        ("aal3", timedelta(hours=12), timedelta(minutes=15)),
        (None, None, None),
    ],
)
def test_a_preset_fills_in_what_is_not_given(preset: Any, absolute: timedelta | None, idle: timedelta | None) -> None:
    settings = Settings(preset=preset)
    assert (settings.absolute_lifetime, settings.idle) == (absolute, idle)
    assert Settings(preset=preset, idle=timedelta(minutes=5)).idle == timedelta(minutes=5)
    shorter = Settings(preset=preset, absolute_lifetime=timedelta(hours=1))
    assert (shorter.absolute_lifetime, shorter.idle) == (timedelta(hours=1), idle)


@pytest.mark.parametrize("value", ["", "aal4", "AAL2", 2, True])
def test_a_preset_is_one_of_three(value: Any) -> None:
    with pytest.raises(UsageError, match="^preset must be 'aal1', 'aal2', 'aal3' or None$"):
        Settings(preset=value)


def test_unseen_a_session_lives_for_the_shorter_of_two_times() -> None:
    month = timedelta(days=31)
    assert Settings().unseen_seconds == month.total_seconds()
    assert Settings(idle=timedelta(hours=1)).unseen_seconds == 3600
    assert Settings(idle=month * 2).unseen_seconds == month.total_seconds()


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "3", [3]])
def test_a_number_of_sessions_is_a_number_from_1_on(value: Any) -> None:
    with pytest.raises(UsageError, match="^max_sessions_per_user must be a number from 1 on, or None$"):
        Settings(max_sessions_per_user=value)


@pytest.mark.parametrize("value", [-1, -0.001, 3601, float("inf"), float("nan"), True, "1"])
def test_a_delay_is_a_number_of_seconds_up_to_an_hour(value: Any) -> None:
    with pytest.raises(UsageError, match="^revocation_delay must be from 0 to 3600 seconds$"):
        Settings(revocation_delay=value)


@pytest.mark.parametrize("option", ["idle", "rotate_every", "absolute_lifetime"])
@pytest.mark.parametrize("value", [0, 0.5, -1])
def test_a_time_that_is_less_than_a_second_is_refused(option: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"^{option} must be at least 1 second, or None$"):
        Settings(**{option: value})


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("mode", "'cookie', 'store', 'hybrid' or None"),
        ("over_limit", "'end_oldest' or 'refuse'"),
        ("revocations_down", "'closed' or 'open'"),
    ],
)
@pytest.mark.parametrize("value", ["", "other", True, 1, b"cookie"])
def test_a_word_is_one_of_those_that_mean_something(option: str, words: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"^{option} must be {words}$"):
        Settings(**{option: value})


@pytest.mark.parametrize("value", ["ip", True, 0, ("ip",)])
def test_what_a_session_is_bound_to_is_a_callable(value: Any) -> None:
    with pytest.raises(UsageError, match="^bind must be a callable that takes an address and a user agent$"):
        Settings(bind=value)


@pytest.mark.parametrize("value", ["", "errors", True, 0, None])
def test_a_store_that_is_down_is_an_error_or_empty(value: Any) -> None:
    with pytest.raises(UsageError, match="^store_down must be 'error' or 'empty'$"):
        Settings(store_down=value)


@pytest.mark.parametrize("value", [None, [], "add", {"cart": 1}, {"cart": None}, [("cart", max)]])
def test_merge_rules_are_a_dict_of_callables(value: Any) -> None:
    with pytest.raises(UsageError, match="^merge must be a dict from keys of the session to callables$"):
        Settings(merge=value)


def test_merge_rules_are_copied() -> None:
    rules: dict[str, Any] = {"cart": max}
    settings = Settings(merge=rules)
    rules.clear()
    assert settings.merge == {"cart": max}


def test_reading_parts_the_policy_from_the_rest() -> None:
    settings, others = Settings.read({"SESSION_COOKIE_NAME": "a", "permanent_lifetime": 60, "secret_key": "b"})
    assert settings == Settings(cookie_name="a", permanent_lifetime=timedelta(minutes=1))
    assert others == {"secret_key": "b"}
    assert Settings.read({}) == (Settings(), {})


@pytest.mark.parametrize("value", ["a\nb", "\ud800", "x" * 100_000])
def test_no_error_quotes_a_value_at_length(value: str) -> None:
    for option in ("cookie_name", "cookie_path", "cookie_domain", "cookie_samesite", "permanent_lifetime"):
        assert len(refused(**{option: value})) < 200
