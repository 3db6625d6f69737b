"""The `Cookie` header read and the `Set-Cookie` header written."""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kit import NOON, attributes, name_and_value

from coatcheck import Settings
from coatcheck.core.cookie import CookieWriter, find_values, http_date, is_local

NAME = "session"

# Reading


def split_and_compare(header: str, name: str) -> list[str]:
    """The plain rule: split at semicolons, drop spaces and tabs around, compare the bytes before the first `=`."""
    found: list[str] = []
    for part in header.split(";"):
        found_name, equals, value = part.strip(" \t").partition("=")
        if equals and found_name == name and value not in found:
            found.append(value)
    return found


pieces = st.sampled_from(
    [
        *("session", "session=", "=", ";", "; ", " ", "\t", "a", "b=c", '"', ",", "%3D", "\\", "$Path", "SESSION="),
        *("\x00", "\n", "\r", "\x1c", "\x85", "\xa0", "\u2000", "\u3000", "\ufeff", "\ud800"),
        *("__Host-session=", "xsession="),
    ]
)
headers = st.lists(pieces, max_size=25).map("".join) | st.text(max_size=80)
names = st.sampled_from([NAME, "s", "__Host-session", "a", "b"])


@example("session=a; session=a", NAME)
@example("xsession=a; session=b", NAME)
@example("session=session=b", NAME)
@example(" session=a", NAME)
@example("a; session= ;session=b", NAME)
@example("session=a\t", NAME)
@given(headers, names)
def test_the_quick_path_finds_what_splitting_finds(header: str, name: str) -> None:
    assert list(find_values(header, name)) == split_and_compare(header, name)


@given(st.text(max_size=200), st.text(min_size=1, max_size=10))
def test_no_text_raises_and_every_value_stands_under_exactly_the_name(header: str, name: str) -> None:
    for value in find_values(header, name):
        assert f"{name}={value}" in header
        assert ";" not in value


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("", ()),
        ("session=a", ("a",)),
        ("b=c; session=a", ("a",)),
        ("b=c;session=a;d=e", ("a",)),
        ("session=a; session=b", ("a", "b")),
        ("session=b; session=a", ("b", "a")),
        ("session=a; session=b; session=a", ("a", "b")),
        ("session=a;session=a", ("a",)),
        ("session=", ("",)),
        ("session= ", ("",)),
        ("session=;session=a", ("", "a")),
        ("session", ()),
        ("session; a=b", ()),
        ("=session=a", ()),
        ("=session", ()),
        ("==session=a", ()),
        ("session==a", ("=a",)),
        ("session=a=b", ("a=b",)),
        ("session =a", ()),
        ("session\t=a", ()),
        ("session= a", (" a",)),
        ("session=a b", ("a b",)),
        (" \t session=a \t ; b=c", ("a",)),
        ("SESSION=a", ()),
        ("Session=a", ()),
        ("ses%73ion=a", ()),
        ("sessio\u0144=a", ()),
        ("\uff53ession=a", ()),
        ("xsession=a", ()),
        ("x-session=a; session=b", ("b",)),
        ("session2=a", ()),
        ("session.=a", ()),
        ("session[]=a", ()),
        ('"session"=a', ()),
        ('session="a"', ('"a"',)),
        ('session="a; b"', ('"a',)),
        ('b="c; session=a"', ('a"',)),
        ("session=%41", ("%41",)),
        ("session=\\141", ("\\141",)),
        ("session=a,session=b", ("a,session=b",)),
        ("b=c, session=a", ()),
        ("b=c,session=a", ()),
        ("b=session=a", ()),
        ("b= session=a", ()),
        ("b=;; session=a", ("a",)),
        (";session=a", ("a",)),
        ("; session=a", ("a",)),
        (";; ;session=a;;", ("a",)),
        ("$Version=1; session=a; $Path=/; $Domain=x", ("a",)),
        ("$session=a", ()),
        ("\u2000session=a", ()),
        ("\xa0session=a", ()),
        ("\x85session=a", ()),
        ("\x1csession=a", ()),
        ("\x0bsession=a", ()),
        ("\nsession=a", ()),
        ("\rsession=a", ()),
        ("\x00session=a", ()),
        ("\ufeffsession=a", ()),
        ("b=c; \u2000session=evil; session=a", ("a",)),
        ("session=a\u2000", ("a\u2000",)),
        ("session=a\n", ("a\n",)),
    ],
)
def test_a_header_is_read_to_the_letter(header: str, values: tuple[str, ...]) -> None:
    assert find_values(header, NAME) == values


@pytest.mark.parametrize(
    "smuggled", ["\u2000__Host-s", "\xa0__Host-s", "__host-s", "%5F%5FHost-s", "=__Host-s", "__Host-s "]
)
def test_no_other_name_passes_for_one_with_a_prefix(smuggled: str) -> None:
    assert find_values(f"{smuggled}=evil; __Host-s=good", "__Host-s") == ("good",)
    assert find_values(f"__Host-s=good; {smuggled}=evil", "__Host-s") == ("good",)


# Dates


@pytest.mark.parametrize(
    "instant", [0, 1, 59, 86_399, 951_782_400, NOON, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 4_102_444_799, 253_402_300_799]
)
def test_a_date_beyond_2038_and_2106_is_exact(instant: int) -> None:
    assert http_date(instant) == formatdate(instant, usegmt=True)


@given(st.integers(0, 253_402_300_799))
def test_a_date_is_what_the_standard_library_writes(instant: int) -> None:
    assert http_date(instant) == formatdate(instant, usegmt=True)


def test_a_part_of_a_second_is_dropped() -> None:
    assert http_date(NOON + 0.999) == http_date(NOON) == "Fri, 15 Jan 2027 08:00:00 GMT"


# Writing

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
OCTETS = r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*"
AV_OCTETS = r"[\x20-\x3a\x3c-\x7e]*"
DAY, MONTH = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)", "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
IMF_FIXDATE = rf"{DAY}, [0-9]{{2}} {MONTH} [0-9]{{4}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}} GMT"
LABEL = r"[0-9A-Za-z_]([0-9A-Za-z_-]*[0-9A-Za-z_])?"
# RFC 6265bis, section 4.1.1. `Partitioned` is one of its extension attributes.
ATTRIBUTES = [
    f"Expires={IMF_FIXDATE}",
    "Max-Age=[1-9][0-9]*",
    rf"Domain={LABEL}(\.{LABEL})*",
    f"Path={AV_OCTETS}",
    "Secure",
    "HttpOnly",
    "SameSite=(Strict|Lax|None)",
    "Partitioned",
]
SET_COOKIE = re.compile(f"{TOKEN}={OCTETS}" + f"(; ({'|'.join(ATTRIBUTES)}))*")
token_letters = "!#$%&'*+-.^_`|~09AZaz"
paths = st.text([chr(code) for code in range(0x20, 0x7F) if chr(code) not in ";,"], max_size=20).map("/".__add__)


@st.composite
def _settings(draw: st.DrawFn) -> Settings:
    prefix = draw(st.sampled_from(["", "", "", "__Secure-", "__Host-", "__http-", "__Host-Http-"]))
    partitioned = draw(st.booleans())
    samesite = draw(st.sampled_from(["Lax", "strict", "NONE", False, None]))
    needs_secure = bool(prefix or partitioned or samesite == "NONE")
    host = prefix.lower().startswith("__host-")
    options: dict[str, Any] = {
        "cookie_name": prefix + draw(st.text(token_letters, min_size=1, max_size=10)),
        "cookie_path": "/" if host else draw(paths),
        "cookie_domain": None
        if host
        else draw(st.sampled_from([None, "example.com", ".b\u00fccher.example", "localhost:5000"])),
        "cookie_httponly": True if "ttp" in prefix else draw(st.booleans()),
        "cookie_secure": True if needs_secure else draw(st.sampled_from([True, False, None])),
        "cookie_samesite": samesite,
        "cookie_partitioned": partitioned,
    }
    return Settings(**options)


@given(
    _settings(),
    st.from_regex(re.compile("[A-Za-z0-9_-]{0,80}"), fullmatch=True),
    st.booleans(),
    st.none() | st.integers(1, 34_560_000),
    st.integers(0, 2**33),
)
def test_what_is_written_fits_the_grammar(
    settings: Settings, value: str, https: bool, max_age: int | None, now: int
) -> None:
    writer = CookieWriter(settings.cookie_name, settings)
    cookie = writer.write(value, https=https, max_age=max_age, now=now)
    assert SET_COOKIE.fullmatch(cookie), cookie
    assert name_and_value(cookie) == (settings.cookie_name, value)
    parts = [part.strip().partition("=")[0].lower() for part in cookie.split(";")[1:]]
    assert len(parts) == len(set(parts))
    deletion = writer.delete(https=https)
    # The grammar has no age of 0, and every browser takes one; for the others there is the date.
    assert SET_COOKIE.fullmatch(deletion.replace("; Max-Age=0", "")), deletion


@given(_settings(), st.booleans(), st.none() | st.integers(1, 34_560_000))
def test_the_attributes_are_those_of_the_settings(settings: Settings, https: bool, max_age: int | None) -> None:
    cookie = CookieWriter(settings.cookie_name, settings).write("v", https=https, max_age=max_age, now=NOON)
    secure = https if settings.cookie_secure is None else settings.cookie_secure
    expected = {"path": settings.cookie_path.strip()}
    expected |= {"httponly": ""} if settings.cookie_httponly else {}
    expected |= {"secure": ""} if secure else {}
    expected |= {"domain": settings.cookie_domain} if settings.cookie_domain else {}
    expected |= {"samesite": settings.cookie_samesite} if settings.cookie_samesite else {}
    expected |= {"partitioned": ""} if settings.cookie_partitioned else {}
    if max_age is not None:
        expected |= {"max-age": str(max_age), "expires": formatdate(NOON + max_age, usegmt=True)}
    assert attributes(cookie) == expected


@given(_settings(), st.booleans())
def test_a_deletion_has_the_attributes_of_what_it_deletes(settings: Settings, https: bool) -> None:
    writer = CookieWriter(settings.cookie_name, settings)
    kept = attributes(writer.write("v", https=https, max_age=None, now=NOON))
    deletion = writer.delete(https=https)
    assert name_and_value(deletion) == (settings.cookie_name, "")
    gone = {"expires": "Thu, 01 Jan 1970 00:00:00 GMT", "max-age": "0"}
    assert attributes(deletion) == kept | gone


def test_the_usual_cookie_reads_as_documented() -> None:
    writer = CookieWriter(NAME, Settings())
    assert writer.write("v", https=True, max_age=None, now=NOON) == "session=v; Secure; HttpOnly; Path=/; SameSite=Lax"
    assert writer.write("v", https=False, max_age=None, now=NOON) == "session=v; HttpOnly; Path=/; SameSite=Lax"
    assert writer.write("v", https=True, max_age=60, now=NOON) == (
        "session=v; Expires=Fri, 15 Jan 2027 08:01:00 GMT; Max-Age=60; Secure; HttpOnly; Path=/; SameSite=Lax"
    )


def test_a_writer_repeats_nothing_of_the_cookie_before() -> None:
    writer = CookieWriter(NAME, Settings())
    rows = [
        ("a", True, 60, NOON),
        ("b", True, 60, NOON),
        ("b", False, 60, NOON),
        ("b", False, 61, NOON),
        ("b", False, 61, NOON + 1),
    ]
    rows += [("c", True, 0, NOON), ("c", True, 60, NOON - 5), ("a", True, 60, NOON)]
    for value, https, max_age, now in rows:
        fresh = CookieWriter(NAME, Settings())
        cookie = fresh.write(value, https=https, max_age=max_age, now=now)
        assert writer.write(value, https=https, max_age=max_age, now=now) == cookie
        assert attributes(cookie)["expires"] == formatdate(now + max_age, usegmt=True)
        assert ("secure" in attributes(cookie)) is https


@pytest.mark.parametrize("name", ["__Host-session", "__HOST-session", "__Host-Http-session"])
def test_an_earlier_name_is_held_to_what_it_promises(name: str) -> None:
    settings = Settings(
        cookie_path="/app", cookie_domain="example.com", cookie_secure=False, earlier_cookie_names=(name,)
    )
    for https in (True, False):
        kept = attributes(CookieWriter(name, settings).delete(https=https))
        assert kept["path"] == "/" and "domain" not in kept and "secure" in kept
    kept = attributes(CookieWriter("__Secure-session", settings).delete(https=False))
    assert kept["path"] == "/app" and kept["domain"] == "example.com" and "secure" in kept


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("app.localhost", True),
        ("app.localhost:5000", True),
        ("127.0.0.1", True),
        ("127.0.0.1:5000", True),
        ("127.1.2.3", True),
        ("[::1]", True),
        ("[::1]:5000", True),
        ("", True),
        ("example.com", False),
        ("example.com:80", False),
        ("localhost.example.com", False),
        ("notlocalhost", False),
        ("10.0.0.1", False),
        ("192.168.127.1", False),
        ("[2001:db8::1]", False),
        ("[2001:db8::1]:5000", False),
        ("127.example.com", False),
        ("127.0.0.1.example.com", False),
        ("1270.0.0.1", False),
    ],
)
def test_a_host_is_local_where_the_browser_runs_on_it(host: str, local: bool) -> None:
    assert is_local(host) is local
