"""Cookies that are not ours: an empty session, no error, and nothing to tell one refusal from another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hosts.conftest import Make
from hosts.host import Browser
from hosts.pages import PAGES
from kit import OTHER_SECRET, SECRET

from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore


def begun(make: Make, storage: Mapping[str, Any], **options: Any) -> Browser:
    browser = Browser(make(PAGES, **options, **storage))
    browser.get("/put")
    return browser


def test_a_cookie_with_one_character_changed_is_none(make: Make, storage: Mapping[str, Any]) -> None:
    browser = begun(make, storage)
    token = browser.cookies["session"]
    fresh = browser.host.get("/look").timeless
    for at in range(0, len(token), 7):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert browser.host.get("/look", f"session={changed}").timeless == fresh


OTHERS = {
    "none": "",
    "a letter": "A",
    "null": "null",
    "an id that was never made": "x" * 44,
    "zeros": "A" * 44,
    "large": "x" * 5_000,
    "a star": "*",
    "a path": "../..",
    "percent": "%00",
    "not Unicode": "\xff\xfe",
    "Chinese": "\u5c0f".encode().decode("latin-1"),
    "itsdangerous": "eyJ1c2VyIjoiYW5uIn0.ZzZzZg.c2lnbmF0dXJl",
    "pickle": "gASVDAAAAAAAAAB9lIwBYZRLAXMu",
    "quoted": '"quoted"',
    "a JWT without a signature": "eyJhbGciOiJub25lIn0.eyJ1c2VyIjoiYW5uIn0.",
}


def test_a_value_of_another_format_is_none(make: Make, storage: Mapping[str, Any]) -> None:
    host = make(PAGES, **storage)
    fresh = host.get("/look").timeless
    assert (fresh.text, fresh.cookies) == ("{}", [])
    for kind, value in OTHERS.items():
        assert host.get("/look", f"session={value}").timeless == fresh, kind


def test_what_cannot_be_an_id_never_reaches_the_store(make: Make, clock: Clock) -> None:
    store = FailingStore(MemoryStore(clock=clock))
    host = make(PAGES, store=store)
    for value in ("", "seven77", "x" * 5_000, ":", "*", "/", "..", "%00", "A" * 43, "A" * 45):
        assert host.get("/look", f"session={value}").text == "{}"
    assert store.calls == []


def test_an_id_that_is_not_known_is_never_adopted(make: Make, clock: Clock) -> None:
    host = make(PAGES, store=MemoryStore(clock=clock))
    planted = begun(make, {"store": MemoryStore(clock=clock)}).cookies["session"]
    answer = host.get("/put", f"session={planted}")
    (cookie,) = answer.cookies
    assert planted not in cookie
    assert host.get("/look", f"session={planted}").text == "{}"


def test_a_header_with_garbage_beside_the_good_cookie_brings_it(make: Make, storage: Mapping[str, Any]) -> None:
    browser = begun(make, storage)
    good = browser.header
    for header in (
        f"session=rubbish; {good}",
        f"{good}; session=rubbish",
        f"a=1;{good};b=2",
        f" {good} ; x",
        f"; ;{good}",
    ):
        assert browser.host.get("/look", header).text == "{'user': 'ann'}"


def test_two_different_sessions_under_one_name_are_none(make: Make, storage: Mapping[str, Any]) -> None:
    host = make(PAGES, **storage)
    one, two = Browser(host), Browser(host)
    one.get("/put")
    two.get("/other")
    for header in (f"{one.header}; {two.header}", f"{two.header}; {one.header}"):
        assert host.get("/look", header).text == "{}"


def test_several_cookie_headers_are_one(make: Make, storage: Mapping[str, Any]) -> None:
    browser = begun(make, storage)
    assert browser.host.get("/look", ["a=1", browser.header, "b=2"]).text == "{'user': 'ann'}"


SPELLINGS = (
    "Session={}",
    "SESSION={}",
    "%73ession={}",
    "=session={}",
    "session",
    "xsession={}",
    'session="{}"',
    "$session={}",
    "session={} x",
)


def test_only_exactly_our_name_and_the_bare_value_count(make: Make, storage: Mapping[str, Any]) -> None:
    browser = begun(make, storage)
    for spelling in SPELLINGS:
        assert browser.host.get("/look", spelling.format(browser.cookies["session"])).text == "{}", spelling


def test_a_space_that_browsers_do_not_know_forges_no_name(make: Make, storage: Mapping[str, Any]) -> None:
    """A sibling host may set a cookie whose name only the server takes for ours."""
    host = make(PAGES, **storage)
    ann, evil = Browser(host), Browser(host)
    ann.get("/put")
    evil.get("/other")
    spaces = [*"\xa0\x85", *(space.encode().decode("latin-1") for space in "\u2000\u3000\ufeff\xa0\x85")]
    for space in spaces:
        for forged in (f"{space}{evil.header}", f"session{space}={evil.cookies['session']}"):
            assert host.get("/look", forged).text == "{}"
            assert host.get("/look", f"{ann.header}; {forged}").text == "{'user': 'ann'}"


def test_attributes_of_an_old_specification_are_ordinary_cookies(make: Make, storage: Mapping[str, Any]) -> None:
    browser = begun(make, storage)
    answer = browser.host.get("/look", f"$Version=1; {browser.header}; $Path=/other; $Domain=evil.example")
    assert answer.text == "{'user': 'ann'}"


def test_an_empty_cookie_is_none_and_takes_nothing_from_the_good_one(make: Make, storage: Mapping[str, Any]) -> None:
    browser = begun(make, storage)
    assert browser.host.get("/look", "session=").text == "{}"
    for header in (f"session=; {browser.header}", f"{browser.header}; session="):
        assert browser.host.get("/look", header).text == "{'user': 'ann'}"


def test_a_comma_does_not_part_cookies(make: Make, storage: Mapping[str, Any]) -> None:
    browser = begun(make, storage)
    assert browser.host.get("/look", f"a=1, {browser.header}").text == "{}"


def test_bytes_that_are_no_text_beside_the_good_cookie_do_no_harm(make: Make, storage: Mapping[str, Any]) -> None:
    browser = begun(make, storage)
    assert browser.host.get("/look", f"a=\xff\xfe\x80; {browser.header}").text == "{'user': 'ann'}"


def test_two_applications_under_one_key_and_two_names_share_nothing(make: Make, storage: Mapping[str, Any]) -> None:
    shop, office = make(PAGES, **storage), make(PAGES, cookie_name="office", **storage)
    visitor = Browser(shop)
    visitor.get("/put")
    visitor.host = office
    assert visitor.get("/look").text == "{}"
    visitor.get("/other")
    assert visitor.get("/look").text == "{'colour': 'blue'}"
    visitor.get("/destroy")
    visitor.host = shop
    assert visitor.get("/look").text == "{'user': 'ann'}"


def test_lines_in_the_content_add_no_header(make: Make, storage: Mapping[str, Any]) -> None:
    def inject(session: Any) -> None:
        session["user\r\nX-Evil: 1"] = "x\r\nSet-Cookie: evil=1"

    browser = Browser(make({"inject": inject, "len": len}, **storage))
    answer = browser.get("/inject")
    assert len(answer.cookies) == 1 and answer.all("X-Evil") == []
    assert list(browser.cookies) == ["session"]
    assert browser.get("/len").text == "1"


def test_the_page_of_an_error_shows_nothing_of_the_session(make: Make, storage: Mapping[str, Any]) -> None:
    def fail(session: Any) -> None:
        private = session["user"]
        raise RuntimeError(private)

    host = make({**PAGES, "fail": fail, "begin": lambda session: session.update(user="4111-1111")}, **storage)
    browser = Browser(host)
    browser.get("/begin")
    answer = browser.get("/fail")
    assert answer.status == 500
    shown = f"{answer.text} {answer.headers}"
    assert "4111-1111" not in shown and browser.cookies["session"] not in shown
    assert browser.get("/look").text == "{'user': '4111-1111'}"


def test_the_token_counts_in_no_other_place_than_the_cookie(make: Make, storage: Mapping[str, Any]) -> None:
    browser = begun(make, storage)
    token = browser.cookies["session"]
    headers = [("Authorization", f"Bearer {token}"), ("X-Session", token), ("Session", token)]
    assert browser.host.get(f"/look?session={token}", headers=headers).text == "{}"


def test_a_huge_header_is_an_empty_session(make: Make, storage: Mapping[str, Any]) -> None:
    browser = begun(make, storage)
    answer = browser.host.get("/look", f"{browser.header}; big={'x' * 80_000}")
    # A server in between may refuse it first.
    assert answer.status in (400, 431) or answer.text == "{}"


@pytest.mark.parametrize("other", [{"secret_key": OTHER_SECRET}, {"audience": "staging"}, {"cookie_name": "id"}])
def test_the_cookie_of_another_application_does_not_open(
    make: Make, storage: Mapping[str, Any], other: dict[str, str]
) -> None:
    token = begun(make, storage, **other).cookies[other.get("cookie_name", "session")]
    assert make(PAGES, **storage).get("/look", f"session={token}").text == "{}"


def test_a_refused_cookie_is_left_alone_and_told_with_its_reason(make: Make, storage: Mapping[str, Any]) -> None:
    told: list[Any] = []
    host = make(PAGES, on_event=told.append, **storage)
    answer = host.get("/look", "session=rubbish!")
    assert answer.cookies == []
    assert [(event.kind, event.reason) for event in told] == [("rejected", "malformed")]


def test_a_session_that_is_too_large_is_an_error_and_the_old_one_stays(make: Make) -> None:
    def swell(session: Any) -> None:
        session["large"] = "x" * 5000

    host = make({**PAGES, "swell": swell})
    browser = Browser(host)
    browser.get("/put")
    answer = browser.get("/swell")
    assert (answer.status, answer.cookies) == (500, [])
    assert "x" * 100 not in answer.text
    assert browser.get("/look").text == "{'user': 'ann'}"


def test_a_new_key_opens_what_the_old_one_sealed_and_seals_it_anew(make: Make, storage: Mapping[str, Any]) -> None:
    browser = begun(make, storage)
    browser.host = make(PAGES, secret_key=OTHER_SECRET, secret_key_fallbacks=[SECRET], **storage)
    assert browser.get("/look").text == "{'user': 'ann'}"
    browser.host = make(PAGES, secret_key=OTHER_SECRET, **storage)
    assert browser.get("/look").text == "{'user': 'ann'}"


def test_a_renamed_cookie_is_taken_over_and_the_old_one_deleted(make: Make, storage: Mapping[str, Any]) -> None:
    browser = begun(make, storage)
    browser.host = make(PAGES, cookie_name="id", earlier_cookie_names=["session"], **storage)
    assert browser.get("/look").text == "{'user': 'ann'}"
    assert list(browser.cookies) == ["id"]
    assert browser.get("/look").text == "{'user': 'ann'}"
