"""What a program gets that signs in, or asks for sessions, in a wrong way: an error that says what is right."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from kit import Browser, ServerSite, Site

from coatcheck import Session, Settings, UsageError
from coatcheck.drive import run
from coatcheck.sessions import Sessions


@pytest.mark.parametrize("user_id", [None, "", True, False, b"7", 7.0, [7], object(), "x" * 257, "\ud800"])
def test_nobody_is_signed_in_as_what_is_no_user_id(user_id: Any) -> None:
    browser = Browser(Site())

    def view(session: Session) -> None:
        session["cart"] = 3
        with pytest.raises(UsageError, match="a user id "):
            session.login(user_id)
        assert session.user_id is None

    browser.visit(view)
    assert browser.read() == {"cart": 3}


@pytest.mark.parametrize("verb", ["login", "logout"])
def test_keys_that_stay_are_not_taken_letter_by_letter(verb: str) -> None:
    browser = Browser(Site())
    browser.visit(lambda session: (session.login(7), session.update(theme="dark")))

    def view(session: Session) -> None:
        with pytest.raises(UsageError, match=r"keep= takes several keys, such as \['theme'\]"):
            session.login(8, keep="theme") if verb == "login" else session.logout(keep="theme")
        assert (session.user_id, dict(session)) == (7, {"theme": "dark"})

    browser.visit(view)


@pytest.mark.parametrize("age", [600, timedelta(seconds=-1), None, "10 minutes"])
def test_how_fresh_a_sign_in_must_be_is_a_timedelta(age: Any) -> None:
    session = Site().open()
    with pytest.raises(UsageError, match="require_fresh takes a timedelta"):
        session.require_fresh(age)


@pytest.mark.parametrize("keep", ["theme", True, 7])
def test_only_a_session_can_be_kept(keep: Any) -> None:
    site = ServerSite(revocations=None)
    accounts = Sessions({"secret_key": "b1946ac92492d2347c6235b4d2611184", "store": site.memory})
    with pytest.raises(UsageError, match="that is no session, but "):
        accounts.revoke_user(7, keep=keep)
    with pytest.raises(UsageError, match="that is no session, but "):
        accounts.sessions_of(7, current=keep)


def test_the_session_of_another_user_is_not_kept() -> None:
    site = Site()
    session = site.open()
    session.login(8)
    accounts = Sessions({"secret_key": "b1946ac92492d2347c6235b4d2611184", "store": "memory:"})
    for kept in (session, site.open()):
        with pytest.raises(UsageError, match="keep= takes a session that this user is signed in with"):
            accounts.revoke_user(7, keep=kept)


def test_without_a_place_to_remember_the_calls_say_what_is_missing() -> None:
    accounts = Site().engine.accounts
    with pytest.raises(UsageError, match="keep them in a store, or give revocations= a URL"):
        run(accounts.revoke_everyone(0), ())


def test_a_delay_may_be_a_timedelta() -> None:
    assert Settings(revocation_delay=timedelta(milliseconds=500)).revocation_delay == 0.5  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="revocation_delay must be from 0 to 3600 seconds"):
        Settings(revocation_delay=timedelta(days=1))  # type: ignore[arg-type]
