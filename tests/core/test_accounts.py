"""What is asked and ended from outside of a session: whose sessions there are, and which of them are no more."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from kit import NOON, SECRET, Browser, Site, look
from modes import AGENT, SignInSite, login, logout, where_it_is_remembered

from coatcheck import Session, StoreError, UsageError
from coatcheck.core.accounts import Accounts
from coatcheck.drive import run
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

NUMBER = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
MONTH = 31 * 86400


def handles(site: SignInSite, user_id: Any = "ada") -> list[str]:
    return [each.row.handle.hex() for each in site.sessions_of(user_id)]


def handle(browser: Browser) -> str:
    return browser.site.open(browser.header).handle


# Whose sessions there are


@where_it_is_remembered
def test_each_session_of_a_user_is_there_with_what_is_known_of_it(mode: str) -> None:
    site = SignInSite(mode)
    browser = Browser(site)
    browser.visit(lambda session: session.update(cart=1))
    site.clock.advance(60)
    browser.visit(login())
    site.sign_in("bob")
    (found,) = site.sessions_of("ada")
    assert found.row.handle.hex() == handle(browser)
    assert (found.row.created_at, found.row.authenticated_at, found.row.seen_at) == (NOON, NOON + 60, NOON + 60)
    assert found.row.expires_at == NOON + 60 + MONTH
    assert (found.row.ip, found.row.agent, found.current) == ("203.0.113.9", AGENT, False)


@where_it_is_remembered
def test_the_current_one_comes_first_and_then_those_last_seen(mode: str) -> None:
    site = SignInSite(mode)
    browsers = []
    for _ in range(4):
        browsers.append(site.sign_in())
        site.clock.advance(60)
    expected = [handle(browsers[number]) for number in (1, 3, 2, 0)]
    found = site.sessions_of("ada", site.open(browsers[1].header))
    assert [each.row.handle.hex() for each in found] == expected
    assert [each.current for each in found] == [True, False, False, False]


@where_it_is_remembered
@pytest.mark.parametrize(("user_id", "asked"), [(7, "7"), ("7", 7), (NUMBER, str(NUMBER)), (str(NUMBER), NUMBER)])
def test_user_ids_are_compared_as_text(mode: str, user_id: Any, asked: Any) -> None:
    site = SignInSite(mode)
    browser = site.sign_in(user_id)
    assert handles(site, asked) == [handle(browser)]
    assert site.revoke_user(asked, keep=site.open(browser.header)) == 0
    assert site.revoke(handle(browser), asked)
    assert site.user_of(browser.header) is None


@where_it_is_remembered
def test_the_session_of_a_guest_or_of_another_user_is_marked_nowhere(mode: str) -> None:
    site = SignInSite(mode)
    browser, other = site.sign_in(), site.sign_in("bob")
    for current in (None, site.open(), site.open(other.header)):
        assert [each.current for each in site.sessions_of("ada", current)] == [False]
    assert handles(site) == [handle(browser)]


@where_it_is_remembered
def test_when_a_session_was_last_seen_is_known_to_an_hour(mode: str) -> None:
    site = SignInSite(mode)
    browser = site.sign_in()
    for _ in range(4):
        site.clock.advance(3700)
        browser.visit(look)
        (found,) = site.sessions_of()
        assert found.row.seen_at == int(site.clock())
        assert found.row.expires_at == found.row.seen_at + MONTH


@where_it_is_remembered
def test_one_that_has_expired_is_not_there(mode: str) -> None:
    site = SignInSite(mode, idle=900)
    site.sign_in()
    site.clock.advance(890)
    second = site.sign_in()
    assert len(handles(site)) == 2
    site.clock.advance(11)
    assert handles(site) == [handle(second)]
    site.clock.advance(1000)
    assert handles(site) == []


@where_it_is_remembered
def test_one_that_has_reached_its_absolute_lifetime_is_not_there(mode: str) -> None:
    site = SignInSite(mode, absolute_lifetime=900, refresh_interval=10)
    browser = site.sign_in()
    for _ in range(8):
        site.clock.advance(100)
        browser.visit(look)
    assert len(handles(site)) == 1
    site.clock.advance(101)
    assert handles(site) == []


@pytest.mark.parametrize("mode", ["store", "hybrid"])
def test_one_whose_record_is_gone_is_not_there(mode: str) -> None:
    site = SignInSite(mode)
    browser = site.sign_in()
    site.memory.delete(bytes.fromhex(handle(browser)))
    assert handles(site) == []


@pytest.mark.parametrize("mode", ["store", "hybrid"])
def test_one_that_was_kept_longer_than_it_lives_is_not_there(mode: str) -> None:
    """A store may be late with what has expired, and the lifetime may have been made shorter."""
    site = SignInSite(mode)
    site.sign_in()
    shorter = SignInSite(mode, like=site, idle=60)
    site.clock.advance(61)
    assert shorter.sessions_of() == []


# One


@where_it_is_remembered
def test_one_that_is_revoked_is_dead_in_every_process_and_the_others_live(mode: str) -> None:
    site = SignInSite(mode)
    browsers = [site.sign_in() for _ in range(3)]
    other = SignInSite(mode, like=site)
    assert [other.user_of(browser.header) for browser in browsers] == ["ada"] * 3
    site.told()
    assert site.revoke(handle(browsers[1]))
    assert site.told() == [("revoked", "")]
    site.clock.advance(1)
    for process in (site, other, SignInSite(mode, like=site)):
        assert [process.user_of(browser.header) for browser in browsers] == ["ada", None, "ada"]
    assert set(handles(site)) == {handle(browsers[0]), handle(browsers[2])}


@where_it_is_remembered
def test_a_session_is_found_by_the_name_of_its_family_too_which_no_new_id_changes(mode: str) -> None:
    site = SignInSite(mode)
    browser = site.sign_in()
    name = site.sessions_of()[0].row.family.hex()
    browser.visit(Session.regenerate)
    assert site.revoke(name)
    assert site.user_of(browser.header) is None


@where_it_is_remembered
@pytest.mark.parametrize("name", ["", "0" * 32, "0" * 64, "rubbish", None, 7, b"bytes", ["list"], "../../etc"])
def test_what_is_no_session_of_the_user_ends_nothing(mode: str, name: Any) -> None:
    site = SignInSite(mode)
    browser, other = site.sign_in(), site.sign_in("bob")
    assert not site.revoke(name)
    assert not site.revoke(handle(other))
    assert not site.revoke(handle(browser).upper() + " ")
    assert (site.user_of(browser.header), site.user_of(other.header)) == ("ada", "bob")


@where_it_is_remembered
def test_one_that_is_revoked_twice_has_been_revoked_once(mode: str) -> None:
    site = SignInSite(mode)
    name = handle(site.sign_in())
    assert site.revoke(name)
    assert not site.revoke(name)


@where_it_is_remembered
def test_who_is_revoked_within_a_request_is_sent_no_new_session_by_it(mode: str) -> None:
    site = SignInSite(mode)
    browser = site.sign_in(cart=1)
    browser.visit(lambda session: (session.update(cart=2), site.revoke(session.handle)))
    assert site.user_of(browser.header) is None


# All of a user


@where_it_is_remembered
def test_all_of_a_user_are_dead_but_the_one_that_is_kept(mode: str) -> None:
    site = SignInSite(mode)
    browsers = [site.sign_in() for _ in range(4)]
    other = site.sign_in("bob")
    assert site.revoke_user("ada", keep=site.open(browsers[2].header)) == 3
    assert [kind for kind, _ in site.told()] == ["revoked"] * 3
    for process in (site, SignInSite(mode, like=site)):
        assert [process.user_of(each.header) for each in browsers] == [None, None, "ada", None]
        assert process.user_of(other.header) == "bob"
    assert handles(site) == [handle(browsers[2])]
    assert site.revoke_user("ada") == 1
    assert site.user_of(browsers[2].header) is None


@where_it_is_remembered
def test_who_signs_in_afterwards_is_signed_in_in_the_same_second(mode: str) -> None:
    site = SignInSite(mode)
    site.sign_in()
    site.revoke_user("ada")
    browser = site.sign_in()
    assert site.user_of(browser.header) == "ada"
    assert handles(site) == [handle(browser)]


@where_it_is_remembered
def test_the_one_that_is_kept_goes_on_under_its_next_ids(mode: str) -> None:
    site = SignInSite(mode, rotate_every=60)
    browser = site.sign_in(cart=1)
    site.revoke_user("ada", keep=site.open(browser.header))
    for _ in range(3):
        site.clock.advance(100)
        browser.visit(look)
        assert site.user_of(browser.header) == "ada"


@where_it_is_remembered
def test_a_user_of_whom_nothing_is_known_can_be_revoked(mode: str) -> None:
    assert SignInSite(mode).revoke_user("nobody") == 0


@where_it_is_remembered
def test_a_session_of_somebody_else_or_of_nobody_is_not_kept(mode: str) -> None:
    site = SignInSite(mode)
    browser, other = site.sign_in(), site.sign_in("bob")
    for keep in (site.open(), site.open(other.header)):
        with pytest.raises(UsageError, match="keep= takes a session that this user is signed in with"):
            site.revoke_user("ada", keep=keep)
    assert site.user_of(browser.header) == "ada"


# Everybody


@where_it_is_remembered
def test_everybody_is_dead_and_may_sign_in_again(mode: str) -> None:
    site = SignInSite(mode)
    browsers = [site.sign_in(), site.sign_in("bob")]
    visitor = Browser(site)
    visitor.visit(lambda session: session.update(cart=1))
    site.told()
    site.revoke_everyone()
    assert site.told() == [("revoked", "")]
    for process in (site, SignInSite(mode, like=site)):
        assert [process.user_of(each.header) for each in browsers] == [None, None]
        assert dict(process.open(visitor.header)) == {}
    assert handles(site) == handles(site, "bob") == []
    assert site.user_of(site.sign_in().header) == "ada"
    visitor.visit(lambda session: session.update(cart=2))
    assert visitor.read() == {"cart": 2}


# What can go wrong


@where_it_is_remembered
@pytest.mark.parametrize("verb", ["sessions_of", "revoke", "revoke_user", "revoke_everyone"])
def test_a_store_that_is_down_is_an_error_and_not_an_empty_list(mode: str, verb: str) -> None:
    site = SignInSite(mode)
    site.sign_in()
    site.store.down = True
    arguments = {"sessions_of": ["ada"], "revoke": ["00", "ada"], "revoke_user": ["ada"], "revoke_everyone": []}[verb]
    with pytest.raises(StoreError):
        getattr(site, verb)(*arguments)


@where_it_is_remembered
@pytest.mark.parametrize("user_id", [None, "", True, 7.0, b"ada"], ids=repr)
def test_what_is_no_user_id_is_refused(mode: str, user_id: Any) -> None:
    site = SignInSite(mode)
    for verb, arguments in (("sessions_of", [user_id]), ("revoke", ["00", user_id]), ("revoke_user", [user_id])):
        with pytest.raises(UsageError, match="a user id "):
            getattr(site, verb)(*arguments)
    assert site.store.calls == []


@pytest.mark.parametrize("verb", ["sessions_of", "revoke", "revoke_user", "revoke_everyone"])
def test_without_a_place_to_remember_each_call_says_what_is_missing(verb: str) -> None:
    site = SignInSite("cookie")
    arguments = {"sessions_of": ["ada"], "revoke": ["00", "ada"], "revoke_user": ["ada"], "revoke_everyone": []}[verb]
    with pytest.raises(UsageError, match="nothing remembers which sessions there are"):
        getattr(site, verb)(*arguments)


def test_the_calls_show_nothing_of_whom_they_know() -> None:
    site = SignInSite("store")
    site.sign_in("ada lovelace")
    shown = repr(site.engine.accounts) + repr(site.sessions_of("ada lovelace"))
    assert "lovelace" not in shown
    assert SECRET not in shown
    assert isinstance(site.engine.accounts, Accounts)


def test_an_application_of_another_audience_ends_nothing_here() -> None:
    memory = MemoryStore(clock=Clock())
    one, other = (Site(audience=audience, revocations=memory) for audience in ("one", "other"))
    browser = Browser(one)
    browser.visit(login())
    run(other.engine.accounts.revoke_everyone(other.clock()), other.stores)
    assert run(other.engine.accounts.revoke_user("ada", None, other.clock()), other.stores) == 0
    one.clock.advance(2)
    assert one.open(browser.header).user_id == "ada"


@where_it_is_remembered
def test_after_logout_the_session_is_not_there_and_cannot_be_revoked(mode: str) -> None:
    site = SignInSite(mode)
    browser = site.sign_in()
    name = handle(browser)
    browser.visit(logout())
    assert handles(site) == []
    assert not site.revoke(name)
