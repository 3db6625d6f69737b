"""OWASP ASVS 5.0, chapter 7: session management."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conformance.rows import NO_LIST, NOT_REMEMBERED, row
from conformance.site import Site, Visitor, login, logout, nothing

from coatcheck import ReauthenticationRequired, Settings, UsageError
from coatcheck.core.events import Kind, Reason

Make = Callable[..., Site]
ALONE = {"cookie": NOT_REMEMBERED}
FEDERATED = Path(__file__).parents[2] / "docs" / "single-sign-on.md"
UNLISTED = {"cookie": NO_LIST}


@row("ASVS 7.1.1", "Time-outs are stated, and deviations from NIST argued", "helps")
def test_a_preset_says_what_nist_does_and_a_setting_wins(mode: str) -> None:
    settings = Settings(preset="aal2", idle=timedelta(minutes=10))
    assert (settings.absolute_lifetime, settings.idle) == (timedelta(hours=24), timedelta(minutes=10))
    assert settings.unseen_seconds == 600


@row("ASVS 7.1.2", "How many sessions a user may have at once", "enforces", UNLISTED)
def test_one_login_too_many_ends_the_oldest_session_or_is_refused(on_both: Make, able: bool) -> None:
    if not able:
        with pytest.raises(UsageError, match="max_sessions_per_user"):
            on_both(max_sessions_per_user=2).send("/", {})
        return
    site = on_both(max_sessions_per_user=2)
    visitors = [Visitor(site) for _ in range(3)]
    for visitor in visitors:
        visitor.do(login("ann"))
        site.clock.advance(1)
    assert [visitor.user for visitor in visitors] == [None, "ann", "ann"]
    site = on_both(max_sessions_per_user=1, over_limit="refuse")
    first, second = Visitor(site), Visitor(site)
    first.do(login("ann"))
    second.do(login("ann"))
    assert (second.status, second.set, first.user, second.user) == (403, [], "ann", None)


@row("ASVS 7.1.3", "How federated systems are tied together is documented", "helps", UNLISTED)
def test_a_provider_s_logout_ends_the_session_that_its_sign_in_began(on_both: Make, able: bool) -> None:
    """The page is the document, and tests/docs runs it against a provider. This is what it rests on, in each mode."""

    def sign_in(current: Any) -> Any:
        current.login("ann")
        return current.handle

    told = FEDERATED.read_text().partition("\n## How it hangs together\n")[2]
    for call in ("session.login(sub)", "session.logout()", "revoke(handle, user_id=sub)", "revoke_user(sub)"):
        assert f"`{call}`" in told
    site = on_both()
    here, there, third, other = (Visitor(site, agent=agent) for agent in ("PC/1", "Phone/1", "TV/1", "PC/1"))
    here.do(lambda current: current.update(cart="full"))
    handle = here.do(sign_in)
    for visitor, user in ((there, "ann"), (third, "ann"), (other, "bob")):
        visitor.do(login(user))
    if not able:
        with pytest.raises(UsageError, match="revocations="):
            site.revoke(handle, "ann")
        with pytest.raises(UsageError, match="revocations="):
            site.revoke_user("ann")
        return
    assert here.do(dict) == {"cart": "full"}
    assert not site.revoke(handle, "bob")
    assert site.revoke(handle, "ann")
    assert [visitor.user for visitor in (here, there, third, other)] == [None, "ann", "ann", "bob"]
    # The handle of the list names a session through all its ids.
    (lasting,) = (info.handle for info in site.sessions_of("ann") if info.user_agent == "Phone/1")
    there.do(lambda current: current.regenerate())
    assert site.revoke(lasting, "ann")
    assert [visitor.user for visitor in (there, third)] == [None, "ann"]
    assert site.revoke_user("ann") == 1
    assert [visitor.user for visitor in (third, other)] == [None, "bob"]


@row("ASVS 7.2.1", "A trusted backend checks the token", "fulfils")
def test_a_changed_token_is_nobodys(on_both: Make) -> None:
    site = on_both()
    visitor = Visitor(site)
    visitor.do(login("ann"))
    for place in range(len("session=") + 2, len(visitor.cookie), 7):
        changed = "A" if visitor.cookie[place] != "A" else "B"
        forged = visitor.cookie[:place] + changed + visitor.cookie[place + 1 :]
        assert Visitor(site, forged).user is None
    assert visitor.user == "ann"


@row("ASVS 7.2.2", "Tokens are made for a session, and no constants", "fulfils")
def test_each_login_has_another_token(on_both: Make) -> None:
    site = on_both()
    visitors = [Visitor(site) for _ in range(5)]
    for visitor in visitors:
        visitor.do(login("ann"))
    assert len({visitor.cookie for visitor in visitors}) == 5


@row("ASVS 7.2.3", "Reference tokens are unique, random, and of 128 bits or more", "fulfils")
def test_ids_come_from_the_operating_system(on_both: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a user-space generator was asked")

    site = on_both()
    for name in ("random", "randbytes", "getrandbits"):
        monkeypatch.setattr(random, name, refuse)
    handles = set()
    for _ in range(200):
        visitor = Visitor(site)
        visitor.do(login("ann"))
        handles.add(visitor.do(lambda current: current.handle))
    assert len(handles) == 200
    assert {len(handle) >= 32 for handle in handles} == {True}


@row("ASVS 7.2.4", "A new token at each authentication, and the old one ended", "enforces", ALONE)
def test_a_login_gives_a_new_id_and_the_old_one_is_dead(on_both: Make, able: bool) -> None:
    site = on_both()
    visitor = Visitor(site)
    visitor.do(lambda current: current.update(cart="full"))
    planted = visitor.copy()
    visitor.do(login("ann"))
    again = visitor.copy()
    assert (visitor.do(dict), planted.user) == ({"cart": "full"}, None)
    assert planted.do(dict) == ({} if able else {"cart": "full"})
    visitor.do(login("ann"))
    assert visitor.user == "ann"
    assert again.user == (None if able else "ann")


@row("ASVS 7.3.1", "A time-out for inactivity", "enforces")
def test_an_idle_session_ends_on_the_server_s_clock(on_both: Make) -> None:
    for seconds, user in ((899, "ann"), (900, "ann"), (901, None)):
        site = on_both(idle=900)
        visitor = Visitor(site)
        visitor.do(login("ann"))
        site.clock.advance(seconds)
        assert visitor.user == user


@row("ASVS 7.3.2", "An absolute lifetime, which nothing extends", "enforces")
def test_constant_use_does_not_extend_the_absolute_lifetime(on_both: Make) -> None:
    site = on_both(absolute_lifetime=3600)
    visitor = Visitor(site)
    visitor.do(login("ann"))

    def use(current: Any) -> Any:
        current["count"] = current.get("count", 0) + 1
        return current.user_id

    for _ in range(60):
        site.clock.advance(60)
        assert visitor.do(use) == "ann"
    site.clock.advance(1)
    assert visitor.user is None


@row("ASVS 7.4.1", "After logout or expiry the session is unusable", "fulfils", ALONE)
def test_a_copy_is_worthless_after_logout_and_after_expiry(on_both: Make, able: bool) -> None:
    site = on_both(idle=900)
    visitor = Visitor(site)
    visitor.do(login("ann"))
    copied = visitor.copy()
    visitor.do(logout)
    assert visitor.user is None
    assert copied.user == (None if able else "ann")
    assert [event.reason for event in site.events if event.kind is Kind.SIGNED_OUT] == [
        None if able else Reason.UNREVOKED
    ]
    visitor.do(login("ann"))
    copied = visitor.copy()
    site.clock.advance(901)
    assert copied.user is None


@row("ASVS 7.4.2", "All sessions end when an account is disabled", "enforces", UNLISTED)
def test_all_sessions_of_a_user_end(on_both: Make, able: bool) -> None:
    site = on_both()
    visitors = [Visitor(site) for _ in range(3)]
    other = Visitor(site)
    for visitor in visitors:
        visitor.do(login("ann"))
    other.do(login("bob"))
    if not able:
        with pytest.raises(UsageError, match="revocations="):
            site.revoke_user("ann")
        return
    assert site.revoke_user("ann") == 3
    assert [visitor.user for visitor in visitors] == [None] * 3
    assert other.user == "bob"
    visitors[0].do(login("ann"))
    assert visitors[0].user == "ann"


@row("ASVS 7.4.3", "All others can be ended when a factor has changed", "enforces", UNLISTED)
def test_the_others_end_and_this_one_goes_on(make: Callable[..., Any], able: bool) -> None:
    site = make()
    here, there = Visitor(site), Visitor(site)
    here.do(login("ann"))
    there.do(login("ann"))
    if not able:
        with pytest.raises(UsageError):
            site.revoke_user("ann")
        return
    here.do(lambda current: site.calls.revoke_user("ann", keep=current))
    assert (here.user, there.user) == ("ann", None)


@row("ASVS 7.4.5", "Administrators can end the sessions of one user, or of all", "enforces", UNLISTED)
def test_an_administrator_ends_one_session_or_everyone_s(on_both: Make, able: bool) -> None:
    site = on_both()
    ann, bob, guest = Visitor(site), Visitor(site), Visitor(site)
    ann.do(login("ann"))
    bob.do(login("bob"))
    guest.do(lambda current: current.update(cart="full"))
    if not able:
        with pytest.raises(UsageError):
            site.revoke_everyone()
        return
    (info,) = site.sessions_of("ann")
    assert site.revoke(info.handle, "ann")
    assert (ann.user, bob.user) == (None, "bob")
    site.revoke_everyone()
    assert (bob.user, guest.do(dict)) == (None, {})
    bob.do(login("bob"))
    assert bob.user == "bob"


@row("ASVS 7.5.1, 7.5.3", "Authentication anew before what is sensitive", "helps")
def test_what_is_sensitive_asks_for_a_login_that_is_fresh(on_both: Make) -> None:
    def guarded(current: Any) -> bool:
        try:
            current.require_fresh(timedelta(minutes=5))
        except ReauthenticationRequired:
            return False
        return True

    site = on_both()
    visitor = Visitor(site)
    assert not visitor.do(guarded)
    visitor.do(login("ann"))
    site.clock.advance(300)
    assert visitor.do(guarded)
    site.clock.advance(1)
    assert not visitor.do(guarded)
    visitor.do(login("ann"))
    assert visitor.do(guarded)


@row("ASVS 7.5.2", "Users see their sessions and end them", "enforces", UNLISTED)
def test_a_user_lists_and_ends_sessions_by_handles_that_are_no_cookies(on_both: Make, able: bool) -> None:
    site = on_both()
    here, there, stranger = Visitor(site), Visitor(site, agent="Phone/1"), Visitor(site)
    for visitor, user in ((here, "ann"), (there, "ann"), (stranger, "bob")):
        visitor.do(login(user))
    if not able:
        with pytest.raises(UsageError):
            site.sessions_of("ann")
        return
    infos = site.sessions_of("ann")
    assert {info.user_agent for info in infos} == {"Browser/1", "Phone/1"}
    (phone,) = (info for info in infos if info.user_agent == "Phone/1")
    assert Visitor(site, f"session={phone.handle}").user is None
    assert not site.revoke(phone.handle, "bob")
    assert there.user == "ann"
    assert site.revoke(phone.handle, "ann")
    assert (here.user, there.user, stranger.user) == ("ann", None, "bob")


@row("ASVS 7.6.1", "Lifetimes are those that the identity provider was told", "helps")
def test_a_session_lasts_no_longer_than_was_agreed(on_both: Make) -> None:
    site = on_both(absolute_lifetime=timedelta(hours=1), permanent_lifetime=timedelta(days=31))
    visitor = Visitor(site)
    visitor.do(login("ann"))
    site.clock.advance(3601)
    assert visitor.user is None


@row("ASVS 7.6.2", "No session without something that the user does", "fulfils")
def test_a_request_that_only_looks_begins_no_session(make: Callable[..., Any]) -> None:
    site = make()
    visitor = Visitor(site)
    for job in (nothing, dict, lambda current: current.user_id):
        visitor.do(job)
        assert visitor.set == []
    assert site.stored == 0
