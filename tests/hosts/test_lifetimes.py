"""How long sessions live, by the server's clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hosts.conftest import Make
from hosts.host import Browser
from hosts.pages import PAGES

from coatcheck.testing import Clock


def test_a_session_ends_with_the_browser_where_nothing_is_said(make: Make, storage: Mapping[str, Any]) -> None:
    (cookie,) = Browser(make(PAGES, **storage)).get("/put").cookies
    assert "max-age" not in cookie.lower()
    assert "expires" not in cookie.lower()


def test_a_permanent_session_says_how_long_it_lives(make: Make, storage: Mapping[str, Any]) -> None:
    (cookie,) = Browser(make(PAGES, permanent_lifetime=1000, **storage)).get("/lasting").cookies
    assert "max-age=1000" in cookie.lower()


def test_all_sessions_are_permanent_where_the_option_says_so(make: Make, storage: Mapping[str, Any]) -> None:
    browser = Browser(make(PAGES, permanent=True, permanent_lifetime=1000, **storage))
    (cookie,) = browser.get("/put").cookies
    assert "max-age=1000" in cookie.lower()
    assert browser.get("/look").text == "{'user': 'ann'}"


def test_a_session_dies_unseen_whatever_the_browser_does(make: Make, storage: Mapping[str, Any], clock: Clock) -> None:
    browser = Browser(make(PAGES, permanent_lifetime=1000, **storage))
    browser.get("/put")
    clock.advance(999)
    assert Browser.get(browser, "/nothing").text == "nothing"
    clock.advance(2)
    assert browser.get("/look").text == "{}"


def test_a_session_that_is_looked_at_lives_on(make: Make, storage: Mapping[str, Any], clock: Clock) -> None:
    browser = Browser(make(PAGES, permanent_lifetime=1000, **storage))
    browser.get("/put")
    for _ in range(5):
        clock.advance(900)
        assert browser.get("/look").text == "{'user': 'ann'}"


def test_it_is_renewed_only_now_and_then(make: Make, storage: Mapping[str, Any], clock: Clock) -> None:
    browser = Browser(make(PAGES, permanent_lifetime=1000, refresh_interval=100, **storage))
    browser.get("/lasting")
    clock.advance(100)
    assert browser.get("/look").cookies == []
    clock.advance(1)
    renewed = browser.get("/look")
    assert len(renewed.cookies) == 1
    assert renewed.vary == ["cookie"]
    assert "no-store" in renewed.cache


def test_the_absolute_lifetime_ends_a_session_that_is_in_use(
    make: Make, storage: Mapping[str, Any], clock: Clock
) -> None:
    browser = Browser(make(PAGES, permanent_lifetime=1000, absolute_lifetime=2000, **storage))
    browser.get("/put")
    for _ in range(2):
        clock.advance(900)
        assert browser.get("/look").text == "{'user': 'ann'}"
    clock.advance(201)
    assert browser.get("/look").text == "{}"
