"""NIST SP 800-63B-4 on sessions, and RFC 6265bis on cookies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from conformance.rows import NOT_REMEMBERED, row
from conformance.site import FlaskSite, Visitor, login, logout

from coatcheck import Settings, UsageError

Make = Callable[..., FlaskSite]
HOUR = 3600


def use(current: Any) -> Any:
    """Changes something, so that the session is kept anew."""
    current["count"] = current.get("count", 0) + 1
    return current.user_id


@row("NIST 2.1.3, 2.2.3, 2.3.3", "Time-outs of the levels of assurance", "enforces")
def test_each_preset_at_its_limits(make: Make) -> None:
    for preset, idle, absolute in (("aal1", None, 720 * HOUR), ("aal2", HOUR, 24 * HOUR), ("aal3", 900, 12 * HOUR)):
        if idle is not None:
            for seconds, user in ((idle - 1, "ann"), (idle, "ann"), (idle + 1, None)):
                site = make(preset=preset)
                visitor = Visitor(site)
                visitor.do(login("ann"))
                site.clock.advance(seconds)
                assert visitor.user == user, (preset, seconds)
        site = make(preset=preset)
        visitor = Visitor(site)
        visitor.do(login("ann"))
        begin = site.clock()
        while site.clock() + 800 < begin + absolute:
            site.clock.advance(800 if idle else absolute // 4)
            if site.clock() > begin + absolute:
                site.clock.now = begin + absolute
            assert visitor.do(use) == "ann", preset
        site.clock.now = begin + absolute
        assert visitor.user == "ann"
        site.clock.advance(1)
        assert visitor.user is None, preset


@row("NIST 5.1: secrets", "The secret of a session is made by the host, when somebody signs in", "fulfils")
def test_the_secret_is_new_at_the_login(make: Make) -> None:
    visitor = Visitor(make())
    visitor.do(lambda current: current.update(cart="full"))
    before = visitor.cookie
    visitor.do(login("ann"))
    assert visitor.cookie != before


@row("NIST 5.1: erased", "It is erased at logout", "fulfils", {"cookie": NOT_REMEMBERED})
def test_nothing_is_left_after_logout(make: Make, able: bool) -> None:
    site = make()
    visitor = Visitor(site)
    visitor.do(login("ann"))
    copied = visitor.copy()
    visitor.do(logout)
    assert visitor.cookie == ""
    assert (copied.user is None) is able


@row("NIST 5.1: persistence", "It does not outlive the browser", "enforces")
def test_no_max_age_unless_it_is_permanent(make: Make) -> None:
    visitor = Visitor(make())
    visitor.do(login("ann"))
    assert "Max-Age" not in visitor.set[0]


@row("NIST 5.1.1: cookies", "Secure, HttpOnly, least host and path, and no clear text", "fulfils")
def test_the_attributes_of_the_cookie(make: Make) -> None:
    visitor = Visitor(make())
    visitor.do(login("ann-the-user"))
    line = visitor.set[0]
    assert all(f"; {attribute}" in line for attribute in ("Secure", "HttpOnly", "Path=/"))
    assert "Domain" not in line and "ann" not in line


@row("NIST 5.1.1: expiry", "The browser's expiry is not what ends a session", "fulfils")
def test_a_browser_that_forgets_to_forget_gets_nothing(make: Make) -> None:
    site = make(permanent=True, permanent_lifetime=HOUR)
    visitor = Visitor(site)
    visitor.do(login("ann"))
    assert "Max-Age=3600" in visitor.set[0]
    site.clock.advance(HOUR + 1)
    assert visitor.user is None


@row(
    "NIST 5.2: reauthentication", "Only a login extends the absolute lifetime, not the secret of the session", "fulfils"
)
def test_a_new_id_extends_nothing_and_a_login_does(make: Make) -> None:
    site = make(absolute_lifetime=HOUR)
    visitor = Visitor(site)
    visitor.do(login("ann"))
    site.clock.advance(HOUR // 2)
    visitor.do(lambda current: current.regenerate())
    site.clock.advance(HOUR // 2 + 1)
    assert visitor.user is None
    visitor.do(login("ann"))
    site.clock.advance(HOUR // 2)
    visitor.do(login("ann"))
    site.clock.advance(HOUR // 2 + 1)
    assert visitor.user == "ann"


@row("RFC 6265bis 4.1.1", "One `Set-Cookie` of a name in a response", "fulfils")
def test_one_cookie_is_sent_whatever_is_done(make: Make) -> None:
    visitor = Visitor(make())
    visitor.do(lambda current: (current.login("ann"), current.regenerate(), current.update(a=1), None)[-1])
    assert len(visitor.set) == 1
    visitor.do(lambda current: (current.logout(), current.update(message="bye"), None)[-1])
    assert len(visitor.set) == 1


@row("RFC 6265bis 5.5", "No cookie is told to live longer than 400 days", "enforces")
def test_longer_than_400_days_is_refused(mode: str) -> None:
    assert Settings(permanent_lifetime=timedelta(days=400)).unseen_seconds == 34_560_000
    with pytest.raises(UsageError):
        Settings(permanent_lifetime=timedelta(days=400, seconds=1))
