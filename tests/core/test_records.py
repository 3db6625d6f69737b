"""Verbs on records, where what they find is rare."""

from __future__ import annotations

import os

import pytest
from kit import ServerSite, Site, look, put
from races.steps import Request

from coatcheck import Keyring, Session
from coatcheck.core.endings import GRACE
from coatcheck.core.moves import Moves
from coatcheck.core.opaque import LIVE, Entry, Kept, RecordSealer, make_id
from coatcheck.core.settings import Settings
from coatcheck.stores.memory import MemoryStore

SECRET = "9f3c1b7ad0e84c52b6e1f70a2d95c8437be00f6a1c24d98e5b37a6f0c1d2e394"


def regenerate(session: Session) -> None:
    session.regenerate()


def destroy(session: Session) -> None:
    session.destroy()


@pytest.fixture
def site() -> ServerSite:
    return ServerSite()


def test_what_is_shown_of_a_record_is_its_handle() -> None:
    id_ = make_id("session", bytes(32))
    sealer = RecordSealer(Keyring(SECRET), "", ("session",), os.urandom)
    entry = Entry(LIVE, 1, 0, b"\x81\xa1a\xa6hidden")
    opened, current, aead = sealer.open(id_, sealer.seal(id_, entry), 0)
    kept = Kept(id_, 0, opened, 1, 1, current, aead, b"")
    assert repr(kept) == f"<Kept {id_.key.hex()}>"
    assert repr(opened) == "<Entry, state 1>"


def test_records_say_whether_sessions_are_kept_there() -> None:
    for store in (True, False):
        assert Moves(Settings(), Keyring(SECRET), os.urandom, store=store, earlier_store=True).writes is store


def test_a_request_that_reads_between_the_two_halves_of_a_move_sees_what_was_there_before_a_login(
    site: ServerSite,
) -> None:
    """It came with the old id, and gets neither the new one nor what was set under it."""
    browser = site.begin(cart=1)
    after = Site(clock=site.clock, store=MemoryStore(clock=site.clock), earlier_store=site.store)
    reader = Request(after, browser.header, look)
    reader.step()
    login = Request(after, browser.header, lambda session: (session.update(user="ada"), session.regenerate())).finish()
    reader.finish()
    assert (reader.seen, reader.next_header) == ({"cart": 1}, "")
    late = Request(after, browser.header, look)
    late.step()
    site.clock.advance(GRACE + 1)
    assert Request(after, browser.header, look).finish().seen == {}
    Request(after, login.next_header, destroy).finish()
    assert late.finish().seen == {}


def test_a_request_that_reads_between_the_two_halves_of_a_move_finds_the_session(site: ServerSite) -> None:
    browser = site.begin(cart=1)
    after = Site(clock=site.clock, store=MemoryStore(clock=site.clock), earlier_store=site.store)
    reader = Request(after, browser.header, look)
    reader.step()
    Request(after, browser.header, put(a=1)).finish()
    assert reader.finish().seen == {"cart": 1, "a": 1}


def test_a_chain_of_new_ids_is_followed_so_far_and_no_further(site: ServerSite) -> None:
    browser = site.begin(cart=1)
    slow = Request(site, browser.header, put(a=1)).look()
    for _ in range(101):
        browser.visit(regenerate)
    site.asked()
    slow.finish()
    assert slow.kinds == ["dropped"]
    assert len(site.asked()) <= 110


def test_of_two_logouts_with_an_id_that_was_replaced_the_second_finds_nothing_to_do(site: ServerSite) -> None:
    browser = site.begin(cart=1)
    old = browser.header
    browser.visit(regenerate)
    first, second = Request(site, old, destroy).look(), Request(site, old, destroy).look()
    first.finish()
    second.finish()
    assert browser.read() == {}
    assert second.cookies == {"session": ""}


def test_of_two_logouts_with_a_sealed_cookie_the_second_finds_nothing_to_do(site: ServerSite) -> None:
    sealed = Request(Site(clock=site.clock), "", put(cart=1)).finish().next_header
    first, second = Request(site, sealed, destroy).look(), Request(site, sealed, destroy).look()
    first.finish()
    second.finish()
    assert Request(site, sealed, look).finish().seen == {}
    assert len(site.records) == 1
