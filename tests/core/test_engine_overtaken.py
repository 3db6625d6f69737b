"""Sealed sessions of requests that were under way while another of the same browser got it a new cookie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kit import Browser, ServerSite
from modes import SignInSite, login, logout

from coatcheck import Session
from coatcheck.core.engine import Decision

View = Callable[[Session], object]
LARGE = "a" * 5000
HOUR = 3600
GRACE = 10


class QuickSite(SignInSite):
    """Takes the way without generators first, as the hosts do."""

    def commit(self, session: Session, *, https: bool = True) -> Decision:
        if self.mode == "list":
            decision = self.engine.commit_sealed(session, self.clock(), https)
            if decision is not None:
                return decision
        return super().commit(session, https=https)


def site_in(mode: str) -> SignInSite:
    return QuickSite(mode) if mode == "list" else SignInSite(mode)


def overtake(slow: Browser, fast: SignInSite, view: View, change: View = lambda _: None) -> Decision:
    """Makes a request that looks, and changes something, while another request of the browser is served by `fast`."""

    def wait(session: Session) -> None:
        session.get("cart")
        other = Browser(fast)
        other.cookies = slow.cookies
        other.visit(view)
        # What another machine has ended is known after `revocation_delay`.
        fast.clock.advance(1)
        change(session)

    return slow.visit(wait)


in_both_ways = pytest.mark.parametrize("processes", [1, 2])
where_cookies_are_sealed = pytest.mark.parametrize("mode", ["list", "hybrid"])
# What a slow request does, and how long after the first one: to read, where the cookie is due to be sent anew, counts.
LATE: dict[str, tuple[View, int]] = {"a change": (lambda s: s.update(late=1), 60), "a look": (lambda s: None, HOUR + 1)}
what_comes_late = pytest.mark.parametrize("late", LATE)


def processes_of(mode: str, count: int) -> tuple[SignInSite, SignInSite]:
    site = site_in(mode)
    return site, site if count == 1 else SignInSite(mode, like=site)


@in_both_ways
@what_comes_late
def test_a_slow_request_does_not_take_the_new_id_of_its_session_from_the_browser(late: str, processes: int) -> None:
    """It would have come back after the grace, and been taken for a copy: everybody signed out, and an alarm."""
    site, fast = processes_of("list", processes)
    browser = site.sign_in(cart=1)
    change, after = LATE[late]
    site.clock.advance(after)
    decision = overtake(browser, fast, Session.regenerate, change)
    assert decision == Decision(vary=True)
    told = site.told() + (fast.told() if fast is not site else [])
    assert (("dropped", "ended") in told) is (late == "a change")
    site.clock.advance(GRACE + 1)
    assert site.user_of(browser.header) == "ada"
    assert dict(site.open(browser.header)) == {"cart": 1}
    assert not {kind for kind, _ in site.told()} & {"reused", "rejected"}


@where_cookies_are_sealed
@in_both_ways
@what_comes_late
def test_a_slow_request_of_a_guest_does_not_take_the_login_from_the_browser(
    mode: str, late: str, processes: int
) -> None:
    site, fast = processes_of(mode, processes)
    browser = Browser(site)
    browser.visit(lambda session: session.update(cart=1))
    change, after = LATE[late]
    site.clock.advance(after)
    assert overtake(browser, fast, login("ada"), change) == Decision(vary=True)
    assert site.user_of(browser.header) == "ada"
    assert dict(site.open(browser.header)) == {"cart": 1}


@in_both_ways
def test_a_slow_request_that_outgrows_its_cookie_does_not_take_the_login_from_the_browser(processes: int) -> None:
    site, fast = processes_of("hybrid", processes)
    browser = Browser(site)
    browser.visit(lambda session: session.update(cart=1))
    site.clock.advance(60)
    decision = overtake(browser, fast, login("ada"), lambda session: session.update(late=LARGE))
    assert decision == Decision(vary=True)
    assert ("dropped", "ended") in site.told()
    assert site.user_of(browser.header) == "ada"
    assert site.rows == 1


@pytest.mark.parametrize("view", [Session.destroy, Session.regenerate])
def test_what_outgrows_its_cookie_is_kept_where_nobody_else_was_there(view: View) -> None:
    for site in (SignInSite("hybrid"), ServerSite(mode="hybrid")):
        browser = Browser(site)
        browser.visit(lambda session: session.update(cart=1))
        browser.visit(lambda session: (view(session), session.update(late=LARGE)))
        assert dict(site.open(browser.header)) == ({} if view is Session.destroy else {"cart": 1}) | {"late": LARGE}


@in_both_ways
def test_a_slow_request_brings_no_cookie_back_that_a_logout_has_taken_away(processes: int) -> None:
    site, fast = processes_of("list", processes)
    browser = site.sign_in(cart=1)
    site.clock.advance(60)
    assert overtake(browser, fast, logout(), lambda session: session.update(late=1)) == Decision(vary=True)
    assert browser.cookies == {}


def test_a_slow_request_goes_on_with_what_is_known_where_the_list_cannot_be_read() -> None:
    site = site_in("list")
    browser = site.sign_in(cart=1)
    session = site.open(browser.header)
    session["late"] = 1
    site.clock.advance(60)
    site.store.down = True
    assert site.commit(session).cookies
    site.store.down = False


def test_a_write_reads_the_list_no_second_time_within_the_second_in_which_it_was_read() -> None:
    site = site_in("list")
    browser = site.sign_in(cart=1)
    site.clock.advance(60.7)
    for down in (False, True):
        site.store.down = down
        site.store.calls.clear()
        session = site.open(browser.header)
        session["late"] = down
        assert len(site.store.calls) <= 1
        site.store.calls.clear()
        assert site.commit(session).cookies
        assert site.store.calls == []
        site.clock.advance(0.1)
    site.store.down = False


def test_a_list_that_could_not_be_read_a_moment_ago_is_not_asked_again_by_a_write() -> None:
    site = QuickSite("list", revocations_down="open")
    browser = site.sign_in(cart=1)
    site.clock.advance(60.7)
    site.store.down = True
    site.store.calls.clear()
    session = site.open(browser.header)
    session["late"] = 1
    asked = len(site.store.calls)
    assert asked
    assert site.commit(session).cookies
    assert len(site.store.calls) == asked


def test_a_request_that_changes_nothing_reads_no_list_in_the_end() -> None:
    site = site_in("list")
    browser = site.sign_in(cart=1)
    session = site.open(browser.header)
    assert session["cart"] == 1
    site.clock.advance(60)
    site.store.calls.clear()
    assert site.commit(session) == Decision(vary=True)
    assert site.store.calls == []


def test_what_is_new_after_a_login_of_the_same_request_is_kept() -> None:
    """The request itself has ended the old id."""
    site = site_in("list")
    browser = Browser(site)
    browser.visit(lambda session: session.update(cart=1))
    seen: list[Any] = []
    for view in (login("ada", a=1), Session.regenerate, lambda session: session.update(b=2)):
        site.clock.advance(60)
        browser.visit(view)
        seen.append((site.user_of(browser.header), len(site.open(browser.header))))
    assert seen == [("ada", 2), ("ada", 2), ("ada", 3)]
