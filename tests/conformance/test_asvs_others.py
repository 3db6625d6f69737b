"""OWASP ASVS 5.0, the rows of other chapters that a session library has a part in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conformance.rows import row
from conformance.site import SECRET, FlaskSite, Visitor, login, logout, refused

from coatcheck import Keyring, Reason, SessionTooLarge, Settings, UsageError
from coatcheck.core.text import decode

Make = Callable[..., FlaskSite]
OTHER = "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0"


@row("ASVS 3.3.1", "`Secure`, and the prefixes' rules", "enforces")
def test_a_cookie_by_https_is_secure_and_prefixes_are_held_to_their_rules(make: Make) -> None:
    site = make(cookie_name="__Host-id", cookie_secure=True)
    visitor = Visitor(site)
    visitor.do(login("ann"))
    (line,) = visitor.set
    assert line.startswith("__Host-id=") and "; Secure" in line
    with pytest.raises(UsageError):
        Settings(cookie_name="__Host-id")


@row("ASVS 3.3.2", "`SameSite` by purpose", "enforces")
def test_samesite_is_lax_and_none_needs_secure(make: Make) -> None:
    visitor = Visitor(make())
    visitor.do(login("ann"))
    assert "SameSite=Lax" in visitor.set[0]
    with pytest.raises(UsageError):
        Settings(cookie_samesite="None")


@row("ASVS 3.3.3", "`__Host-` unless the cookie is shared on purpose", "enforces")
def test_a_host_cookie_has_no_domain(mode: str) -> None:
    for name in ("__Host-id", "__HOST-id"):
        with pytest.raises(UsageError):
            Settings(cookie_name=name, cookie_secure=True, cookie_domain="site.example")


@row("ASVS 3.3.4", "`HttpOnly`, and the value nowhere but in `Set-Cookie`", "enforces")
def test_the_value_is_in_no_repr_and_no_log(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    site = make()
    visitor = Visitor(site)
    shown = visitor.do(lambda current: (current.login("ann"), repr(current), repr(dict(current)))[1:])
    value = visitor.cookie.partition("=")[2]
    assert "HttpOnly" in visitor.set[0]
    assert value not in repr((shown, site.events)) and value not in caplog.text


@row("ASVS 3.3.5", "Name and value of a cookie in 4096 bytes", "fulfils")
def test_what_outgrows_a_cookie_is_refused_or_goes_to_the_store(make: Make, mode: str) -> None:
    site = make()
    site.app.config["PROPAGATE_EXCEPTIONS"] = True
    visitor = Visitor(site)
    visitor.do(lambda current: current.update(small=1))
    before = visitor.cookie

    def grow(current: Any) -> None:
        current["large"] = "x" * 4000

    if mode in ("store", "hybrid"):
        visitor.do(grow)
        assert all(len(line.partition(";")[0]) < 4096 for line in visitor.set)
        assert visitor.do(lambda current: len(current["large"])) == 4000
        return
    with pytest.raises(SessionTooLarge):
        visitor.do(grow)
    assert visitor.cookie == before


@row("ASVS 3.5.1", "Forged requests are told by a token of the session", "helps")
def test_a_csrf_token_is_good_in_its_session_alone(make: Make) -> None:
    site = make()
    ann, eve = Visitor(site), Visitor(site)
    one, two = (ann.do(lambda current: current.csrf_token()) for _ in range(2))
    foreign = eve.do(lambda current: current.csrf_token())
    assert one != two
    assert [ann.do(refused(token)) for token in (one, two, foreign, None, "", "x" * 86)] == [False] * 2 + [True] * 4
    ann.do(login("ann"))
    assert ann.do(refused(one))


@row("ASVS 3.5.4", "Applications that share a key do not share sessions", "fulfils")
def test_another_audience_opens_nothing(make: Make) -> None:
    visitor = Visitor(make(audience="shop"))
    visitor.do(login("ann"))
    assert Visitor(make(audience="staging"), visitor.cookie).user is None


@row("ASVS 9.1.1 to 9.1.3", "Authenticated before use, by one algorithm, with keys from the configuration", "fulfils")
def test_every_other_first_byte_is_refused(make: Make) -> None:
    site = make()
    visitor = Visitor(site)
    visitor.do(login("ann"))
    name, _, value = visitor.cookie.partition("=")
    for letter in "BCEHQgw0_-":
        if value[0] != letter:
            assert Visitor(site, f"{name}={letter}{value[1:]}").user is None


@row("ASVS 9.2.1", "The span of validity is checked", "fulfils")
def test_a_session_from_the_future_or_the_past_is_none(make: Make) -> None:
    site = make()
    visitor = Visitor(site)
    visitor.do(login("ann"))
    site.clock.advance(-3600)
    assert visitor.user is None
    site.clock.advance(3600 + 32 * 86400)
    assert visitor.user is None


@row("ASVS 9.2.2 to 9.2.4", "A token is good for its type and its audience", "fulfils")
def test_a_token_of_another_cookie_is_refused(make: Make) -> None:
    visitor = Visitor(make(cookie_name="one"))
    visitor.do(login("ann"))
    moved = visitor.cookie.replace("one=", "two=")
    assert Visitor(make(cookie_name="two"), moved).user is None


@row("ASVS 11.2.2", "Algorithms can be changed", "fulfils")
def test_a_token_says_its_version_first(make: Make, mode: str) -> None:
    visitor = Visitor(make())
    visitor.do(login("ann"))
    assert decode(visitor.cookie.partition("=")[2])[0] == (1 if mode.startswith("cookie") else 2)


@row("ASVS 11.3.4", "Nonces are not used twice", "fulfils")
def test_one_content_is_never_sealed_alike(make: Make) -> None:
    site = make()
    tokens = set()
    for _ in range(50):
        visitor = Visitor(site)
        visitor.do(lambda current: current.update(cart="full"))
        tokens.add(visitor.cookie)
    assert len(tokens) == 50


@row("ASVS 11.4.4", "Passwords are no keys", "enforces")
def test_a_weak_secret_is_refused(mode: str) -> None:
    for secret in ("changeme", "correct horse battery staple", "a" * 64, "short"):
        with pytest.raises(UsageError):
            Keyring(secret)


@row("ASVS 11.2.4, 11.2.5", "Failures say nothing", "fulfils")
def test_all_bad_tokens_get_one_answer(make: Make) -> None:
    site = make()
    visitor = Visitor(site)
    visitor.do(login("ann"))
    value = visitor.cookie.partition("=")[2]
    answers = set()
    for bad in ("x", "A" * 44, "A" * 200, value[:-4], value[:-1] + ("A" if value[-1] != "A" else "B"), '"quoted"'):
        other = Visitor(site, f"session={bad}")
        other.do(dict)
        answers.add((other.status, tuple(other.headers)))
    assert len(answers) == 1


@row("ASVS 13.3.4", "Secrets expire and are rotated", "enforces")
def test_a_former_key_opens_until_its_time_is_over(make: Make) -> None:
    site = make()
    visitor, absent = Visitor(site), Visitor(site)
    for each in (visitor, absent):
        each.do(login("ann"))
    until = datetime.fromtimestamp(site.clock(), UTC) + timedelta(hours=1)
    fallbacks = [(SECRET, until)]
    store = site.app.session_interface.sessions(site.app).stores  # type: ignore[attr-defined]
    options = {"store": store[0], "revocations": store[2]}
    rotated = make(secret_key=OTHER, secret_key_fallbacks=fallbacks, **options)
    returning = Visitor(rotated, visitor.cookie)
    assert returning.user == "ann"
    rotated.clock.advance(3601)
    # Sealed anew in time, and not.
    assert (returning.user, Visitor(rotated, absent.cookie).user) == ("ann", None)


@row("ASVS 14.2.1", "No token in a URL", "fulfils")
def test_a_token_in_the_url_is_ignored(make: Make) -> None:
    site = make()
    visitor = Visitor(site)
    visitor.do(login("ann"))
    value = visitor.cookie.partition("=")[2]
    assert Visitor(site).do(lambda current: current.user_id, f"/?session={value}") is None
    assert (
        Visitor(site).do(lambda current: current.user_id, "/", Session=value, Authorization=f"Bearer {value}") is None
    )


@row("ASVS 14.2.2, 14.3.2", "What is sensitive is in no cache", "enforces")
def test_what_depends_on_a_session_says_so_to_caches(make: Make) -> None:
    visitor = Visitor(make())
    visitor.do(login("ann"))
    headers = dict(visitor.headers)
    assert "no-store" in headers["Cache-Control"] and "Cookie" in headers["Vary"]
    visitor.do(dict)
    assert "Cookie" in dict(visitor.headers)["Vary"]


@row("ASVS 14.3.1", "Data on the client is cleared at the end: `Clear-Site-Data`", "helps")
def test_a_logout_can_have_the_browser_clear_what_it_has(make: Make) -> None:
    visitor = Visitor(make())
    visitor.do(login("ann"))
    assert "Clear-Site-Data" not in dict(visitor.headers)
    visitor.do(lambda current: current.logout(clear_site_data=True))
    assert dict(visitor.headers)["Clear-Site-Data"] == '"cache", "storage"'
    assert len(visitor.set) == 1 and not visitor.cookie


@row("ASVS 14.3.3", "Browser storage has no sensitive data", "fulfils")
def test_the_content_cannot_be_read_from_the_cookie(make: Make) -> None:
    visitor = Visitor(make())
    visitor.do(lambda current: (current.login("ann-the-user"), current.update(card="4111-1111"), None)[-1])
    raw = decode(visitor.cookie.partition("=")[2])
    assert b"ann-the-user" not in raw and b"4111-1111" not in raw
    visitor.do(logout)
    assert Reason.FORGED not in {event.reason for event in visitor.site.events}
