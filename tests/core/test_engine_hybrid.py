"""Guests in their cookies, users on the server: who costs a row, and what goes from one to the other."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from kit import Browser, look, name_and_value, put
from modes import SignInSite, login, logout
from races.steps import Request

from coatcheck import Session, SessionTooLarge, StoreError
from coatcheck.core.opaque import TOKEN_CHARS

LARGE = "a" * 5000
SEALED, ON_SERVER = 32, 64
"""The length of a handle."""


@pytest.fixture
def site() -> SignInSite:
    return SignInSite("hybrid")


def state(site: SignInSite, browser: Browser) -> tuple[Any, dict[str, Any], int]:
    """Gives the user, the content, and how many rows there are in the store."""
    session = site.open(browser.header)
    return session.user_id, dict(session), site.rows


def in_cookie(browser: Browser) -> bool:
    return len(browser.cookies["session"]) != TOKEN_CHARS


def guest(site: SignInSite, **items: Any) -> Browser:
    browser = Browser(site)
    browser.visit(put(**items))
    site.told()
    return browser


# Who costs a row


def test_guests_cost_none(site: SignInSite) -> None:
    browser = guest(site, cart=1)
    for number in range(5):
        site.clock.advance(4000)
        browser.visit(put(cart=number))
        assert in_cookie(browser)
    browser.visit(Session.regenerate)
    assert state(site, browser) == (None, {"cart": 4}, 0)
    browser.visit(Session.destroy)
    assert (browser.cookies, site.rows) == ({}, 0)


def test_a_guest_asks_the_store_for_nothing_but_what_has_been_ended(site: SignInSite) -> None:
    browser = guest(site, cart=1)
    browser.visit(look)
    site.store.calls.clear()
    browser.visit(put(cart=2))
    assert site.store.calls == []
    Browser(site).visit(look)
    Browser(site).visit(put(cart=1))
    assert site.store.calls == []


def test_a_user_has_one_from_login_to_logout(site: SignInSite) -> None:
    browser = guest(site, cart=1, theme="dark")
    browser.visit(login())
    assert not in_cookie(browser)
    assert state(site, browser) == ("ada", {"cart": 1, "theme": "dark"}, 1)
    browser.visit(put(cart=2))
    browser.visit(logout("theme"))
    assert in_cookie(browser)
    assert state(site, browser) == (None, {"theme": "dark"}, 0)
    browser.visit(login("bob"))
    assert state(site, browser) == ("bob", {"theme": "dark"}, 1)
    browser.visit(logout())
    assert (browser.cookies, site.rows) == ({}, 0)


def test_who_comes_for_the_first_time_and_signs_in_is_on_the_server_at_once(site: SignInSite) -> None:
    browser = Browser(site)
    browser.visit(login(cart=1))
    assert not in_cookie(browser)
    assert state(site, browser) == ("ada", {"cart": 1}, 1)


@pytest.mark.parametrize("begin", [{}, {"cart": 1}])
def test_who_signs_in_and_out_in_one_request_stays_in_the_cookie(site: SignInSite, begin: dict[str, Any]) -> None:
    browser = guest(site, **begin)
    browser.visit(lambda session: (session.login("ada"), session.logout(), session.update(a=1)))
    assert in_cookie(browser)
    assert state(site, browser) == (None, {"a": 1}, 0)


def test_the_handle_is_that_of_the_place(site: SignInSite) -> None:
    handles: list[str] = []

    def view(session: Session) -> None:
        for user_id in (None, "ada", None, "bob"):
            session.login(user_id) if user_id is not None else session.logout(keep=["cart"])
            handles.append(session.handle)

    browser = guest(site, cart=1)
    browser.visit(view)
    assert [len(handle) for handle in handles] == [SEALED, ON_SERVER, SEALED, ON_SERVER]
    assert len(set(handles)) == 4
    assert site.open(browser.header).handle == handles[-1]


# What a cookie has no room for


@pytest.mark.parametrize("begin", [{}, {"cart": 1}])
def test_what_a_guest_s_cookie_has_no_room_for_goes_to_the_server(site: SignInSite, begin: dict[str, Any]) -> None:
    browser = guest(site, **begin)
    copy = browser.header
    browser.visit(put(large=LARGE))
    assert not in_cookie(browser)
    assert state(site, browser) == (None, {**begin, "large": LARGE}, 1)
    # The sealed one is of the past, as any id that was replaced.
    site.clock.advance(11)
    assert state(site, browser) == (None, {**begin, "large": LARGE}, 1)
    assert dict(site.open(copy)) == {}


def test_it_stays_there_when_it_shrinks_and_signs_in_and_out_from_there(site: SignInSite) -> None:
    browser = guest(site, cart=1)
    browser.visit(put(large=LARGE))
    site.clock.advance(4000)
    browser.visit(lambda session: session.pop("large"))
    assert state(site, browser) == (None, {"cart": 1}, 1)
    browser.visit(login())
    assert state(site, browser)[:2] == ("ada", {"cart": 1})
    browser.visit(logout("cart"))
    assert in_cookie(browser)
    assert state(site, browser)[:2] == (None, {"cart": 1})


@pytest.mark.parametrize("signed_in", [True, False])
def test_what_somebody_keeps_who_signs_out_may_be_too_much_for_a_cookie(site: SignInSite, signed_in: bool) -> None:
    browser = guest(site, cart=LARGE)
    if signed_in:
        browser.visit(login())
    copy = browser.header
    browser.visit(logout("cart"))
    assert not in_cookie(browser)
    assert browser.header != copy
    assert site.open(copy).new
    assert state(site, browser)[:2] == (None, {"cart": LARGE})
    browser.visit(Session.destroy)
    assert browser.cookies == {}


@pytest.mark.parametrize("working", range(8))
@pytest.mark.parametrize("tries", [1, 2])
def test_a_cart_that_outgrows_the_cookie_is_not_lost_where_the_store_fails(
    site: SignInSite, monkeypatch: pytest.MonkeyPatch, working: int, tries: int
) -> None:
    run, left = site.store._run, [*range(working)]  # noqa: SLF001  # every operation comes by there
    browser = guest(site, cart=1)

    def run_while_it_works(*operation: Any) -> Any:
        site.store.down = not left or left.pop() < 0
        return run(*operation)

    with monkeypatch.context() as patch:
        patch.setattr(site.store, "_run", run_while_it_works)
        session = site.open(browser.header)
        session["large"] = LARGE
        for _ in range(tries):
            with suppress(StoreError):
                # An error page is committed too.
                browser.cookies |= dict(map(name_and_value, site.commit(session).cookies))
    site.store.down = False
    assert in_cookie(browser) is (working < 3)
    for _ in range(3):
        site.clock.advance(60)
        assert browser.read() == ({"cart": 1} if working < 3 else {"cart": 1, "large": LARGE})
    browser.visit(put(large=LARGE))
    site.clock.advance(60)
    assert state(site, browser)[:2] == (None, {"cart": 1, "large": LARGE})


@pytest.mark.parametrize("ask", [login("ada"), Session.regenerate])
@pytest.mark.parametrize("working", range(12))
def test_a_new_id_that_is_asked_for_when_it_has_outgrown_the_cookie_kills_the_old_one_or_fails(
    site: SignInSite, monkeypatch: pytest.MonkeyPatch, working: int, ask: Any
) -> None:
    run, left = site.store._run, [*range(working)]  # noqa: SLF001  # every operation comes by there
    browser = guest(site, cart=1)
    planted = browser.header
    session = site.open(planted)
    session["large"] = LARGE
    site.store.down = True
    with pytest.raises(StoreError):
        site.commit(session)
    site.store.down = False
    # The page that answers in its place.
    ask(session)

    def run_while_it_works(*operation: Any) -> Any:
        site.store.down = not left or left.pop() < 0
        return run(*operation)

    with monkeypatch.context() as patch:
        patch.setattr(site.store, "_run", run_while_it_works)
        try:
            site.commit(session)
        except StoreError:
            return
        finally:
            site.store.down = False
    assert working >= 5
    site.clock.advance(60)
    assert site.open(planted).new


def test_what_no_store_takes_is_too_large_and_the_guest_s_session_is_as_it_was(site: SignInSite) -> None:
    browser = guest(site, cart=1)
    with pytest.raises(SessionTooLarge):
        browser.visit(put(large="a" * 2_000_000))
    assert state(site, browser) == (None, {"cart": 1}, 0)


def test_a_large_session_that_is_emptied_and_ended_is_gone(site: SignInSite) -> None:
    browser = guest(site, large=LARGE)
    copy = browser.header
    browser.visit(Session.clear)
    assert (browser.cookies, site.rows) == ({}, 0)
    assert site.open(copy).new


# From and to the other modes


@pytest.mark.parametrize("mode", ["cookie", "list"])
def test_whoever_was_signed_in_by_a_sealed_cookie_gets_a_row_and_a_guest_none(mode: str) -> None:
    before = SignInSite(mode)
    user, visitor = before.sign_in(cart=1), guest(before, cart=2)
    site = SignInSite("hybrid", like=before)
    user.site = visitor.site = site
    sealed = user.header
    user.visit(look)
    visitor.visit(look)
    assert not in_cookie(user) and in_cookie(visitor)
    assert state(site, user) == ("ada", {"cart": 1}, 1)
    assert state(site, visitor) == (None, {"cart": 2}, 1)
    # The sealed cookie leads to the same session, until this ends.
    assert site.open(sealed).handle == site.open(user.header).handle
    user.visit(logout())
    assert site.open(sealed).new
    assert site.open(sealed).user_id is None


def test_a_sealed_cookie_that_signs_in_as_another_leaves_nothing_behind() -> None:
    before = SignInSite("cookie")
    browser = before.sign_in(cart=1)
    site = SignInSite("hybrid", like=before)
    browser.site = site
    sealed = browser.header
    browser.visit(lambda session: session.login("bob", keep=["cart"]))
    assert state(site, browser)[:2] == ("bob", {"cart": 1})
    assert site.open(sealed).user_id is None
    assert site.open(sealed).new


def test_a_stolen_secret_key_makes_no_user_where_sealed_cookies_are_not_moved() -> None:
    before = SignInSite("cookie")
    user, visitor = before.sign_in(), guest(before, cart=2)
    site = SignInSite("hybrid", like=before, move_cookies=False)
    assert site.user_of(user.header) is None
    assert site.told() == [("rejected", "unknown_kind")]
    assert dict(site.open(visitor.header)) == {"cart": 2}


def test_from_hybrid_everybody_goes_to_the_store_or_to_the_cookie() -> None:
    before = SignInSite("hybrid")
    for mode, options in (("store", {}), ("list", {"earlier_store": before.store})):
        user, visitor = before.sign_in(cart=1), guest(before, cart=2)
        site = SignInSite(mode, like=before, **options)
        for browser, expected in ((user, ("ada", {"cart": 1})), (visitor, (None, {"cart": 2}))):
            browser.site = site
            browser.visit(look)
            browser.visit(look)
            assert in_cookie(browser) is (mode == "list")
            assert state(site, browser)[:2] == expected


# Meetings


def test_two_requests_of_a_guest_that_both_outgrow_the_cookie_each_have_a_session(site: SignInSite) -> None:
    browser = guest(site, cart=1)
    one = Request(site, browser.header, put(one=LARGE)).look()
    other = Request(site, browser.header, put(other=LARGE)).look()
    one.finish()
    other.finish()
    assert dict(site.open(one.next_header)) == {"cart": 1, "one": LARGE}
    assert dict(site.open(other.next_header)) == {"cart": 1, "other": LARGE}


def test_a_guest_s_request_that_was_under_way_brings_nobody_back(site: SignInSite) -> None:
    browser = site.sign_in(cart=1)
    slow = Request(site, browser.header, put(late=1)).look()
    browser.visit(logout("cart"))
    slow.finish()
    assert slow.kinds == ["dropped"]
    assert slow.cookies == {}
    assert state(site, browser) == (None, {"cart": 1}, 0)


def test_a_cookie_that_is_sealed_under_a_replaced_id_changes_nothing(site: SignInSite) -> None:
    browser = guest(site, cart=1)
    copy = Browser(site)
    copy.cookies = dict(browser.cookies)
    browser.visit(put(large=LARGE))
    assert copy.read() == {"cart": 1}
    assert copy.visit(put(late=1)).cookies == ()
    assert copy.visit(put(larger=LARGE)).cookies == ()
    assert state(site, browser) == (None, {"cart": 1, "large": LARGE}, 1)
