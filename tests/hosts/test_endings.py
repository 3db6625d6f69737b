"""Logout, a new id, and what is left of the old one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hosts.conftest import Make
from hosts.host import Browser
from hosts.pages import PAGES

from coatcheck import Session
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock


@pytest.fixture
def on_server(clock: Clock) -> dict[str, Any]:
    return {"store": MemoryStore(clock=clock)}


@pytest.mark.parametrize("page", ["destroy", "clear"])
def test_a_logout_is_one_for_every_copy_of_the_cookie(make: Make, on_server: dict[str, Any], page: str) -> None:
    browser = Browser(make(PAGES, **on_server))
    browser.get("/put")
    thief = browser.copy()
    browser.get(f"/{page}")
    assert browser.cookies == {}
    assert thief.get("/look").text == "{}"
    assert thief.get("/put").status == 200
    assert thief.cookies["session"]
    assert browser.get("/look").text == "{}"


def test_what_is_set_after_a_logout_is_another_session(make: Make, storage: Mapping[str, Any]) -> None:
    def sign_in_as_bob(session: Session) -> None:
        session.destroy()
        session["user"] = "bob"

    browser = Browser(make({**PAGES, "bob": sign_in_as_bob}, **storage))
    browser.get("/put")
    before = browser.get("/handle").text
    browser.get("/bob")
    assert browser.get("/look").text == "{'user': 'bob'}"
    assert browser.get("/handle").text != before


def test_a_sealed_cookie_that_was_copied_stays_valid_until_it_expires(make: Make, clock: Clock) -> None:
    """Without a store there is nowhere to remember that it should not: the documentation says so."""
    browser = Browser(make(PAGES, permanent_lifetime=1000))
    browser.get("/put")
    copy = browser.header
    browser.get("/destroy")
    assert browser.get("/look").text == "{}"
    assert browser.host.get("/look", copy).text == "{'user': 'ann'}"
    clock.advance(1001)
    assert browser.host.get("/look", copy).text == "{}"


def test_a_new_id_keeps_the_content(make: Make, storage: Mapping[str, Any]) -> None:
    browser = Browser(make(PAGES, **storage))
    browser.get("/put")
    before, handle = browser.cookies["session"], browser.get("/handle").text
    browser.get("/regenerate")
    assert browser.cookies["session"] != before
    assert browser.get("/handle").text != handle
    assert browser.get("/look").text == "{'user': 'ann'}"


def test_the_old_id_is_dead_after_a_few_seconds(make: Make, on_server: dict[str, Any], clock: Clock) -> None:
    browser = Browser(make(PAGES, **on_server))
    browser.get("/put")
    thief = browser.copy()
    browser.get("/regenerate")
    clock.advance(11)
    assert browser.get("/look").text == "{'user': 'ann'}"
    assert thief.get("/look").text == "{}"


def test_an_old_id_that_comes_back_ends_the_session_for_all(
    make: Make, on_server: dict[str, Any], clock: Clock
) -> None:
    browser = Browser(make(PAGES, **on_server))
    browser.get("/put")
    thief = browser.copy()
    browser.get("/regenerate")
    clock.advance(11)
    assert thief.get("/look").text == "{}"
    assert browser.get("/look").text == "{}"


def test_the_old_id_reads_what_was_there_before_while_it_lasts(make: Make, on_server: dict[str, Any]) -> None:
    """Requests that were under way when the id changed are not logged out."""
    browser = Browser(make(PAGES, **on_server))
    browser.get("/put")
    late = browser.copy()
    browser.get("/regenerate")
    browser.get("/other")
    answer = late.get("/look")
    assert (answer.text, answer.cookies) == ("{'user': 'ann'}", [])


def test_who_planted_the_old_id_gets_nothing_of_the_new_session(make: Make, on_server: dict[str, Any]) -> None:
    def sign_in(session: Session) -> None:
        session.regenerate()
        session["secret"] = 42

    victim = Browser(make({**PAGES, "sign_in": sign_in}, **on_server))
    victim.get("/put")
    attacker = victim.copy()
    victim.get("/sign_in")
    for page in ("/look", "/other", "/regenerate", "/look"):
        assert "42" not in attacker.get(page).text
    assert victim.get("/look").text == "{'user': 'ann', 'secret': 42}"


def test_a_handle_is_no_cookie(make: Make, storage: Mapping[str, Any]) -> None:
    browser = Browser(make(PAGES, **storage))
    browser.get("/put")
    handle = browser.get("/handle").text
    assert handle not in browser.cookies["session"]
    assert browser.host.get("/look", f"session={handle}").text == "{}"


def test_a_session_that_is_emptied_key_by_key_is_empty(make: Make, storage: Mapping[str, Any]) -> None:
    browser = Browser(make({**PAGES, "pop": lambda session: session.pop("user")}, **storage))
    browser.get("/put")
    browser.get("/pop")
    assert browser.get("/look").text == "{}"


def test_an_empty_session_is_neither_sent_nor_kept(make: Make, storage: Mapping[str, Any]) -> None:
    def fill_and_empty(session: Session) -> None:
        session["a"] = 1
        del session["a"]

    host = make({**PAGES, "both": fill_and_empty}, **storage)
    assert Browser(host).get("/both").cookies == []
    assert Browser(host).get("/destroy").cookies == []
