"""Ids on the server: a new one, what the old one is still good for, and requests that meet on the way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from kit import NOON, OTHER_SECRET, SECRET, Browser, ServerSite, look, name_and_value, put
from races.steps import Request

from coatcheck import Session
from coatcheck.core.endings import GRACE
from coatcheck.core.engine import Decision
from coatcheck.core.opaque import write_token

VARY = Decision(vary=True)
MARK_LIFE = 600


def regenerate(session: Session) -> None:
    session.regenerate()


def destroy(session: Session) -> None:
    session.destroy()


def login(session: Session) -> None:
    session.update(user="ada")
    session.regenerate()


@pytest.fixture
def site() -> ServerSite:
    return ServerSite()


@pytest.fixture
def browser(site: ServerSite) -> Browser:
    return site.begin(cart=1)


def found(site: ServerSite, header: str) -> dict[str, Any]:
    return dict(site.open(header))


# A new id


def test_the_new_id_has_the_content_and_the_age(site: ServerSite, browser: Browser) -> None:
    old = browser.header
    site.clock.advance(60)
    decision = browser.visit(login)
    assert [name_and_value(cookie)[0] for cookie in decision.cookies] == ["session"]
    assert browser.header != old
    session = site.open(browser.header)
    assert dict(session) == {"cart": 1, "user": "ada"}
    assert session.created_at == datetime.fromtimestamp(NOON, UTC)


def test_a_new_session_that_asks_for_a_new_id_is_made_once(site: ServerSite) -> None:
    browser = Browser(site)
    browser.visit(login)
    assert (site.asked(), site.told()) == (["insert"], [("created", "")])
    assert browser.read() == {"user": "ada"}


def test_of_several_new_ids_in_one_request_the_last_counts(site: ServerSite, browser: Browser) -> None:
    handles: list[str] = []
    browser.visit(lambda session: [(session.regenerate(), handles.append(session.handle)) for _ in range(3)])
    assert site.asked() == ["read", "insert", "replace"]
    assert site.open(browser.header).handle == handles[-1]
    assert len(site.records) == 2


def test_a_new_id_and_then_the_end_is_the_end(site: ServerSite, browser: Browser) -> None:
    browser.visit(lambda session: [session.regenerate(), session.destroy()])
    assert (site.told(), site.records, browser.cookies) == ([("destroyed", "")], {}, {})


def test_the_end_and_then_a_new_id_begins_anew(site: ServerSite, browser: Browser) -> None:
    browser.visit(lambda session: [session.destroy(), session.regenerate(), session.update(user="bob")])
    assert site.told() == [("created", "")]
    assert browser.read() == {"user": "bob"}
    assert len(site.records) == 1


# The old id


def test_the_old_id_shows_for_a_moment_what_was_there_before(site: ServerSite, browser: Browser) -> None:
    old = browser.header
    browser.visit(login)
    browser.visit(put(cart=2))
    site.told()
    site.clock.advance(GRACE)
    assert found(site, old) == {"cart": 1}
    assert site.told() == []
    site.clock.advance(1)
    assert browser.read() == {"cart": 2, "user": "ada"}
    site.clock.advance(MARK_LIFE - GRACE - 1)
    assert found(site, old) == {}
    assert site.told() == [("rejected", "unknown_id")]
    assert browser.read() == {"cart": 2, "user": "ada"}


def test_the_old_id_that_comes_back_later_ends_the_session_for_all(site: ServerSite, browser: Browser) -> None:
    """Its browser has the new one. So one of the two is a thief's, and nobody can say which."""
    old = browser.header
    browser.visit(login)
    handle = site.open(browser.header).handle
    site.clock.advance(GRACE + 1)
    site.told()
    assert found(site, old) == {}
    assert site.told() == [("reused", ""), ("rejected", "reused")]
    assert browser.read() == {}
    assert bytes.fromhex(handle) not in site.records
    assert found(site, old) == {}
    assert site.told() == [("rejected", "unknown_id"), ("rejected", "ended")]


@pytest.mark.parametrize("view", [put(evil=1), put(_permanent=True), lambda session: session.pop("cart")])
def test_a_change_under_the_old_id_is_dropped(site: ServerSite, browser: Browser, view: Any) -> None:
    late = Browser(site)
    late.cookies = dict(browser.cookies)
    browser.visit(login)
    site.told()
    assert late.visit(view) == VARY
    assert site.told() == [("dropped", "ended")]
    assert browser.read() == {"cart": 1, "user": "ada"}
    assert found(site, late.header) == {"cart": 1}


def test_the_old_id_is_neither_refreshed_nor_sealed_anew() -> None:
    site = ServerSite(refresh_interval=1)
    browser = site.begin(cart=1)
    late = Browser(site)
    late.cookies = dict(browser.cookies)
    browser.visit(login)
    before = dict(site.records)
    site.clock.advance(5)
    rotated = ServerSite(OTHER_SECRET, [SECRET], memory=site.memory, clock=site.clock)
    for late.site in (site, rotated):
        assert late.visit(look) == VARY
    assert site.records == before


def test_a_new_id_under_the_old_one_brings_nothing_of_what_was_there(site: ServerSite, browser: Browser) -> None:
    """A stolen id does not survive the new one that was to shut it out."""
    old = browser.header
    browser.visit(regenerate)
    site.told()
    for view, seen, kind in ((regenerate, {}, "dropped"), (login, {"user": "ada"}, "created")):
        again = Request(site, old, view).finish()
        assert again.kinds == [kind]
        assert found(site, again.next_header) == seen
    assert browser.read() == {"cart": 1}


def test_the_end_under_the_old_id_ends_the_session(site: ServerSite, browser: Browser) -> None:
    """Whoever may still read it may sign out; it is the visitor in another tab."""
    late = Browser(site)
    late.cookies = dict(browser.cookies)
    browser.visit(login)
    late.visit(destroy)
    assert browser.read() == {}
    assert site.told()[-1] == ("rejected", "unknown_id")


def test_once_the_new_id_has_ended_the_old_one_shows_nothing(site: ServerSite, browser: Browser) -> None:
    old = browser.header
    browser.visit(login)
    browser.visit(destroy)
    assert found(site, old) == {}


def test_an_old_id_follows_several_new_ones_to_the_end(site: ServerSite, browser: Browser) -> None:
    slow = Request(site, browser.header, put(late=True)).look()
    for _ in range(5):
        browser.visit(regenerate)
        site.clock.advance(2)
    slow.finish()
    assert slow.cookies == {}
    assert browser.read() == {"cart": 1, "late": True}


# Meetings


def test_two_changes_at_once_are_merged(site: ServerSite, browser: Browser) -> None:
    one, other = Request(site, browser.header, put(a=1)).look(), Request(site, browser.header, put(b=2)).look()
    site.asked()
    one.finish()
    assert site.asked() == ["replace"]
    other.finish()
    assert site.asked() == ["replace", "read", "replace"]
    assert ([str(kind) for kind in one.kinds], [str(kind) for kind in other.kinds]) == (["changed"], ["merged"])
    assert browser.read() == {"cart": 1, "a": 1, "b": 2}


def test_two_requests_that_make_the_same_change_write_it_once(site: ServerSite, browser: Browser) -> None:
    one, other = Request(site, browser.header, put(a=1)).look(), Request(site, browser.header, put(a=1)).look()
    one.finish()
    site.asked()
    other.finish()
    assert site.asked() == ["replace", "read"]


def test_a_rule_of_the_application_settles_a_conflict() -> None:
    site = ServerSite(merge={"count": lambda was, mine, theirs: mine + theirs - was})
    browser = site.begin(count=0)

    def count(session: Session) -> None:
        session["count"] += 1

    requests = [Request(site, browser.header, count).look() for _ in range(3)]
    for request in requests:
        request.finish()
    assert browser.read() == {"count": 3}


def test_a_change_and_the_end_at_once_are_the_end(site: ServerSite, browser: Browser) -> None:
    late = Request(site, browser.header, put(late=True)).look()
    browser.visit(destroy)
    late.finish()
    assert late.decision == VARY
    assert [(event.kind.value, event.reason and event.reason.value) for event in late.events] == [("dropped", "ended")]
    assert site.records == {}


def test_the_end_wins_over_a_change_that_was_faster(site: ServerSite, browser: Browser) -> None:
    end = Request(site, browser.header, destroy).look()
    browser.visit(put(a=1))
    end.finish()
    assert (browser.read(), site.records) == ({}, {})


def test_a_refresh_and_the_end_at_once_are_the_end(site: ServerSite, browser: Browser) -> None:
    site.clock.advance(3601)
    late = Request(site, browser.header, look).until("touch")
    browser.visit(destroy)
    late.finish()
    assert (late.decision, late.kinds, site.records) == (VARY, [], {})


def test_a_refresh_and_a_change_at_once_keep_the_change(site: ServerSite, browser: Browser) -> None:
    site.clock.advance(3601)
    late = Request(site, browser.header, look).until("touch")
    browser.visit(put(a=1))
    late.finish()
    assert browser.read() == {"cart": 1, "a": 1}


def test_a_new_id_takes_a_change_along_that_was_faster(site: ServerSite, browser: Browser) -> None:
    renewed = Request(site, browser.header, login).until("replace")
    browser.visit(put(a=1))
    renewed.finish()
    assert found(site, renewed.next_header) == {"cart": 1, "a": 1, "user": "ada"}


def test_a_change_that_was_slower_goes_to_the_new_id_and_its_request_learns_nothing(
    site: ServerSite, browser: Browser
) -> None:
    slow = Request(site, browser.header, put(a=1, _permanent=True)).look()
    old = browser.header
    browser.visit(login)
    slow.finish()
    assert (slow.cookies, slow.seen) == ({}, {"cart": 1})
    assert browser.read() == {"cart": 1, "a": 1, "_permanent": True, "user": "ada"}
    assert found(site, old) == {"cart": 1}


@pytest.mark.parametrize(("late", "kinds"), [(GRACE, ["merged"]), (GRACE + 1, ["dropped"])])
def test_a_change_that_is_slower_than_the_grace_is_dropped(
    site: ServerSite, browser: Browser, late: int, kinds: list[str]
) -> None:
    """Who writes so late may not be the visitor: to sign in is to shut out whoever had the old id."""
    slow = Request(site, browser.header, put(a=1)).look()
    browser.visit(login)
    site.clock.advance(late)
    slow.finish()
    assert slow.kinds == kinds
    assert ("a" in browser.read()) is (kinds == ["merged"])


def test_the_end_reaches_the_new_id_however_late(site: ServerSite, browser: Browser) -> None:
    slow = Request(site, browser.header, destroy).look()
    for _ in range(9):
        browser.visit(regenerate)
        site.clock.advance(60)
    slow.finish()
    assert browser.read() == {}


@pytest.mark.parametrize("method", ["insert", "replace"])
def test_a_new_id_and_the_end_at_once_are_the_end(site: ServerSite, browser: Browser, method: str) -> None:
    renewed = Request(site, browser.header, login).until(method)
    browser.visit(destroy)
    renewed.finish()
    assert (renewed.cookies, renewed.kinds, site.records) == ({}, ["dropped"], {})


def test_two_new_ids_at_once_part(site: ServerSite, browser: Browser) -> None:
    """One of the two may come from somebody who planted the old id: neither learns of the other's."""
    one = Request(site, browser.header, lambda session: (session.update(user="ada"), session.regenerate())).look()
    other = Request(site, browser.header, lambda session: (session.update(user="eve"), session.regenerate())).look()
    one.finish()
    other.finish()
    assert found(site, one.next_header) == {"cart": 1, "user": "ada"}
    assert found(site, other.next_header) == {"cart": 1, "user": "eve"}
    assert one.next_header != other.next_header


# Several cookies of the name


def test_the_same_id_twice_is_one_session(site: ServerSite, browser: Browser) -> None:
    assert found(site, f"{browser.header}; {browser.header}") == {"cart": 1}


def test_of_two_sessions_neither_is_taken_and_neither_is_touched(site: ServerSite, browser: Browser) -> None:
    other = site.begin(cart=2)
    before = dict(site.records)
    for header in (f"{browser.header}; {other.header}", f"{other.header}; {browser.header}"):
        for view in (look, destroy, regenerate):
            session = site.open(header)
            view(session)
            site.commit(session)
            assert site.told()[0] == ("rejected", "ambiguous")
    assert site.records == before


def test_rubbish_and_unknown_ids_beside_a_good_one_are_passed_over(site: ServerSite, browser: Browser) -> None:
    unknown = f"session={write_token(bytes(32))}"
    assert found(site, f"session=rubbish; {unknown}; {browser.header}") == {"cart": 1}
    assert site.asked() == ["read", "read"]
    assert site.told() == [("rejected", "malformed"), ("rejected", "unknown_id")]


def test_four_cookies_of_the_name_are_looked_up(site: ServerSite, browser: Browser) -> None:
    unknown = "; ".join(f"session={write_token(bytes([number]) * 32)}" for number in range(9))
    assert found(site, f"{unknown}; {browser.header}") == {}
    assert site.asked() == ["read"] * 4
