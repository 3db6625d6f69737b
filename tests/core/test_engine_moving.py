"""A session moves to a store: from its cookie, or from an earlier cookie name. Nobody is logged out, or comes back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from kit import NOON, OTHER_SECRET, SECRET, Browser, ServerSite, Site, look, name_and_value, put
from races.steps import Request

from coatcheck import Session, StoreError
from coatcheck.core.endings import GRACE
from coatcheck.core.engine import Decision
from coatcheck.core.opaque import TOKEN_CHARS
from coatcheck.core.text import encode
from coatcheck.testing import Clock

NOTHING = Decision(vary=False)
VARY = Decision(vary=True)
MONTH = 31 * 86_400


def regenerate(session: Session) -> None:
    session.regenerate()


def destroy(session: Session) -> None:
    session.destroy()


def login(session: Session) -> None:
    session.update(user="ada")
    session.regenerate()


def found(site: Site, header: str) -> dict[str, Any]:
    return dict(site.open(header))


class FromCookie:
    """A browser with a sealed cookie, and the site as it is now: on the server."""

    def __init__(self, *keys: Any, clock: Clock | None = None, name: str = "session", **options: Any) -> None:
        before = Site(clock=clock, cookie_name=name)
        self.browser = Browser(before)
        self.browser.visit(put(cart=1))
        self.sealed = self.browser.header
        self.site = ServerSite(*keys, clock=before.clock, **options)
        self.browser.site = self.site


@pytest.fixture
def moved() -> FromCookie:
    return FromCookie()


# From the cookie


def test_a_look_brings_a_sealed_session_home(moved: FromCookie) -> None:
    moved.site.clock.advance(50)
    assert moved.browser.visit() == NOTHING
    (cookie,) = moved.browser.visit(look).cookies
    assert len(name_and_value(cookie)[1]) == TOKEN_CHARS
    assert (moved.site.asked(), moved.site.told()) == (["read", "insert"], [("resealed", "")])
    session = moved.site.open(moved.browser.header)
    assert dict(session) == {"cart": 1}
    assert session.created_at == datetime.fromtimestamp(NOON, UTC)
    assert list(moved.site.records) == [bytes.fromhex(session.handle)]
    assert moved.browser.visit(look) == VARY


@pytest.mark.parametrize(
    ("view", "content", "kind"),
    [(put(a=1), {"cart": 1, "a": 1}, "changed"), (login, {"cart": 1, "user": "ada"}, "regenerated")],
)
def test_what_the_request_changes_comes_along(moved: FromCookie, view: Any, content: Any, kind: str) -> None:
    moved.browser.visit(view)
    assert moved.site.told() == [(kind, "")]
    assert moved.browser.read() == content


def test_all_who_bring_one_sealed_cookie_meet(moved: FromCookie) -> None:
    requests = [Request(moved.site, moved.sealed, put(**{f"a{number}": number})).look() for number in range(3)]
    for request in requests:
        request.finish()
    assert len({request.next_header for request in requests}) == 1
    assert len(moved.site.records) == 1
    assert found(moved.site, moved.sealed) == {"cart": 1, "a0": 0, "a1": 1, "a2": 2}


def test_a_session_that_came_home_is_found_there_by_its_sealed_cookie(moved: FromCookie) -> None:
    handle = moved.site.open(moved.sealed).handle
    moved.browser.visit(put(a=1))
    session = moved.site.open(moved.sealed)
    assert (session["a"], session.handle) == (1, handle)


@pytest.mark.parametrize("came_home", [True, False])
@pytest.mark.parametrize("view", [destroy, Session.clear])
def test_a_sealed_cookie_is_dead_after_logout(moved: FromCookie, view: Any, came_home: bool) -> None:
    if came_home:
        moved.browser.visit(look)
    late = Request(moved.site, moved.sealed, put(late=True)).look()
    assert moved.browser.visit(view).cookies
    late.finish()
    assert late.kinds == ["dropped"]
    for after in (0, 601, MONTH // 2, MONTH - 602 - MONTH // 2, 1):
        moved.site.clock.advance(after)
        assert found(moved.site, moved.sealed) == {}
        Request(moved.site, moved.sealed, put(again=1)).finish()
        assert found(moved.site, moved.sealed) == {}


@pytest.mark.parametrize("ahead", [0, 1, 60])
def test_its_end_is_remembered_longer_than_a_sealed_cookie_opens(ahead: int) -> None:
    """Another server had sealed it, whose clock was ahead."""
    moved = FromCookie(clock=Clock(NOON + ahead))
    moved.site.clock.now = NOON
    moved.browser.visit(destroy)
    for second in range(MONTH - 2, MONTH + ahead + 3):
        moved.site.clock.now = NOON + second
        assert found(moved.site, moved.sealed) == {}


def test_a_sealed_cookie_that_has_expired_opens_nothing_though_its_session_lives_on(moved: FromCookie) -> None:
    moved.browser.visit(look)
    for _ in range(4):
        moved.site.clock.advance(MONTH // 2)
        moved.browser.visit(look)
    moved.site.told()
    assert found(moved.site, moved.sealed) == {}
    assert moved.site.told() == [("rejected", "expired")]
    assert moved.browser.read() == {"cart": 1}


def test_a_session_that_was_emptied_does_not_come_back_from_its_sealed_cookie(moved: FromCookie) -> None:
    moved.browser.visit(lambda session: session.pop("cart"))
    moved.site.clock.advance(3600)
    assert found(moved.site, moved.sealed) == {}
    assert not moved.site.open(moved.sealed).new


def test_a_new_id_leaves_the_sealed_cookie_dead(moved: FromCookie) -> None:
    moved.browser.visit(login)
    assert found(moved.site, moved.sealed) == {"cart": 1}
    moved.site.clock.advance(GRACE + 1)
    assert moved.browser.read() == {"cart": 1, "user": "ada"}
    assert found(moved.site, moved.sealed) == {}
    assert moved.browser.read() == {}


def test_a_sealed_cookie_of_a_fallback_key_comes_home() -> None:
    moved = FromCookie(OTHER_SECRET, [SECRET])
    moved.browser.visit(look)
    assert found(ServerSite(OTHER_SECRET, memory=moved.site.memory, clock=moved.site.clock), moved.browser.header)


def test_a_sealed_cookie_of_an_earlier_name_comes_home_and_goes() -> None:
    moved = FromCookie(name="old", earlier_cookie_names=("old",))
    decision = moved.browser.visit(put(a=1))
    assert [name_and_value(cookie)[0] for cookie in decision.cookies] == ["session", "old"]
    assert list(moved.browser.cookies) == ["session"]
    assert moved.browser.read() == {"cart": 1, "a": 1} == found(moved.site, moved.sealed)


@pytest.mark.parametrize("name", ["session", "old"])
def test_sealed_cookies_may_be_refused(name: str) -> None:
    """Then a stolen secret key makes no session."""
    moved = FromCookie(name=name, earlier_cookie_names=("old",), move_cookies=False)
    assert moved.browser.read() == {}
    assert (moved.site.asked(), moved.site.told()) == ([], [("rejected", "unknown_kind")])


def test_an_outage_loses_no_sealed_session(moved: FromCookie) -> None:
    moved.site.store.down = True
    with pytest.raises(StoreError):
        moved.browser.visit(look)
    moved.site.store.down = False
    session = moved.site.open(moved.sealed)
    look(session)
    moved.site.store.down = True
    with pytest.raises(StoreError):
        moved.site.commit(session)
    moved.site.store.down = False
    assert moved.browser.read() == {"cart": 1}


# Ids under an earlier cookie name


class Renamed:
    """A browser with an id under the name that the cookie had before."""

    def __init__(self) -> None:
        before = ServerSite(cookie_name="old")
        self.browser = before.begin(cart=1)
        self.old = self.browser.header
        self.site = ServerSite(memory=before.memory, clock=before.clock, earlier_cookie_names=("older", "old"))
        self.browser.site = self.site


def test_an_id_under_an_earlier_name_comes_home_and_goes() -> None:
    renamed = Renamed()
    decision = renamed.browser.visit(put(a=1))
    assert [name_and_value(cookie)[0] for cookie in decision.cookies] == ["session", "old"]
    assert renamed.site.asked() == ["read", "read", "insert", "replace"]
    assert renamed.browser.read() == {"cart": 1, "a": 1} == found(renamed.site, renamed.old)
    renamed.browser.visit(destroy)
    assert found(renamed.site, renamed.old) == {}


def test_all_who_bring_an_id_under_an_earlier_name_meet() -> None:
    renamed = Renamed()
    requests = [Request(renamed.site, renamed.old, put(**{f"a{number}": number})).look() for number in range(3)]
    for request in requests:
        request.finish()
    assert found(renamed.site, requests[2].next_header) == {"cart": 1, "a0": 0, "a1": 1, "a2": 2}


@pytest.mark.parametrize("first", [0, 1, 3, 255])
def test_44_characters_that_are_no_id_reach_no_store_under_an_earlier_name(first: int) -> None:
    renamed = Renamed()
    value = encode(bytes([first]) + bytes(32))
    assert len(value) == TOKEN_CHARS
    assert found(renamed.site, f"old={value}") == {}
    assert (renamed.site.asked(), renamed.site.told()) == ([], [("rejected", "unknown_kind")])
