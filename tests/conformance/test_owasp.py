"""The OWASP cheat sheet on session management."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conformance.rows import NOT_REMEMBERED, row
from conformance.site import FlaskSite, Visitor, login, logout

from coatcheck import UsageError
from coatcheck.core.events import Kind, Reason
from coatcheck.core.text import decode

Make = Callable[..., FlaskSite]
UNROTATED = {
    "cookie": "a new id now and then means nothing where the old one stays valid: `rotate_every` raises `UsageError`"
}


@row("SMCS: name", "The cookie's name says nothing of the software", "enforces")
def test_the_name_is_neutral(make: Make) -> None:
    visitor = Visitor(make())
    visitor.do(login("ann"))
    assert visitor.cookie.startswith("session=")


@row("SMCS: entropy", "An id has 64 bits of entropy or more", "fulfils")
def test_a_token_has_many_random_bytes(make: Make, mode: str) -> None:
    visitor = Visitor(make())
    visitor.do(login("ann"))
    assert len(decode(visitor.cookie.partition("=")[2])) >= 33


@row("SMCS: content", "The id means nothing to the client", "fulfils")
def test_two_tokens_of_one_session_have_nothing_in_common(make: Make) -> None:
    site = make()
    one, two = Visitor(site), Visitor(site)
    for visitor in (one, two):
        visitor.do(login("ann"))
    first, second = (decode(visitor.cookie.partition("=")[2])[5:] for visitor in (one, two))
    assert sum(a == b for a, b in zip(first, second, strict=False)) < len(first) / 4


@row("SMCS: strict ids", "An id that the server did not make is never adopted", "fulfils")
def test_a_planted_id_is_never_adopted(make: Make) -> None:
    site = make()
    planted = "session=Ag" + "A" * 42
    visitor = Visitor(site, planted)
    visitor.do(login("ann"))
    assert visitor.cookie != planted
    assert Visitor(site, planted).user is None


@row("SMCS: ids are input", "An id is validated before use", "fulfils")
def test_hostile_ids_are_nobody_s(make: Make) -> None:
    site = make()
    for value in ("", "seven77", "x" * 10_000, ":", "*", "../../etc/passwd", "%00", "a b", "' OR 1=1 --"):
        visitor = Visitor(site, f"session={value}")
        assert visitor.user is None and visitor.status == 200 and visitor.set == []


@row("SMCS: renewal on privilege change", "Another id when somebody signs in, or may do more", "enforces")
def test_a_new_id_keeps_the_content(make: Make) -> None:
    visitor = Visitor(make())
    visitor.do(lambda current: (current.login("ann"), current.update(role="user"), None)[-1])
    before, handle = visitor.cookie, visitor.do(lambda current: current.handle)
    visitor.do(lambda current: (current.regenerate(), current.update(role="admin"), None)[-1])
    assert visitor.cookie != before
    assert visitor.do(lambda current: current.handle) != handle
    assert visitor.do(lambda current: (current.user_id, current["role"])) == ("ann", "admin")


@row("SMCS: renewal time-out", "Another id now and then, and a short grace for the old one", "enforces", UNROTATED)
def test_an_id_is_replaced_in_time_and_its_return_ends_the_session(make: Make, able: bool) -> None:
    if not able:
        with pytest.raises(UsageError, match="rotate_every"):
            make(rotate_every=600).send("/", {})
        return
    site = make(rotate_every=600)
    visitor = Visitor(site)
    visitor.do(login("ann"))
    before = visitor.copy()
    site.clock.advance(601)
    assert visitor.user == "ann" and visitor.cookie != before.cookie
    late = before.copy()
    assert late.user == "ann" and late.cookie == before.cookie
    site.clock.advance(11)
    assert visitor.user == "ann"
    assert before.user is None
    assert visitor.user is None
    assert Kind.REUSED in {event.kind for event in site.events}


@row("SMCS: expiry on both sides", "The cookie is deleted as it was set, and the server knows", "fulfils")
def test_the_deletion_names_the_same_cookie(make: Make) -> None:
    visitor = Visitor(make(cookie_path="/app", cookie_secure=True))
    visitor.do(login("ann"))
    set_ = {part.strip() for part in visitor.set[0].split(";")[1:]}
    visitor.do(logout)
    deleted = {part.strip() for part in visitor.set[0].split(";")[1:]}
    assert set_ <= deleted
    assert any(part.startswith(("Max-Age=0", "Expires=Thu, 01 Jan 1970")) for part in deleted)


@row("SMCS: persistent cookies", "A session ends with the browser unless the application says otherwise", "enforces")
def test_a_session_cookie_is_the_default(make: Make) -> None:
    visitor = Visitor(make())
    visitor.do(login("ann"))
    assert "Max-Age" not in visitor.set[0] and "Expires" not in visitor.set[0]


@row("SMCS: logging", "The life of a session is logged, and no id", "fulfils")
def test_the_life_of_a_session_is_told(make: Make, mode: str) -> None:
    site = make()
    visitor = Visitor(site)
    visitor.do(login("ann"))
    visitor.do(lambda current: current.regenerate())
    visitor.do(logout)
    kinds = [event.kind for event in site.events]
    assert kinds == [Kind.CREATED, Kind.SIGNED_IN, Kind.REGENERATED, *kinds[3:]]
    assert Kind.SIGNED_OUT in kinds[3:]
    assert "ann" not in repr(site.events)


@row("SMCS: brute force", "Ids that are guessed are counted", "fulfils")
def test_each_guess_is_told(make: Make) -> None:
    site = make()
    for number in range(20):
        assert Visitor(site, f"session=Ag{number:042}").user is None
    assert [event.kind for event in site.events] == [Kind.REJECTED] * 20


@row("SMCS: several cookies", "Two cookies of one name are looked at both", "fulfils")
def test_of_two_sessions_neither_is_taken(make: Make) -> None:
    site = make()
    ann, eve = Visitor(site), Visitor(site)
    ann.do(login("ann"))
    eve.do(login("eve"))
    both = Visitor(site, f"{ann.cookie}; {eve.cookie}")
    assert both.user is None
    assert site.events[-1].reason is Reason.AMBIGUOUS
    assert Visitor(site, f"session=rubbish; {ann.cookie}").user == "ann"


@row("SMCS: logout", "Logout ends the session on the server", "fulfils", {"cookie": NOT_REMEMBERED})
def test_a_slow_request_does_not_revive_a_session(make: Make, able: bool) -> None:
    site = make()
    visitor = Visitor(site)
    visitor.do(login("ann"))
    slow = visitor.copy()

    def work(current: Any) -> None:
        current["late"] = 1
        job = site.job
        visitor.do(logout)
        site.job = job

    slow.do(work)
    assert slow.user == (None if able else "ann")
