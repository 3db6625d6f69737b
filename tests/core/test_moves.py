"""Moves that others disturb: which step of a request they come between, and what is there afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from kit import ServerSite, Site, look, put
from races.steps import Fault, Request

from coatcheck import Session, StoreError
from coatcheck.core.records import TRIES
from coatcheck.stores import StoredRecord
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock


def regenerate(session: Session) -> None:
    session.regenerate()


def destroy(session: Session) -> None:
    session.destroy()


def login(session: Session) -> None:
    session.update(user="ada")
    session.regenerate()


def found(site: Site, header: str) -> dict[str, Any]:
    return dict(site.open(header))


@pytest.fixture
def site() -> ServerSite:
    return ServerSite()


@pytest.fixture
def sealed(site: ServerSite) -> str:
    """A sealed cookie from before."""
    return Request(Site(clock=site.clock), "", put(cart=1)).finish().next_header


# A new id, and all that can go wrong


@pytest.mark.parametrize("ended", [False, True])
def test_a_new_id_that_took_place_unseen_is_gone_on_with_by_the_error_page(site: ServerSite, ended: bool) -> None:
    browser = site.begin(cart=1)
    slow = Request(site, browser.header, destroy if ended else put(a=1)).look()
    request = Request(site, browser.header, login, again=put(sorry=True)).until("replace")
    request.step(Fault.AFTER)
    request.step(Fault.BEFORE)
    slow.finish()
    request.finish()
    if ended:
        assert (request.kinds, request.next_header, found(site, browser.header)) == (["dropped"], "", {})
    else:
        assert found(site, request.next_header) == {"cart": 1, "a": 1, "user": "ada", "sorry": True}


def test_a_new_id_whose_record_was_forgotten_meanwhile_is_made_again(site: ServerSite) -> None:
    browser = site.begin(cart=1)
    request = Request(site, browser.header, lambda session: (session.pop("cart"), session.regenerate())).until(
        "replace"
    )
    browser.visit(put(a=1))
    site.clock.advance(61)
    request.finish()
    assert found(site, request.next_header) == {"a": 1}


# A new id for what comes from elsewhere


def test_two_logins_with_one_sealed_cookie_part(site: ServerSite, sealed: str) -> None:
    one, other = Request(site, sealed, login).look(), Request(site, sealed, login).look()
    one.finish()
    other.finish()
    assert one.next_header != other.next_header
    assert found(site, one.next_header) == found(site, other.next_header) == {"cart": 1, "user": "ada"}
    assert found(site, sealed) == {"cart": 1}


def test_the_end_of_the_first_is_the_end_of_the_second_that_is_under_way(site: ServerSite, sealed: str) -> None:
    one, other = Request(site, sealed, login).look(), Request(site, sealed, login).look()
    one.finish()
    for _ in range(2):
        other.until("insert").step()
    Request(site, one.next_header, destroy).finish()
    other.finish()
    assert (other.kinds, other.cookies) == (["dropped"], {})
    assert found(site, sealed) == found(site, one.next_header) == {}


@pytest.mark.parametrize("inserted", [False, True])
def test_a_login_with_a_sealed_cookie_and_the_end_at_once_are_the_end(
    site: ServerSite, sealed: str, inserted: bool
) -> None:
    request = Request(site, sealed, login).until("insert")
    if inserted:
        request.step()
    Request(site, sealed, destroy).finish()
    request.finish()
    assert (request.kinds, request.cookies, found(site, sealed)) == (["dropped"], {}, {})


# From store to store, while others still work with the former one


class Between:
    """A session in the earlier store, and processes of three configurations."""

    def __init__(self, earlier: MemoryStore | None = None) -> None:
        self.before = ServerSite(memory=earlier)
        self.header = self.before.begin(cart=1).header
        clock, here = self.before.clock, MemoryStore(clock=self.before.clock)
        self.moving = Site(clock=clock, store=here, earlier_store=self.before.store)
        self.after = Site(clock=clock, store=here)
        self.cookies = Site(clock=clock, earlier_store=self.before.store)


def test_a_change_in_the_earlier_store_comes_along() -> None:
    between = Between()
    mover = Request(between.moving, between.header, put(a=1)).until("replace")
    Request(between.before, between.header, put(b=2)).finish()
    Request(between.after, between.header, put(c=3)).finish()
    mover.finish()
    assert found(between.after, between.header) == {"cart": 1, "a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("seen", [False, True])
def test_the_end_in_the_new_store_wins_over_a_change_in_the_earlier_one(seen: bool) -> None:
    between = Between()
    mover = Request(between.moving, between.header, put(a=1)).until("replace")
    Request(between.before, between.header, put(b=2)).finish()
    if seen:
        mover.step()
        mover.until("replace")
    Request(between.after, between.header, destroy).finish()
    mover.finish()
    assert (mover.kinds, mover.cookies) == (["dropped"], {})
    assert found(between.moving, between.header) == {}


class Contested(MemoryStore):
    """Another request is always faster with these keys."""

    contested: frozenset[bytes] = frozenset()

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        if key in self.contested:
            present = self._records[key]
            super().replace(key, present, present.version)
        return super().replace(key, record, seen)


@pytest.mark.parametrize("to", ["moving", "cookies"])
def test_a_move_that_is_disturbed_without_end_is_an_error(to: str) -> None:
    earlier = Contested(clock=Clock())
    between = Between(earlier)
    earlier.contested = frozenset(between.before.records)
    request = Request(getattr(between, to), between.header, look).finish()
    assert isinstance(request.error, StoreError)
    assert f"{TRIES} times while this request moved it" in str(request.error)
    earlier.contested = frozenset()
    assert found(between.moving, between.header) == {"cart": 1}
