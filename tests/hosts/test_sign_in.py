"""Signing in and out, and whose session it is."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Mapping
from typing import Any

import pytest
from hosts.conftest import Make
from hosts.host import Browser
from hosts.pages import PAGES

from coatcheck import CsrfError, Event, Kind, Session
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock


def login(session: Session) -> None:
    session.login(7)


def checked(session: Session) -> str:
    try:
        session.check_csrf("forged")
    except CsrfError:
        return "the application's own page"
    return "let through"


SIGNING = {
    **PAGES,
    "login": login,
    "logout": lambda session: session.logout(),
    "who": lambda session: repr(session.user_id),
    "checked": checked,
    "elsewhere": lambda session: repr(session.elsewhere),
    "logout_and_clear": lambda session: session.logout(clear_site_data=True),
}


@pytest.fixture
def on_server(clock: Clock) -> dict[str, Any]:
    return {"store": MemoryStore(clock=clock)}


def test_a_login_gives_a_new_id_and_keeps_what_a_guest_had(make: Make, storage: Mapping[str, Any]) -> None:
    browser = Browser(make(SIGNING, **storage))
    browser.get("/put")
    handle = browser.get("/handle").text
    browser.get("/login")
    assert browser.get("/handle").text != handle
    assert browser.get("/look").text == "{'user': 'ann'}"
    assert browser.get("/who").text == "7"


def test_the_id_from_before_a_login_is_never_signed_in(make: Make, on_server: dict[str, Any]) -> None:
    victim = Browser(make(SIGNING, **on_server))
    victim.get("/put")
    attacker = victim.copy()
    victim.get("/login")
    assert attacker.get("/who").text == "None"
    assert victim.get("/who").text == "7"


def test_signing_out_ends_every_copy(make: Make, on_server: dict[str, Any]) -> None:
    browser = Browser(make(SIGNING, **on_server))
    browser.get("/login")
    thief = browser.copy()
    assert thief.get("/who").text == "7"
    browser.get("/logout")
    assert thief.get("/who").text == "None"
    assert browser.get("/who").text == "None"


def test_one_login_too_many_is_refused_and_sets_nothing(make: Make, on_server: dict[str, Any]) -> None:
    host = make(SIGNING, max_sessions_per_user=1, over_limit="refuse", **on_server)
    first, second = Browser(host), Browser(host)
    first.get("/login")
    answer = second.get("/login")
    assert (answer.status, answer.cookies) == (403, [])
    assert first.get("/who").text == "7"


def test_a_forged_token_is_for_the_application_to_answer(make: Make, storage: Mapping[str, Any]) -> None:
    browser = Browser(make(SIGNING, **storage))
    browser.get("/login")
    assert browser.get("/checked").text == "the application's own page"


def test_a_session_that_is_used_from_elsewhere_goes_on_and_says_so(make: Make, storage: Mapping[str, Any]) -> None:
    told: list[Event] = []
    browser = Browser(make(SIGNING, bind=lambda _, agent: agent, on_event=told.append, **storage))
    browser.get("/login", headers=[("User-Agent", "B/1")])
    for agent, elsewhere in (("B/1", False), ("B/2", True)):
        told.clear()
        answers = [browser.get(path, headers=[("User-Agent", agent)]).text for path in ("/who", "/elsewhere")]
        assert answers == ["7", repr(elsewhere)]
        assert [event.kind for event in told] == [Kind.ELSEWHERE, Kind.ELSEWHERE] * elsewhere


def test_the_browser_is_told_to_clear_what_it_has_where_a_logout_says_so(
    make: Make, storage: Mapping[str, Any]
) -> None:
    browser = Browser(make(SIGNING, **storage))
    for path, said in (("/logout", []), ("/logout_and_clear", ['"cache", "storage"'])):
        browser.get("/login")
        answer = browser.get(path)
        assert answer.all("Clear-Site-Data") == said
        assert len(answer.cookies) == 1
        assert browser.get("/who").text == "None"


def test_the_address_and_the_browser_of_a_request_are_known(make: Make, on_server: dict[str, Any]) -> None:
    """For the page that shows where somebody is signed in."""
    pages = {**SIGNING, "client": lambda session: repr(session._client())}  # noqa: SLF001
    address, agent = literal_eval(
        Browser(make(pages, **on_server)).get("/client", headers=[("User-Agent", "B/1")]).text
    )
    assert agent == "B/1"
    assert address in {"127.0.0.1", "testclient", ""}
