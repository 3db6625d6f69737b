"""Sessions on the server: what a request asks of the store, what is kept, and when the cookie is sent."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from kit import NOON, Browser, ServerSite, attributes, look, name_and_value, put

from coatcheck import Session
from coatcheck.core.engine import Decision
from coatcheck.core.opaque import read_token
from coatcheck.testing import Clock

View = Callable[[Session], object]
DAY = 86_400
MONTH = 31 * DAY
NOTHING = Decision(vary=False)
VARY = Decision(vary=True)


@pytest.fixture
def site() -> ServerSite:
    return ServerSite()


@pytest.fixture
def browser(site: ServerSite) -> Browser:
    return site.begin(user=1, cart=[1])


# What a request asks


def test_a_request_that_does_not_look_asks_nothing(site: ServerSite, browser: Browser) -> None:
    assert browser.visit() == NOTHING
    assert Browser(site).visit() == NOTHING
    assert (site.asked(), site.told()) == ([], [])


@pytest.mark.parametrize("view", [look, Session.clear, Session.destroy, Session.regenerate, put()])
def test_a_visitor_without_a_cookie_costs_nothing_and_leaves_no_record(site: ServerSite, view: View) -> None:
    assert Browser(site).visit(view) == VARY
    assert (site.asked(), site.told(), site.records) == ([], [], {})


def test_the_first_content_is_one_insert(site: ServerSite) -> None:
    browser = Browser(site)
    decision = browser.visit(put(user=1))
    assert (site.asked(), site.told()) == (["insert"], [("created", "")])
    assert decision.vary and not decision.insecure
    (cookie,) = decision.cookies
    assert "max-age" not in attributes(cookie)
    assert list(site.records) == [sha256(read_token(name_and_value(cookie)[1])).digest()]


def test_a_look_is_one_read(site: ServerSite, browser: Browser) -> None:
    assert browser.visit(look) == VARY
    assert (site.asked(), site.told()) == (["read"], [])


@pytest.mark.parametrize(
    "view",
    [put(user=2), put(other=1), lambda session: session["cart"].append(2), lambda session: session.pop("cart")],
)
def test_a_change_is_a_read_and_a_replace_and_no_cookie(site: ServerSite, browser: Browser, view: View) -> None:
    expected = site.open(browser.header)
    view(expected)
    site.asked()
    assert browser.visit(view) == VARY
    assert (site.asked(), site.told()) == (["read", "replace"], [("changed", "")])
    assert browser.read() == dict(expected)


@pytest.mark.parametrize("view", [put(user=1), lambda session: [session.update(a=1), session.pop("a")], put()])
def test_what_comes_back_to_the_same_content_is_not_written(site: ServerSite, browser: Browser, view: View) -> None:
    assert browser.visit(view) == VARY
    assert (site.asked(), site.told()) == (["read"], [])


def test_logging_out_is_a_read_a_mark_and_a_deletion(site: ServerSite, browser: Browser) -> None:
    browser.visit(lambda session: session.destroy())
    assert (site.asked(), site.told(), site.records) == (["read", "replace", "delete"], [("destroyed", "")], {})


def test_a_new_id_is_one_insert_and_one_replace(site: ServerSite, browser: Browser) -> None:
    browser.visit(lambda session: session.regenerate())
    assert (site.asked(), site.told()) == (["read", "insert", "replace"], [("regenerated", "")])


# Refreshed


@pytest.mark.parametrize(("lifetime", "due_after"), [(MONTH, 3600), (10_000, 100), (100, 1)])
def test_a_look_touches_the_record_when_it_was_not_used_for_the_interval(lifetime: int, due_after: int) -> None:
    site = ServerSite(permanent_lifetime=lifetime)
    browser = site.begin(user=1, cart=[1])
    (before,) = site.records.values()
    site.clock.advance(due_after)
    assert browser.visit(look) == VARY
    assert site.asked() == ["read"]
    site.clock.advance(1)
    assert browser.visit(look) == VARY
    assert (site.asked(), site.told()) == (["read", "touch"], [("refreshed", "")])
    (after,) = site.records.values()
    now = NOON + due_after + 1
    assert (after.content, after.used_at, after.expires_at) == (before.content, now, now + lifetime + 1)
    browser.visit(look)
    assert site.asked() == ["read"]


def test_a_session_that_is_looked_at_lives_on_and_one_that_is_not_ends(site: ServerSite, browser: Browser) -> None:
    for _ in range(5):
        site.clock.advance(MONTH)
        browser.visit(look)
    assert browser.read()["user"] == 1
    site.clock.advance(MONTH + 1)
    site.told()
    assert browser.read() == {}
    assert site.told() == [("rejected", "unknown_id")]


def test_with_refresh_off_only_a_change_makes_a_session_live_longer() -> None:
    site = ServerSite(refresh_each_request=False, permanent_lifetime=100)
    browser = site.begin(user=1, cart=[1])
    site.clock.advance(60)
    browser.visit(look)
    browser.visit(put(user=2))
    assert site.asked() == ["read", "read", "replace"]
    site.clock.advance(100)
    assert browser.read()["user"] == 2
    site.clock.advance(1)
    assert browser.read() == {}


def test_an_interval_of_zero_refreshes_a_permanent_session_at_every_response() -> None:
    site = ServerSite(refresh_interval=0)
    browser = site.begin(user=1, cart=[1], _permanent=True)
    before = browser.header
    for _ in range(2):
        assert attributes(browser.visit().cookies[0])["max-age"] == str(MONTH)
        assert site.asked() == ["read", "touch"]
    assert browser.header == before
    assert site.begin(user=1, cart=[1]).visit(look) == VARY


def test_nothing_extends_the_absolute_lifetime() -> None:
    site = ServerSite(absolute_lifetime=7200)
    browser = site.begin(user=1, cart=[1], _permanent=True)
    site.clock.advance(7000)
    assert attributes(browser.visit(look).cookies[0])["max-age"] == "200"
    (record,) = site.records.values()
    assert record.expires_at == NOON + 7201
    browser.visit(lambda session: session.regenerate())
    browser.visit(put(user=2))
    site.clock.advance(200)
    assert browser.read()["user"] == 2
    site.clock.advance(1)
    assert browser.read() == {}


def test_a_shorter_lifetime_counts_for_records_that_are_there_already(site: ServerSite, browser: Browser) -> None:
    shorter = ServerSite(memory=site.memory, clock=site.clock, permanent_lifetime=60)
    older = ServerSite(memory=site.memory, clock=site.clock, absolute_lifetime=60)
    site.clock.advance(61)
    for other, reason in ((shorter, "expired"), (older, "too_old")):
        assert dict(other.open(browser.header)) == {}
        assert other.told() == [("rejected", reason)]


@pytest.mark.parametrize(("behind", "reason"), [(60, None), (61, "from_the_future")])
def test_a_clock_that_is_a_minute_behind_is_borne(
    site: ServerSite, browser: Browser, behind: int, reason: str | None
) -> None:
    late = ServerSite(memory=site.memory, clock=Clock(NOON - behind))
    assert bool(dict(late.open(browser.header))) is (reason is None)
    assert late.told() == ([("rejected", reason)] if reason else [])


# When the cookie is sent


@pytest.mark.parametrize(
    ("before", "view", "max_age"),
    [
        ({}, put(_permanent=True), MONTH),
        ({"_permanent": True}, put(user=2), MONTH),
        ({"_permanent": True}, put(_permanent=False), None),
        ({"_permanent": True}, lambda session: session.pop("_permanent"), None),
        ({}, lambda session: setattr(session, "modified", True), None),
        ({"_permanent": True}, lambda session: setattr(session, "modified", True), MONTH),
    ],
)
def test_the_cookie_is_sent_again_where_the_browser_is_to_know_more(
    site: ServerSite, before: dict[str, Any], view: View, max_age: int | None
) -> None:
    browser = site.begin(user=1, cart=[1], **before)
    header = browser.header
    (cookie,) = browser.visit(view).cookies
    assert attributes(cookie).get("max-age") == (None if max_age is None else str(max_age))
    assert browser.header == header
    assert site.asked() == ["read", "replace"]


def test_a_permanent_session_tells_the_browser_when_it_lives_longer(site: ServerSite) -> None:
    browser = site.begin(user=1, cart=[1], _permanent=True)
    site.clock.advance(3601)
    assert attributes(browser.visit(look).cookies[0])["max-age"] == str(MONTH)
    assert browser.visit(look) == VARY


@pytest.mark.parametrize(("https", "secure"), [(True, None), (False, None), (False, True)])
def test_the_cookie_has_the_attributes_of_the_settings(https: bool, secure: bool | None) -> None:
    site = ServerSite(cookie_secure=secure, cookie_path="/app", cookie_samesite="Strict")
    decision = Browser(site, https=https).visit(put(user=1))
    assert decision.insecure is (not https and not secure)
    expected = {"httponly": "", "path": "/app", "samesite": "Strict"} | ({} if decision.insecure else {"secure": ""})
    assert attributes(decision.cookies[0]) == expected
