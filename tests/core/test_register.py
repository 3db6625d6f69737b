"""What a request tells the list and the roster: how many sessions a user has, under which id, and when last used."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from kit import NOON, Browser, look
from modes import SignInSite, login, where_it_is_remembered
from races.steps import Request

from coatcheck import Session, Settings, StoreError, TooManySessions
from coatcheck.core.facts import Facts
from coatcheck.core.register import Limits
from coatcheck.testing import FailingStore

HOUR = 3600


def handle(browser: Browser) -> str:
    return browser.site.open(browser.header).handle


def facts_of(browser: Browser) -> Facts | None:
    return browser.site.open(browser.header)._load().facts  # noqa: SLF001


def handles(site: SignInSite, user_id: Any = "ada") -> set[str]:
    return {each.row.handle.hex() for each in site.sessions_of(user_id)}


def users(site: SignInSite, browsers: list[Browser]) -> list[Any]:
    return [site.user_of(browser.header) for browser in browsers]


def with_own_list(mode: str, **options: Any) -> tuple[SignInSite, FailingStore]:
    """Gives a site whose list stands in a store of its own."""
    lists = FailingStore(SignInSite("list").memory)
    return SignInSite(mode, revocations=lists, **options), lists


# How long sessions live


def test_a_session_ends_by_its_use_or_by_its_age_whichever_comes_first() -> None:
    quarter, hour = timedelta(minutes=15), timedelta(hours=1)
    limits = Limits.of(Settings(idle=quarter, absolute_lifetime=hour), 9)
    assert limits == (900, 3600, 9)
    assert limits.expiry(NOON, NOON) == NOON + 900
    assert limits.expiry(NOON + 3000, NOON) == NOON + 3600
    assert Limits.of(Settings(idle=quarter), 9).expiry(NOON + 10**6, NOON) == NOON + 10**6 + 900


# How many


@where_it_is_remembered
def test_a_login_beyond_the_limit_ends_the_session_of_the_earliest_one(mode: str) -> None:
    site = SignInSite(mode, max_sessions_per_user=3)
    other = site.sign_in("bob")
    browsers = []
    for _ in range(3):
        browsers.append(site.sign_in())
        site.clock.advance(100)
    # Being used does not make it a later login.
    site.clock.advance(HOUR)
    browsers[0].visit(look)
    site.told()
    new = Browser(site)
    new.visit(login())
    assert ("revoked", "") in site.told()
    for process in (site, SignInSite(mode, like=site)):
        assert users(process, [*browsers, new]) == [None, "ada", "ada", "ada"]
        assert process.user_of(other.header) == "bob"
    assert len(handles(site)) == 3
    assert site.rows == (0 if mode == "list" else 4)


@where_it_is_remembered
def test_a_login_beyond_the_limit_is_refused_where_that_is_wanted_and_nothing_changes(mode: str) -> None:
    site = SignInSite(mode, max_sessions_per_user=2, over_limit="refuse")
    browsers = [site.sign_in(), site.sign_in()]
    third = Browser(site)
    third.visit(lambda session: session.update(cart=1))
    with pytest.raises(TooManySessions):
        third.visit(login())
    assert (site.user_of(third.header), third.read()) == (None, {"cart": 1})
    fourth = site.sign_in("bob", cart=2)
    with pytest.raises(TooManySessions):
        fourth.visit(login())
    assert (site.user_of(fourth.header), fourth.read()) == ("bob", {"cart": 2})
    assert users(site, browsers) == ["ada", "ada"]
    assert handles(site) == {handle(each) for each in browsers}
    assert handles(site, "bob") == {handle(fourth)}
    browsers[0].visit(Session.logout)
    third.visit(login())
    assert (site.user_of(third.header), third.read()) == ("ada", {"cart": 1})


@where_it_is_remembered
@pytest.mark.parametrize("over_limit", ["refuse", "end_oldest"])
def test_who_signs_in_again_in_the_same_place_is_counted_once(mode: str, over_limit: str) -> None:
    site = SignInSite(mode, max_sessions_per_user=2, over_limit=over_limit)
    browsers = [site.sign_in(), site.sign_in()]
    for _ in range(5):
        browsers[1].visit(login())
    assert users(site, browsers) == ["ada", "ada"]
    assert handles(site) == {handle(each) for each in browsers}


@where_it_is_remembered
@pytest.mark.parametrize("ended_by", ["logout", "revoke", "time", "reuse"])
def test_who_is_no_longer_there_is_not_counted(mode: str, ended_by: str) -> None:
    site = SignInSite(mode, max_sessions_per_user=1, over_limit="refuse", idle=HOUR)
    browser = site.sign_in()
    copy = browser.header
    if ended_by == "logout":
        browser.visit(Session.logout)
    elif ended_by == "revoke":
        site.revoke(handle(browser))
    elif ended_by == "time":
        site.clock.advance(HOUR + 1)
    else:
        browser.visit(Session.regenerate)
        site.clock.advance(11)
        assert site.user_of(copy) is None
    assert site.user_of(site.sign_in().header) == "ada"


@pytest.mark.parametrize("mode", ["store", "hybrid"])
def test_whose_record_is_gone_is_not_counted_but_for_a_minute_in_which_it_may_be_on_its_way(mode: str) -> None:
    site = SignInSite(mode, max_sessions_per_user=1, over_limit="refuse")
    browser = site.sign_in()
    site.memory.delete(bytes.fromhex(handle(browser)))
    with pytest.raises(TooManySessions):
        site.sign_in()
    site.clock.advance(61)
    new = site.sign_in()
    assert handles(site) == {handle(new)}


def test_who_is_over_a_limit_that_was_made_lower_loses_as_many_as_it_takes() -> None:
    site = SignInSite("store")
    browsers = []
    for _ in range(5):
        browsers.append(site.sign_in())
        site.clock.advance(1)
    lower = SignInSite("store", like=site, max_sessions_per_user=2)
    new = lower.sign_in()
    assert users(lower, [*browsers, new]) == [None, None, None, None, "ada", "ada"]
    assert lower.rows == 2


# Under which id


@where_it_is_remembered
def test_the_roster_follows_the_session_to_each_new_id(mode: str) -> None:
    site = SignInSite(mode)
    browser = site.sign_in()
    for _ in range(3):
        browser.visit(Session.regenerate)
        assert handles(site) == {handle(browser)}
        assert site.sessions_of()[0].row.authenticated_at == NOON


@pytest.mark.parametrize("mode", ["store", "hybrid"])
def test_of_two_new_ids_at_once_the_roster_has_the_one_that_is_kept(mode: str) -> None:
    site = SignInSite(mode)
    browser = site.sign_in(cart=1)
    one = Request(site, browser.header, Session.regenerate).look()
    other = Request(site, browser.header, lambda s: (s.regenerate(), s.update(late=1))).look()
    one.finish()
    other.finish()
    assert other.cookies == {}
    session = site.open(one.next_header)
    assert (session.user_id, dict(session)) == ("ada", {"cart": 1, "late": 1})
    assert handles(site) == {session.handle}


def test_of_three_new_ids_at_once_too() -> None:
    site = SignInSite("store")
    browser = site.sign_in(cart=1)
    one, other, third = [Request(site, browser.header, Session.regenerate).look() for _ in range(3)]
    one.finish()
    other.until("delete")
    third.finish()
    other.finish()
    assert handles(site) == {site.open(one.next_header).handle}


def test_of_a_guest_s_two_new_ids_there_is_nothing_to_put_right() -> None:
    site = SignInSite("store")
    browser = Browser(site)
    browser.visit(lambda session: session.update(cart=1))
    slow = Request(site, browser.header, Session.regenerate).until("replace")
    browser.visit(Session.regenerate)
    slow.finish()
    assert dict(site.open(slow.next_header)) == {"cart": 1}
    assert browser.read() == {"cart": 1}


# When last used


def test_what_is_sealed_tells_the_roster_now_and_then_that_it_is_in_use() -> None:
    site = SignInSite("list")
    browser = site.sign_in(number=0)
    for number in range(10):
        site.clock.advance(400)
        site.store.calls.clear()
        browser.visit(lambda session, number=number: session.update(number=number))  # type: ignore[misc]
        wrote = [call for call in site.store.calls if call != "read"]
        assert wrote == (["replace"] if number == 9 else [])
    (found,) = site.sessions_of()
    assert found.row.seen_at == int(site.clock())


def test_what_is_on_the_server_says_so_itself() -> None:
    site, lists = with_own_list("store")
    browser = site.sign_in()
    lists.calls.clear()
    for _ in range(3):
        site.clock.advance(2 * HOUR)
        browser.visit(look)
    assert {*lists.calls} == {"read"}
    (found,) = site.sessions_of()
    assert found.row.seen_at == int(site.clock())


def test_that_it_is_in_use_is_no_reason_to_fail() -> None:
    site = SignInSite("list", revocation_delay=HOUR, refresh_interval=600)
    browser = site.sign_in(cart=1)
    site.clock.advance(700)
    site.store.down = True
    assert browser.visit(lambda session: session.update(cart=2)).cookies != ()
    assert browser.read() == {"cart": 2}
    site.store.down = False
    (found,) = site.sessions_of()
    assert found.row.seen_at == NOON


def test_another_id_that_the_roster_cannot_hear_of_is_a_reason_to_fail() -> None:
    site = SignInSite("list", revocation_delay=HOUR)
    browser = site.sign_in(cart=1)
    before = browser.header
    site.store.down = True
    with pytest.raises(StoreError):
        browser.visit(Session.regenerate)
    site.store.down = False
    assert browser.header == before
    assert site.user_of(before) == "ada"


@where_it_is_remembered
def test_who_is_not_in_the_roster_is_not_put_there_by_being_used(mode: str) -> None:
    """It has been ended, and the request was under way."""
    site = SignInSite(mode)
    browser = site.sign_in(cart=1)
    site.clock.advance(2 * HOUR)
    slow = Request(site, browser.header, lambda session: (session.regenerate(), session.update(late=1))).look()
    site.revoke_user("ada")
    slow.finish()
    assert site.user_of(slow.next_header) is None
    assert handles(site) == set()


# What came from elsewhere


def test_a_session_that_moves_is_in_the_roster_under_its_next_handle() -> None:
    before = SignInSite("list")
    browser = before.sign_in()
    for mode in ("store", "hybrid"):
        site = SignInSite(mode, like=before)
        browser.site = site
        browser.visit(look)
        assert handles(site) == {handle(browser)}
    back = SignInSite("list", like=before, earlier_store=before.store)
    browser.site = back
    browser.visit(look)
    assert handles(back) == {handle(browser)}


def test_what_is_sealed_without_facts_gets_a_family_with_its_next_id() -> None:
    before = SignInSite("cookie")
    browser = Browser(before)
    browser.visit(lambda session: session.update(cart=1))
    assert facts_of(browser) is None
    site = SignInSite("list", like=before)
    browser.site = site
    browser.visit(lambda session: session.update(cart=2))
    assert facts_of(browser) is None
    browser.visit(Session.regenerate)
    facts = facts_of(browser)
    assert facts is not None
    assert (facts.user_id, len(facts.family)) == (None, 16)
    assert browser.read() == {"cart": 2}
