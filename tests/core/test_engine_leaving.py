"""A session leaves a store: for its cookie, or for another store. Nobody is logged out, or comes back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from kit import NOON, Browser, ServerSite, Site, look, put
from races.steps import Fault, Request

from coatcheck import Session, SessionTooLarge
from coatcheck.core.endings import GRACE
from coatcheck.core.engine import Decision
from coatcheck.core.opaque import TOKEN_CHARS, write_token
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FailingStore

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


# To the cookie


class ToCookie:
    """A browser with an id, and the site as it is now: sealed cookies."""

    def __init__(self, **items: Any) -> None:
        self.before = ServerSite()
        self.browser = self.before.begin(cart=1, **items)
        self.old = self.browser.header
        self.site = Site(clock=self.before.clock, earlier_store=self.before.store)
        self.browser.site = self.site

    def told(self) -> list[str]:
        kinds = [event.kind.value for event in self.site.events]
        self.site.events.clear()
        return kinds


@pytest.mark.parametrize(
    ("view", "content", "kind"),
    [
        (look, {"cart": 1}, "resealed"),
        (put(a=1), {"cart": 1, "a": 1}, "changed"),
        (login, {"cart": 1, "user": "ada"}, "regenerated"),
    ],
)
def test_a_session_leaves_the_store_for_its_cookie(view: Any, content: Any, kind: str) -> None:
    back = ToCookie()
    back.before.clock.advance(50)
    assert back.browser.visit() == NOTHING
    back.browser.visit(view)
    assert (back.before.asked(), back.told()) == (["read", "replace"], [kind])
    assert len(back.browser.cookies["session"]) > TOKEN_CHARS
    session = back.site.open(back.browser.header)
    assert dict(session) == content
    assert session.created_at == datetime.fromtimestamp(NOON, UTC)
    assert back.before.asked() == []
    assert back.browser.visit(look) == VARY


def test_the_id_that_it_had_shows_it_for_a_moment() -> None:
    back = ToCookie()
    late = Request(back.site, back.old, put(late=True)).look()
    back.browser.visit(look)
    late.finish()
    assert found(back.site, late.next_header) == {"cart": 1, "late": True}
    for view, cookies in ((look, 0), (put(a=1), 1), (regenerate, 1)):
        again = Request(back.site, back.old, view).finish()
        assert (again.seen, len(again.cookies)) == ({"cart": 1}, cookies)
    back.site.clock.advance(GRACE + 1)
    assert found(back.site, back.old) == {}
    assert found(back.before, back.old) == {}


@pytest.mark.parametrize(
    "view",
    [destroy, Session.clear, lambda session: session.pop("cart"), lambda session: [session.destroy(), login(session)]],
)
def test_a_session_that_ends_on_its_way_has_ended(view: Any) -> None:
    back = ToCookie()
    late = Request(back.site, back.old, put(late=True)).look()
    back.browser.visit(view)
    late.finish()
    assert late.kinds == ["dropped"] and late.cookies == {}
    assert found(back.site, back.old) == {}
    assert back.browser.read() in ({}, {"user": "ada"})


def test_a_session_that_is_too_large_for_a_cookie_stays_and_lives_on() -> None:
    back = ToCookie(large="x" * 5000)
    assert back.browser.visit(look) == VARY
    assert (back.before.asked(), back.told()) == (["read"], [])
    back.site.clock.advance(3601)
    assert back.browser.visit(look) == VARY
    assert (back.before.asked(), back.told()) == (["read", "touch"], ["refreshed"])
    with pytest.raises(SessionTooLarge) as caught:
        back.browser.visit(put(a=1))
    assert caught.value.place == "cookie" and caught.value.largest[0][0] == "large"
    assert back.browser.read()["cart"] == 1
    back.browser.visit(lambda session: session.pop("large"))
    assert len(back.browser.cookies["session"]) > TOKEN_CHARS
    assert back.browser.read() == {"cart": 1}


def test_what_others_keep_meanwhile_comes_along() -> None:
    back = ToCookie()
    mover = Request(back.site, back.old, put(a=1)).look()
    Request(back.before, back.old, put(b=2)).finish()
    mover.finish()
    assert found(back.site, mover.next_header) == {"cart": 1, "a": 1, "b": 2}


def test_what_others_make_too_large_meanwhile_stays() -> None:
    back = ToCookie()
    mover = Request(back.site, back.old, put(a=1)).look()
    Request(back.before, back.old, put(large="x" * 5000)).finish()
    with pytest.raises(SessionTooLarge):
        mover.finish()
    back.site.clock.advance(GRACE + 1)
    assert found(back.site, back.old)["cart"] == 1


def test_an_id_that_was_replaced_in_the_store_does_not_leave_it() -> None:
    back = ToCookie()
    mover = Request(back.site, back.old, look).look()
    Request(back.before, back.old, login).finish()
    mover.finish()
    assert mover.next_header == ""
    for view in (look, put(a=1), regenerate):
        assert Request(back.site, back.old, view).finish().next_header == ""


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER])
def test_an_answer_that_is_lost_on_the_way_logs_nobody_out(fault: Fault) -> None:
    back = ToCookie()
    mover = Request(back.site, back.old, look).until("replace")
    mover.step(fault)
    mover.finish()
    assert (mover.error is None) is (fault is Fault.AFTER)
    back.site.clock.advance(GRACE + 1)
    assert found(back.site, mover.next_header or back.old) == {"cart": 1}


def test_an_unknown_id_is_read_once_where_sessions_come_from_a_store() -> None:
    back = ToCookie()
    assert found(back.site, f"session={write_token(bytes(32))}") == {}
    assert back.before.asked() == ["read"]
    sealed = Browser(back.site)
    sealed.visit(put(a=1))
    assert sealed.read() == {"a": 1}
    assert back.before.asked() == []


def test_the_end_under_the_id_that_it_had_is_the_end() -> None:
    back = ToCookie()
    back.browser.visit(look)
    late = Request(back.site, back.old, put(late=True)).look()
    Request(back.site, back.old, destroy).finish()
    late.finish()
    assert found(back.site, back.old) == {}


# From store to store


class ToStore:
    """A browser with an id in a store, and the site as it is now: another store, and the same ids."""

    def __init__(self) -> None:
        self.before = ServerSite()
        self.browser = self.before.begin(cart=1)
        self.header = self.browser.header
        clock = self.before.clock
        self.second = MemoryStore(clock=clock)
        self.site = Site(clock=clock, store=FailingStore(self.second), earlier_store=self.before.store)
        self.browser.site = self.site


@pytest.mark.parametrize(("view", "content"), [(look, {"cart": 1}), (put(a=1), {"cart": 1, "a": 1})])
def test_a_session_goes_from_store_to_store_under_its_id(view: Any, content: Any) -> None:
    to = ToStore()
    to.browser.visit(view)
    assert to.browser.header == to.header
    assert to.browser.read() == content
    alone = Site(clock=to.site.clock, store=to.second)
    assert found(alone, to.header) == content
    assert found(to.before, to.header) == {}
    to.before.asked()
    to.browser.visit(look)
    assert to.before.asked() == []


def test_a_new_id_on_the_way_leaves_the_old_one_dead_in_both_stores() -> None:
    to = ToStore()
    to.browser.visit(login)
    assert to.browser.header != to.header
    assert found(to.site, to.header) == {"cart": 1}
    to.site.clock.advance(GRACE + 1)
    assert to.browser.read() == {"cart": 1, "user": "ada"}
    assert found(to.site, to.header) == found(to.before, to.header) == {}


def test_the_end_on_the_way_is_the_end_in_both_stores() -> None:
    to = ToStore()
    late = Request(to.site, to.header, put(late=True)).look()
    to.browser.visit(destroy)
    late.finish()
    assert late.kinds == ["dropped"]
    assert found(to.site, to.header) == found(to.before, to.header) == {}


def test_a_process_of_the_former_configuration_does_not_undo_the_move() -> None:
    to = ToStore()
    late = Request(to.before, to.header, put(late=True)).look()
    to.browser.visit(put(a=1))
    late.finish()
    assert late.kinds == ["dropped"]
    assert to.browser.read() == {"cart": 1, "a": 1}


def test_a_new_id_that_a_process_of_the_former_configuration_gives_ends_the_move() -> None:
    to = ToStore()
    mover = Request(to.site, to.header, look).look()
    renewed = Request(to.before, to.header, login).finish()
    mover.finish()
    to.site.clock.advance(GRACE + 1)
    assert found(to.site, to.header) == {}
    assert found(to.site, renewed.next_header) == {"cart": 1, "user": "ada"}


def test_an_unknown_id_is_read_once_in_each_store() -> None:
    to = ToStore()
    assert found(to.site, f"session={write_token(bytes(32))}") == {}
    assert to.before.asked() == ["read"]
    assert [event.reason for event in to.site.events] == ["unknown_id"]


def test_a_session_that_the_new_store_has_lost_does_not_come_back_from_the_earlier_one() -> None:
    to = ToStore()
    to.browser.visit(look)
    for record in list(to.second._records):  # noqa: SLF001  # as a cache does that is full
        to.second.delete(record)
    to.before.asked()
    assert found(to.site, to.header) == {}
    assert to.before.asked() == ["read"]


def test_a_session_that_has_gone_on_to_another_store_is_not_in_this_one() -> None:
    to = ToStore()
    to.browser.visit(look)
    to.before.asked()
    back = Site(clock=to.site.clock, earlier_store=to.before.store)
    assert found(back, to.header) == {}
    assert len(to.before.asked()) <= 101
