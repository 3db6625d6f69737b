"""The half of a session that knows its user: what a view sees, before and after the response."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import NOON, Browser, Site, Visit
from modes import SignInSite, in_every_mode, login, logout

from coatcheck import CsrfError, Event, Kind, ReauthenticationRequired, Session, UsageError
from coatcheck.core.engine import Decision
from coatcheck.core.sign_in import hash_client
from coatcheck.core.text import decode, encode

NUMBER = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
MINUTE = timedelta(minutes=1)


def fresh(session: Session, age: timedelta) -> bool | None:
    """Says whether the sign-in is no older; None for a guest."""
    try:
        session.require_fresh(age)
    except ReauthenticationRequired as required:
        return False if required.signed_in else None
    return True


class From(Visit):
    """The session of a request from a place that a test can choose."""

    place = "home"

    def _bound(self) -> bytes:
        return hash_client(self.place) if self.place else b""

    def _tell_elsewhere(self) -> None:
        self.site.events.append(Event(Kind.ELSEWHERE, handle=self.handle))


class BoundSite(SignInSite):
    place = "home"

    def open(self, header: str = "") -> Visit:
        session = From(self, header)
        session.place = self.place
        return session


# Who it is


@in_every_mode
@pytest.mark.parametrize("user_id", ["ada", 7, 0, -1, NUMBER, "\u59d3", "a" * 256], ids=repr)
def test_who_signed_in_is_known_from_then_on_as_given(mode: str, user_id: Any) -> None:
    site = SignInSite(mode)
    browser = Browser(site)
    site.clock.advance(0.9)

    def view(session: Session) -> None:
        assert (session.user_id, session.authenticated_at) == (None, None)
        session.login(user_id)
        assert (session.user_id, session.authenticated_at) == (user_id, datetime.fromtimestamp(NOON, UTC))

    browser.visit(view)
    site.clock.advance(3600)
    for _ in range(3):
        session = site.open(browser.header)
        assert session.user_id == user_id
        assert type(session.user_id) is type(user_id)
        assert session.authenticated_at == datetime.fromtimestamp(NOON, UTC)
        browser.visit(lambda session: session.update(seen=session.get("seen", 0) + 1))


@in_every_mode
def test_a_user_without_content_is_signed_in_too(mode: str) -> None:
    browser = SignInSite(mode).sign_in()
    session = browser.site.open(browser.header)
    assert (session.user_id, dict(session), session.new) == ("ada", {}, False)


@in_every_mode
def test_what_a_guest_has_stays_and_comes_with_a_new_id(mode: str) -> None:
    site = SignInSite(mode)
    browser = Browser(site)
    browser.visit(lambda session: session.update(cart=1))
    handle, began = site.open(browser.header).handle, site.open(browser.header).created_at
    site.clock.advance(60)
    browser.visit(login())
    session = site.open(browser.header)
    assert dict(session) == {"cart": 1}
    assert session.handle != handle
    assert session.created_at == began


@in_every_mode
@pytest.mark.parametrize("again", [7, "7"])
def test_the_same_user_again_keeps_everything_and_is_fresh(mode: str, again: Any) -> None:
    site = SignInSite(mode)
    browser = site.sign_in(7, cart=1)
    handle = site.open(browser.header).handle
    site.clock.advance(600)
    browser.visit(login(again))
    session = site.open(browser.header)
    assert (session.user_id, dict(session)) == (again, {"cart": 1})
    assert session.handle != handle
    assert session.authenticated_at == datetime.fromtimestamp(NOON + 600, UTC)


@in_every_mode
def test_of_another_user_only_what_is_named_stays(mode: str) -> None:
    site = SignInSite(mode)
    browser = site.sign_in(7, theme="dark", address="Elm Street 1")
    browser.visit(lambda session: (session.csrf_token(), session.login(8, keep=["theme", "absent", "_csrf"])))
    session = site.open(browser.header)
    assert (session.user_id, dict(session)) == (8, {"theme": "dark"})


@in_every_mode
def test_after_logout_there_is_nothing(mode: str) -> None:
    browser = SignInSite(mode).sign_in(cart=1)

    def view(session: Session) -> None:
        session.logout()
        assert (session.user_id, session.authenticated_at, dict(session), session.new) == (None, None, {}, True)

    browser.visit(view)
    assert browser.cookies == {}


@in_every_mode
def test_what_is_named_stays_in_a_session_that_is_nobody_s(mode: str) -> None:
    site = SignInSite(mode)
    browser = site.sign_in(theme="dark", address="Elm Street 1")
    family = site.open(browser.header).handle
    browser.visit(logout("theme", "absent"))
    session = site.open(browser.header)
    assert (session.user_id, dict(session)) == (None, {"theme": "dark"})
    assert session.handle != family


@in_every_mode
def test_a_guest_may_sign_out_too(mode: str) -> None:
    site = SignInSite(mode)
    browser = Browser(site)
    browser.visit(lambda session: session.update(cart=1))
    browser.visit(logout())
    assert browser.cookies == {}
    assert ("signed_out", "") not in site.told()


@pytest.mark.parametrize("verb", ["login", "logout", "csrf_token"])
def test_what_the_browser_has_to_hear_is_refused_when_the_headers_are_gone(verb: str) -> None:
    site = Site()
    session = site.open()
    session["cart"] = 1
    site.commit(session)
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        getattr(session, verb)(*([7] if verb == "login" else []))
    assert session.user_id is None


@pytest.mark.parametrize("verb", ["login", "csrf_token"])
def test_on_the_server_too(verb: str) -> None:
    site = SignInSite("store")
    browser = site.sign_in(cart=1)
    session = site.open(browser.header)
    session.get("cart")
    site.commit(session)
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        getattr(session, verb)(*([8] if verb == "login" else []))
    assert session.user_id == "ada"


# How long ago


def test_a_sign_in_is_fresh_up_to_the_second() -> None:
    site = SignInSite("list")
    browser = site.sign_in()
    assert fresh(site.open(browser.header), timedelta(0)) is True
    site.clock.advance(60)
    assert fresh(site.open(browser.header), MINUTE) is True
    assert fresh(site.open(browser.header), MINUTE - timedelta(seconds=1)) is False
    site.clock.advance(1)
    assert fresh(site.open(browser.header), MINUTE) is False
    browser.visit(login())
    assert fresh(site.open(browser.header), timedelta(0)) is True


def test_nothing_but_a_sign_in_makes_it_fresh() -> None:
    site = SignInSite("store", rotate_every=30)
    browser = site.sign_in()
    for _ in range(5):
        site.clock.advance(40)
        browser.visit(lambda session: (session.regenerate(), session.update(a=session.get("a", 0) + 1)))
    assert fresh(site.open(browser.header), MINUTE) is False


def test_a_guest_is_never_fresh() -> None:
    assert fresh(Site().open(), timedelta(days=10_000)) is None


# Where it is used


@in_every_mode
def test_a_session_that_is_used_from_elsewhere_goes_on_and_says_so(mode: str) -> None:
    site = BoundSite(mode)
    browser = site.sign_in(cart=1)
    for place, elsewhere in (("home", False), ("train", True), ("", False), ("home", False), ("train", True)):
        site.place = place
        session = site.open(browser.header)
        assert (session.user_id, session["cart"], session.elsewhere) == ("ada", 1, elsewhere)
        assert [kind for kind, _ in site.told()] == ["elsewhere"] * elsewhere
        session["cart"] = 1
        assert session.elsewhere is elsewhere


@in_every_mode
def test_it_is_bound_to_where_its_user_signed_in_last(mode: str) -> None:
    site = BoundSite(mode)
    browser = site.sign_in()
    site.place = "train"
    browser.visit(lambda session: session.regenerate())
    assert site.open(browser.header).elsewhere
    browser.visit(login())
    assert not site.open(browser.header).elsewhere
    site.place = "home"
    assert site.open(browser.header).elsewhere


@in_every_mode
def test_guests_and_those_who_signed_in_nowhere_in_particular_are_nowhere_else(mode: str) -> None:
    site = BoundSite(mode)
    guest = Browser(site)
    guest.visit(lambda session: session.update(cart=1))
    site.place = ""
    unbound = site.sign_in()
    site.place = "train"
    for browser in (Browser(site), guest, unbound):
        assert not site.open(browser.header).elsewhere
    assert site.told() == []


@in_every_mode
def test_who_has_signed_out_is_nowhere_else(mode: str) -> None:
    site = BoundSite(mode)
    browser = site.sign_in()
    site.place = "train"
    session = site.open(browser.header)
    session.logout()
    assert not session.elsewhere


@given(st.text())
def test_whatever_a_client_is_called_is_eight_bytes(text: str) -> None:
    assert len(hash_client(text)) == 8


def test_two_clients_are_two() -> None:
    assert hash_client("192.0.2.1") == hash_client("192.0.2.1") != hash_client("192.0.2.2")


# What a browser is to forget


@in_every_mode
@pytest.mark.parametrize("clears", [True, False])
@pytest.mark.parametrize("keep", [(), ("theme",)])
def test_a_logout_has_the_browser_clear_what_it_has_only_where_it_says_so(
    mode: str, clears: bool, keep: tuple[str, ...]
) -> None:
    site = SignInSite(mode)
    browser = site.sign_in(theme="dark")
    session = site.open(browser.header)
    session.logout(keep=keep, clear_site_data=clears)
    decision = site.commit(session)
    assert (decision.clears, decision.vary, len(decision.cookies)) == (clears, True, 1)
    assert not site.commit(site.open()).clears


@in_every_mode
def test_a_guest_who_signs_out_may_clear_the_browser_too(mode: str) -> None:
    """The session may be over already when somebody says so."""
    site = SignInSite(mode)
    session = site.open()
    session.logout(clear_site_data=True)
    assert site.commit(session) == Decision(True, clears=True)


# Forms that other sites send


@pytest.fixture
def session() -> Session:
    return Site().open()


def test_each_token_of_a_session_is_good_for_it_and_no_two_are_alike(session: Session) -> None:
    tokens = [session.csrf_token() for _ in range(50)]
    assert len(set(tokens)) == 50
    assert len({len(token) for token in tokens}) == 1
    assert len({token[:8] for token in tokens}) == 50
    for token in tokens:
        session.check_csrf(token)
    assert session["_csrf"] not in "".join(tokens)


@given(st.text(max_size=100) | st.binary(min_size=64, max_size=64).map(encode) | st.binary(max_size=130).map(encode))
def test_what_another_site_makes_up_is_refused(made_up: str) -> None:
    site_session = Site().open()
    for _ in range(2):
        with pytest.raises(CsrfError):
            site_session.check_csrf(made_up)
        site_session.csrf_token()


@pytest.mark.parametrize(
    "given_token", [None, "", 5, b"bytes", [], True, "a", "A" * 86, "A" * 85 + "B", "=" * 86, "\x00" * 86, "A" * 10**6]
)
def test_what_is_no_token_is_refused_of_whatever_type(session: Session, given_token: Any) -> None:
    token = session.csrf_token()
    for value in (given_token, f"{token}=", f" {token}", f"{token}A", token[:-1], token[1:], token.swapcase()):
        with pytest.raises(CsrfError):
            session.check_csrf(value)
    session.check_csrf(token)


@given(st.integers(0, 63), st.integers(1, 255))
def test_a_token_with_one_byte_changed_is_refused(place: int, change: int) -> None:
    site_session = Site().open()
    raw = bytearray(decode(site_session.csrf_token()))
    raw[place] ^= change
    with pytest.raises(CsrfError):
        site_session.check_csrf(encode(bytes(raw)))


@in_every_mode
def test_a_token_lasts_as_long_as_its_session_and_until_somebody_signs_in_or_out(mode: str) -> None:
    site = SignInSite(mode)
    browser = Browser(site)
    tokens: list[str] = []

    def note(session: Session) -> None:
        tokens.append(session.csrf_token())

    def refused(session: Session) -> None:
        for token in tokens:
            with pytest.raises(CsrfError):
                session.check_csrf(token)

    browser.visit(note)
    site.clock.advance(86400)
    browser.visit(lambda session: (session.check_csrf(tokens[0]), session.regenerate()))
    browser.visit(lambda session: session.check_csrf(tokens[0]))
    browser.visit(lambda session: (session.login("ada"), refused(session), note(session)))
    browser.visit(lambda session: session.check_csrf(tokens[1]))
    browser.visit(lambda session: (session.login("ada"), refused(session)))
    browser.visit(note)
    browser.visit(lambda session: (session.logout(keep=["_csrf"]), refused(session), note(session)))
    browser.visit(lambda session: session.check_csrf(tokens[3]))


def test_a_token_of_one_session_is_refused_in_another() -> None:
    one, other = Site().open(), Site().open()
    token = one.csrf_token()
    other.csrf_token()
    with pytest.raises(CsrfError):
        other.check_csrf(token)


def test_checking_begins_no_session() -> None:
    site = Site()
    session = site.open()
    with pytest.raises(CsrfError):
        session.check_csrf("A" * 86)
    assert site.commit(session).cookies == ()


@pytest.mark.parametrize("spoilt", [None, 5, "", "short", "A" * 44, ["A" * 43], b"A" * 43])
def test_a_secret_that_the_application_has_spoilt_is_made_anew(session: Session, spoilt: Any) -> None:
    token = session.csrf_token()
    session["_csrf"] = spoilt
    with pytest.raises(CsrfError):
        session.check_csrf(token)
    session.check_csrf(session.csrf_token())
