"""R for those who sign in, with what went wrong elsewhere: in every mode that has somewhere to remember."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from conformance.site import MODES, FlaskSite, Visitor, login, logout
from kit import OTHER_SECRET

from coatcheck import ReauthenticationRequired
from coatcheck.core.events import Kind, Reason
from coatcheck.core.opaque import write_token
from coatcheck.core.text import encode

Make = Callable[..., FlaskSite]
REMEMBERING = [mode for mode in MODES if mode != "cookie"]


@pytest.fixture(params=REMEMBERING)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(mode: str) -> Make:
    def start(**options: Any) -> FlaskSite:
        return FlaskSite(mode, **options)

    return start


def put(**items: Any) -> Callable[[Any], None]:
    return lambda current: current.update(items)


def begun(site: FlaskSite, user: str = "ann") -> Visitor:
    visitor = Visitor(site)
    visitor.do(login(user))
    return visitor


def test_r1_an_id_that_was_planted_is_not_what_the_victim_signs_in_under(make: Make) -> None:
    site = make()
    planted = f"session={write_token(os.urandom(32))}"
    victim = Visitor(site, planted)
    victim.do(login("ann"))
    assert victim.cookie != planted
    assert (Visitor(site, planted).user, victim.user) == (None, "ann")


def test_r2_a_known_session_of_a_guest_is_dead_at_once_when_the_victim_signs_in(make: Make) -> None:
    """Without a grace: whoever planted it knows it."""
    site = make()
    attacker = Visitor(site)
    attacker.do(put(cart=["planted"]))
    victim = attacker.copy()
    victim.do(login("ann"))
    assert attacker.do(dict) == {}
    attacker.do(put(evil=1))
    assert victim.do(dict) == {"cart": ["planted"]}


def test_r3_a_copy_is_worthless_after_logout_however_often_it_is_tried(make: Make) -> None:
    site = make()
    visitor = begun(site)
    copy = visitor.copy()
    visitor.do(logout)
    for seconds in (0, 1, 60, 3600, 86400):
        site.clock.advance(seconds)
        assert copy.user is None
        copy.do(put(evil=1))
        assert copy.user is None
        copy = Visitor(site, copy.cookie)


def test_r3_it_is_told_that_a_copy_came(make: Make, mode: str) -> None:
    site = make()
    visitor = begun(site)
    copy = visitor.copy()
    visitor.do(logout)
    site.events.clear()
    assert copy.user is None
    reason = Reason.ENDED if mode == "cookie with list" else Reason.UNKNOWN_ID
    assert [(event.kind, event.reason) for event in site.events] == [(Kind.REJECTED, reason)]


def test_r4_after_a_change_of_password_only_the_one_who_changed_it_is_signed_in(make: Make) -> None:
    """As Airflow, listmonk and others did not: CVE-2023-40273, CVE-2026-34828."""
    site = make()
    owner, thief, phone = begun(site), begun(site), begun(site)
    copied = owner.copy()

    def change(current: Any) -> None:
        site.calls.revoke_user("ann", keep=current)
        current.login("ann")

    owner.do(change)
    assert [each.user for each in (owner, thief, phone, copied)] == ["ann", None, None, None]


def test_r5_what_was_ended_stays_so_and_others_live(make: Make) -> None:
    site = make()
    ann, eve, guest = begun(site), begun(site, "eve"), Visitor(site)
    guest.do(put(cart=1))
    site.revoke_user("ann")
    assert (ann.user, eve.user, guest.do(dict)) == (None, "eve", {"cart": 1})
    site.revoke_everyone()
    assert (eve.user, guest.do(dict)) == (None, {})
    again = begun(site)
    assert (again.user, ann.user) == ("ann", None)


@pytest.mark.parametrize("options", [{"audience": "forum"}, {"cookie_name": "other"}, {"secret_key": OTHER_SECRET}])
def test_r6_r8_a_cookie_of_another_application_signs_nobody_in(make: Make, options: dict[str, str]) -> None:
    """Airflow, CVE-2020-17526: the cookie of one site was good at all others."""
    here, there = make(), make(**options)
    value = begun(here).cookie.partition("=")[2]
    for name in ("session", "other"):
        assert Visitor(there, f"{name}={value}").user is None


@pytest.mark.parametrize("thief_first", [True, False])
def test_r10_r14_an_id_that_was_replaced_and_comes_again_ends_the_session_for_both(
    make: Make, thief_first: bool
) -> None:
    """Gitea, CVE-2026-56750: there the thief's stayed. Whether the thief or the owner is late says nothing."""
    site = make(rotate_every=600)
    visitor = begun(site)
    thief = visitor.copy()
    site.clock.advance(601)
    first, second = (thief, visitor) if thief_first else (visitor, thief)
    assert first.user == "ann"
    site.clock.advance(11)
    other = begun(site)
    assert second.user is None
    assert first.user is None
    assert other.user == "ann"
    assert Kind.REUSED in {event.kind for event in site.events}


def test_r11_another_network_or_browser_is_told_and_ends_nothing(make: Make) -> None:
    site = make(bind=lambda _, agent: agent)
    visitor = begun(site)
    thief = visitor.copy()
    site.events.clear()
    assert (visitor.user, site.events) == ("ann", [])
    assert thief.user == "ann"
    assert [event.kind for event in site.events] == [Kind.ELSEWHERE]
    assert len(site.sessions_of("ann")) == 1


def test_r11_who_writes_nonsense_into_a_header_fails_no_request(make: Make) -> None:
    """Visitors write the user agent, and what an application makes of it may not expect that."""
    site = make(bind=lambda _, agent: str(int(agent)))
    visitor = Visitor(site, agent="7")
    visitor.do(login("ann"))
    for agent in ("x", "9" * 5000, "", "\xff", "7\t"):
        other = Visitor(site, visitor.cookie, agent)
        assert (other.user, other.status) == ("ann", 200)


def test_r13_nothing_of_one_user_goes_on_with_another(make: Make) -> None:
    """Django, CVE-2014-0482. What the application names stays."""
    site = make()
    visitor = begun(site)
    copied = visitor.copy()
    visitor.do(put(card="4111", theme="dark"))
    visitor.do(lambda current: current.login("bob", keep=["theme"]))
    assert visitor.do(lambda current: (current.user_id, dict(current))) == ("bob", {"theme": "dark"})
    assert (copied.user, site.sessions_of("ann")) == (None, [])


def test_r13_one_user_in_two_spellings_is_one(make: Make) -> None:
    site = make()
    visitor = Visitor(site)
    visitor.do(lambda current: current.login(7))
    visitor.do(put(cart=1))
    visitor.do(login("7"))
    assert visitor.do(dict) == {"cart": 1}
    assert (len(site.sessions_of("7")), site.revoke_user("7"), visitor.user) == (1, 1, None)


def test_a_handle_of_another_user_ends_nothing(make: Make) -> None:
    """Mattermost, GO-2025-4191: there a session ended by its id, whoever asked."""
    site = make()
    ann, eve = begun(site), begun(site, "eve")
    (info,) = site.sessions_of("ann")
    assert not site.revoke(info.handle, "eve")
    for wrong in ("", info.handle.upper(), info.handle[:-1], info.handle + "0", "*", "x" * 10_000, "\0", "ä"):
        assert not site.revoke(wrong, "ann")
    assert (ann.user, eve.user) == ("ann", "eve")


def test_a_page_that_was_loaded_before_still_names_a_session_with_a_new_id(make: Make) -> None:
    """A thief who gets new ids all the time would be ahead of every page."""
    site = make()
    thief = begun(site)
    (info,) = site.sessions_of("ann")
    thief.do(lambda current: current.regenerate())
    assert site.sessions_of("ann")[0].handle == info.handle
    assert site.revoke(info.handle, "ann")
    assert thief.user is None
    again = begun(site)
    assert site.revoke(again.do(lambda current: current.handle), "ann")
    assert again.user is None


def test_what_a_page_shows_of_a_session_is_no_cookie(make: Make) -> None:
    """django-user-sessions, CVE-2020-5224: there the page had the key itself."""
    site = make()
    visitor = begun(site)
    (info,) = site.sessions_of("ann")
    value = visitor.cookie.partition("=")[2]
    assert value not in repr(info)
    raw = bytes.fromhex(info.handle)
    for guess in (info.handle, encode(raw), write_token(raw.ljust(32, b"\0"))):
        assert Visitor(site, f"session={guess}").user is None
    assert visitor.user == "ann"


@pytest.mark.parametrize("late", [lambda current: current.user_id, put(late=1), lambda current: current.regenerate()])
@pytest.mark.parametrize("end", ["logout", "revoke", "revoke_user", "revoke_everyone"])
def test_w1_w2_w3_w9_what_is_under_way_brings_nobody_back(make: Make, late: Callable[[Any], Any], end: str) -> None:
    """Rack, CVE-2025-32441; nextjs-auth0 and vertx-web, where a refresh that was late set the cookie anew."""
    site = make(rotate_every=600, refresh_each_request=True, permanent=True)
    visitor = begun(site)
    site.clock.advance(601)
    slow, copied = visitor.copy(), visitor.copy()

    def work(current: Any) -> None:
        assert current.user_id == "ann"
        job = site.job
        if end == "logout":
            visitor.do(logout)
        elif end == "revoke":
            assert site.revoke(site.sessions_of("ann")[0].handle, "ann")
        elif end == "revoke_user":
            site.revoke_user("ann")
        else:
            site.revoke_everyone()
        site.job = job
        late(current)

    slow.do(work)
    for cookie in (slow.cookie, copied.cookie, visitor.cookie):
        assert Visitor(site, cookie).user is None
    assert site.sessions_of("ann") == []


def test_w5_a_replaced_id_is_good_for_ten_seconds_and_changes_nothing(make: Make) -> None:
    site = make()
    visitor = begun(site)
    old = visitor.copy()
    visitor.do(lambda current: current.regenerate())
    site.clock.advance(10)
    assert Visitor(site, old.cookie).user == "ann"
    Visitor(site, old.cookie).do(put(evil=1))
    assert visitor.do(dict) == {}
    site.clock.advance(1)
    assert Visitor(site, old.cookie).user is None


def test_w5_after_a_login_there_is_no_grace(make: Make) -> None:
    site = make()
    visitor = begun(site)
    old = visitor.copy()
    visitor.do(login("ann"))
    assert (old.user, visitor.user) == (None, "ann")


@pytest.mark.parametrize("seconds", [0, 1])
def test_t3_t4_t6_limits_hold_to_the_second_whatever_the_browser_keeps(make: Make, seconds: int) -> None:
    """A visitor here keeps its cookies for ever, and uses them up to the last second."""
    site = make(idle=900, absolute_lifetime=3600)
    visitor = begun(site)
    for _ in range(4):
        site.clock.advance(900)
        assert visitor.do(lambda current: (current.update(at=site.clock()), current.user_id)[1]) == "ann"
    site.clock.advance(seconds)
    assert visitor.user == (None if seconds else "ann")


def test_t_a_fresh_login_is_asked_for_whatever_was_done_since(make: Make) -> None:
    def fresh(current: Any) -> bool:
        try:
            current.require_fresh(timedelta(minutes=5))
        except ReauthenticationRequired:
            return False
        return True

    site = make(rotate_every=60)
    visitor = begun(site)
    site.clock.advance(61)
    visitor.do(lambda current: (current.regenerate(), current.update(n=1))[0])
    assert visitor.do(fresh)
    site.clock.advance(240)
    assert not visitor.do(fresh)
