"""W: requests that overlap, some of them the attacker's. Each stops where the other comes in between.

Absent on purpose:
    W7: sweeping against a write is tested with each store that sweeps.
    W10, W11: users that are mixed up by threads, and forks, are tested with Flask and with the stores.
"""

from __future__ import annotations

from typing import Any

import pytest
from kit import Browser, ServerSite, look, put
from races.steps import Request

from coatcheck import Session
from coatcheck.core.endings import GRACE


def destroy(session: Session) -> None:
    session.destroy()


def login(session: Session) -> None:
    session.update(user="victim")
    session.regenerate()


@pytest.fixture
def site() -> ServerSite:
    return ServerSite()


@pytest.fixture
def browser(site: ServerSite) -> Browser:
    return site.begin(cart=1)


def found(site: ServerSite, header: str) -> dict[str, Any]:
    return dict(site.open(header))


@pytest.mark.parametrize("view", [look, put(late=True), put(_permanent=True), Session.regenerate, login])
@pytest.mark.parametrize("after", [0, 3601])
def test_w1_w2_w3_nothing_that_is_under_way_brings_a_session_back_after_logout(
    site: ServerSite, browser: Browser, view: Any, after: int
) -> None:
    site.clock.advance(after)
    header = browser.header
    late = Request(site, header, view).look()
    browser.visit(destroy)
    late.finish()
    assert late.next_header == ""
    assert (found(site, header), site.records) == ({}, {})


def test_w1_a_slow_reader_does_not_undo_a_write(site: ServerSite, browser: Browser) -> None:
    site.clock.advance(3601)
    late = Request(site, browser.header, look).look()
    browser.visit(put(cart=2))
    late.finish()
    assert browser.read() == {"cart": 2}


def test_w4_two_writers_of_different_keys_both_count(site: ServerSite, browser: Browser) -> None:
    requests = [Request(site, browser.header, put(**{f"k{number}": number})).look() for number in range(5)]
    for request in reversed(requests):
        request.finish()
    assert browser.read() == {"cart": 1, **{f"k{number}": number for number in range(5)}}


def test_w5_the_old_id_is_good_for_reading_and_for_a_few_seconds(site: ServerSite, browser: Browser) -> None:
    old = browser.header
    browser.visit(login)
    site.clock.advance(GRACE)
    assert found(site, old) == {"cart": 1}
    site.clock.advance(1)
    assert found(site, old) == {}


def test_w6_two_logins_at_once_each_have_a_session_and_know_nothing_of_the_other(
    site: ServerSite, browser: Browser
) -> None:
    one = Request(site, browser.header, lambda session: (session.update(user="one"), session.regenerate())).look()
    other = Request(site, browser.header, lambda session: (session.update(user="two"), session.regenerate())).look()
    one.finish()
    other.finish()
    assert (found(site, one.next_header)["user"], found(site, other.next_header)["user"]) == ("one", "two")
    Request(site, one.next_header, destroy).finish()
    assert found(site, one.next_header) == {}


def test_w9_a_late_response_with_an_older_cookie_undoes_no_logout(site: ServerSite, browser: Browser) -> None:
    late = Request(site, browser.header, put(_permanent=True)).finish()
    browser.visit(destroy)
    assert found(site, late.next_header) == {}


# The attacker knows the id, for it was planted


@pytest.mark.parametrize("view", [look, put(evil=1), put(_permanent=True), Session.regenerate])
@pytest.mark.parametrize("looked_before", [True, False])
@pytest.mark.parametrize("after", [0, GRACE, GRACE + 1, 700])
def test_a_planted_id_shows_nothing_of_the_login_and_leads_to_no_cookie_of_it(
    site: ServerSite, browser: Browser, view: Any, looked_before: bool, after: int
) -> None:
    planted = browser.header
    attack = Request(site, planted, view)
    if looked_before:
        attack.look()
    browser.visit(login)
    site.clock.advance(after)
    attack.finish()
    assert "user" not in (attack.seen or {})
    assert attack.next_header != browser.header
    for header in (planted, attack.next_header):
        assert "user" not in found(site, header)
    # An id that comes back after its grace ends the session for all: `login` knows that it was no copy, this does not.
    assert browser.read().get("user") == (None if after == GRACE + 1 else "victim")


def test_a_planted_id_s_holder_changes_nothing_once_the_grace_is_over(site: ServerSite, browser: Browser) -> None:
    attack = Request(site, browser.header, put(evil=1)).look()
    browser.visit(login)
    site.clock.advance(GRACE + 1)
    attack.finish()
    assert browser.read() == {"cart": 1, "user": "victim"}


def test_a_victim_s_login_never_ends_up_under_an_id_that_the_attacker_asked_for(
    site: ServerSite, browser: Browser
) -> None:
    victim = Request(site, browser.header, login).look()
    attack = Request(site, browser.header, Session.regenerate).finish()
    victim.finish()
    assert found(site, victim.next_header) == {"cart": 1, "user": "victim"}
    assert found(site, attack.next_header) == {"cart": 1}
    assert found(site, browser.header) == {"cart": 1}


def test_a_stolen_id_does_not_survive_the_new_one_that_shuts_it_out(site: ServerSite) -> None:
    browser = site.begin(user="victim", auth={"rotated": 1})
    stolen = browser.header
    browser.visit(Session.regenerate)

    def rotate(session: Session) -> None:
        session["auth"]["rotated"] = 2
        session.regenerate()

    thief = Request(site, stolen, rotate).finish()
    site.clock.advance(GRACE + 1)
    assert browser.read()["user"] == "victim"
    assert found(site, thief.next_header) == found(site, stolen) == {}
