"""Interleavings that once went wrong, operation by operation. Each was found by `test_model.py`, or beside it."""

from __future__ import annotations

from typing import Any

import pytest
from kit import Site
from races.steps import Fault, Request, View

from coatcheck import Kind, Session
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock


def put(**items: Any) -> View:
    return lambda session: session.update(items)


def look(session: Session) -> None:
    session.get("user")


def regenerate(session: Session) -> None:
    session.regenerate()


def destroy(session: Session) -> None:
    session.destroy()


def begin(site: Site, **items: Any) -> str:
    """Gives the `Cookie` header of a browser with a new session."""
    return Request(site, "", put(**items)).finish().next_header


def seen(site: Site, header: str) -> dict[str, Any] | None:
    """Gives what a new request finds."""
    return Request(site, header, look).look().seen


class Sites:
    """The same sessions before and after a change of the configuration, by one clock."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.first, self.second = MemoryStore(clock=self.clock), MemoryStore(clock=self.clock)
        self.options = {"clock": self.clock, **options}

    def site(self, **options: Any) -> Site:
        return Site(**{**self.options, **options})


@pytest.fixture
def sites() -> Sites:
    return Sites()


@pytest.fixture
def site(sites: Sites) -> Site:
    """One store, and nothing else."""
    return sites.site(store=sites.first)


@pytest.fixture
def sealed(sites: Sites) -> Site:
    """Before the move: sessions in their cookies."""
    return sites.site()


@pytest.fixture
def before(sites: Sites) -> Site:
    """Before the move: another store."""
    return sites.site(store=sites.second)


@pytest.fixture
def after(sites: Sites) -> Site:
    """After the move from the other store."""
    return sites.site(store=sites.first, earlier_store=sites.second)


# Logout


def test_a_slow_logout_reaches_an_id_that_was_given_long_after_it_began(site: Site) -> None:
    header = begin(site, user="ada")
    logout = Request(site, header, destroy).look()
    first = Request(site, header, regenerate).finish()
    second = Request(site, first.next_header, regenerate).finish()
    site.clock.advance(11)
    logout.finish()
    assert seen(site, second.next_header) == {}


def test_after_logout_an_id_that_was_replaced_a_moment_ago_shows_nothing(site: Site) -> None:
    header = begin(site, user="ada")
    renewed = Request(site, header, regenerate).finish()
    Request(site, renewed.next_header, destroy).finish()
    assert seen(site, header) == {}


def test_after_logout_an_id_that_was_replaced_a_moment_ago_begins_no_session(site: Site) -> None:
    header = begin(site, user="ada")
    renewed = Request(site, header, regenerate).finish()
    Request(site, renewed.next_header, destroy).finish()
    again = Request(site, header, regenerate).finish()
    assert seen(site, again.next_header) == {}


def test_logout_between_the_look_and_the_save_keeps_a_replaced_id_from_beginning_a_session(site: Site) -> None:
    header = begin(site, user="ada")
    renewed = Request(site, header, regenerate).finish()
    late = Request(site, header, regenerate).look()
    Request(site, renewed.next_header, destroy).finish()
    late.finish()
    assert late.kinds[-1:] == [Kind.DROPPED]
    assert seen(site, late.next_header) == {}


def test_two_logouts_with_an_id_that_was_replaced_leave_nothing(site: Site) -> None:
    header = begin(site, user="ada")
    early = Request(site, header, destroy).look()
    renewed = Request(site, header, regenerate).finish()
    late = Request(site, header, destroy).look()
    late.until("replace").step()
    early.finish()
    assert seen(site, renewed.next_header) == {}


def test_a_logout_with_an_id_that_was_replaced_works_the_second_time(site: Site) -> None:
    header = begin(site, user="ada")
    logout = Request(site, header, destroy, again=put(sorry=True)).look()
    renewed = Request(site, header, regenerate).finish()
    logout.until("replace").step()
    logout.until("replace").step(Fault.AFTER)
    logout.finish()
    assert logout.error is None
    assert seen(site, renewed.next_header) == {}
    assert seen(site, logout.next_header) == {"sorry": True}


# Two new ids at once


def test_a_second_new_id_keeps_what_was_written_before_the_first_took_the_place(site: Site) -> None:
    header = begin(site, user="ada")
    first, second = Request(site, header, regenerate).look(), Request(site, header, regenerate).until("replace")
    Request(site, header, put(colour="red")).finish()
    first.finish()
    second.finish()
    assert seen(site, first.next_header) == {"user": "ada", "colour": "red"}
    assert seen(site, second.next_header) == {"user": "ada", "colour": "red"}


# Merging


def test_the_later_save_counts_although_an_earlier_one_said_the_same(site: Site) -> None:
    header = begin(site, count=0)
    late = Request(site, header, put(count=5, mine=True)).look()
    Request(site, header, put(count=5)).finish()
    late.until("replace").step()
    late.until("replace")
    Request(site, header, put(count=7)).finish()
    late.finish()
    assert seen(site, header) == {"count": 5, "mine": True}


def test_a_deletion_counts_although_an_earlier_request_deleted_the_same(site: Site) -> None:
    header = begin(site, count=0)

    def delete(session: Session) -> None:
        session.pop("count")

    late = Request(site, header, lambda session: (delete(session), session.update(mine=True))).look()
    Request(site, header, lambda session: (delete(session), session.update(other=True))).finish()
    late.until("replace").step()
    late.until("replace")
    Request(site, header, put(count=7)).finish()
    late.finish()
    assert seen(site, header) == {"mine": True, "other": True}


def test_a_rule_counts_once_where_the_store_was_asked_twice_for_a_new_record(sites: Sites) -> None:
    site = sites.site(store=sites.first, merge={"count": lambda was, mine, other: mine + other - (was or 0)})
    request = Request(site, "", put(count=1)).until("insert")
    request.step(Fault.TWICE)
    request.finish()
    assert seen(site, request.next_header) == {"count": 1}


# From the cookie


def test_a_new_id_for_a_sealed_session_keeps_what_another_request_wrote(sealed: Site, site: Site) -> None:
    header = begin(sealed, user="ada")
    renewed = Request(site, header, regenerate).look()
    Request(site, header, put(colour="red")).finish()
    renewed.finish()
    assert seen(site, renewed.next_header) == {"user": "ada", "colour": "red"}


def test_a_second_new_id_for_a_sealed_session_leaves_the_first_in_reach_of_a_logout(sealed: Site, site: Site) -> None:
    header = begin(sealed, user="ada")
    first, second = Request(site, header, regenerate).look(), Request(site, header, regenerate).look()
    Request(site, header, look).finish()
    logout = Request(site, header, destroy).look()
    first.finish()
    second.finish()
    logout.finish()
    assert seen(site, first.next_header) == {}


def test_a_session_that_was_emptied_does_not_come_back_from_its_sealed_cookie(sealed: Site, site: Site) -> None:
    header = begin(sealed, user="ada")
    Request(site, header, lambda session: session.pop("user")).finish()
    site.clock.advance(3600)
    assert seen(site, header) == {}


def test_a_sealed_cookie_that_was_planted_is_not_logged_in_with_its_victim(sealed: Site, site: Site) -> None:
    header = begin(sealed, cart=1)
    Request(site, header, lambda session: (session.update(user="ada"), session.regenerate())).finish()
    assert seen(site, header) == {"cart": 1}


def test_a_login_that_fails_half_way_leaves_the_planted_cookie_as_it_was(sealed: Site, site: Site) -> None:
    header = begin(sealed, cart=1)
    login = Request(site, header, lambda session: (session.update(user="ada"), session.regenerate())).until("insert")
    login.step()
    login.until("insert").step(Fault.BEFORE)
    assert login.error is not None
    assert seen(site, header) == {"cart": 1}


# From another store


def test_an_id_from_another_store_that_was_planted_is_not_logged_in(before: Site, after: Site) -> None:
    header = begin(before, cart=1)
    Request(after, header, lambda session: (session.update(user="ada"), session.regenerate())).finish()
    assert seen(after, header) == {"cart": 1}


def test_a_session_that_moves_between_two_reads_is_found(before: Site, after: Site) -> None:
    header = begin(before, user="ada")
    reader = Request(after, header, look)
    reader.step()
    Request(after, header, look).finish()
    reader.finish()
    assert reader.seen == {"user": "ada"}


def test_an_id_that_is_replaced_while_it_comes_home_does_not_lead_to_the_new_one(before: Site, after: Site) -> None:
    header = begin(before, cart=1)
    planted = Request(after, header, put(colour="red"))
    planted.step()
    login = Request(after, header, lambda session: (session.update(user="ada"), session.regenerate())).finish()
    planted.finish()
    assert planted.seen == {"cart": 1}
    assert planted.cookies == {}
    assert "user" in (seen(after, login.next_header) or {})


def test_a_slow_request_does_not_bring_back_what_was_emptied_after_it_came_home(before: Site, after: Site) -> None:
    header = begin(before, user="ada")
    slow = Request(after, header, look).look()
    Request(after, header, lambda session: session.pop("user")).finish()
    after.clock.advance(300)
    slow.finish()
    assert seen(after, header) == {}


def test_nobody_sees_a_session_that_was_destroyed_while_it_moved(before: Site, after: Site) -> None:
    header = begin(before, user="ada")
    mover, logout = Request(after, header, look).look(), Request(after, header, destroy).look()
    mover.until("replace")
    logout.finish()
    assert seen(after, header) == {}
    mover.finish()
    assert seen(after, header) == {}


def test_an_id_that_was_replaced_is_not_moved(before: Site, after: Site) -> None:
    header = begin(before, user="ada")
    mover = Request(after, header, put(colour="red")).look()
    renewed = Request(after, header, regenerate).finish()
    mover.finish()
    after.clock.advance(11)
    assert seen(after, renewed.next_header) == {"user": "ada", "colour": "red"}
    assert seen(after, header) == {}
    assert mover.cookies == {}


def test_a_move_that_is_disturbed_keeps_what_others_wrote_in_the_new_place(before: Site, after: Site) -> None:
    header = begin(before, user="ada")
    mover = Request(after, header, put(a=1)).look().until("replace")
    Request(after, header, put(b=2)).finish()
    Request(before, header, put(c=3)).finish()
    mover.finish()
    assert seen(after, header) == {"user": "ada", "a": 1, "b": 2, "c": 3}


def test_a_move_is_finished_although_the_answer_to_its_first_half_was_lost(before: Site, after: Site) -> None:
    header = begin(before, user="ada")
    mover = Request(after, header, look).until("insert")
    mover.step(Fault.TWICE)
    mover.finish()
    Request(after, header, destroy).finish()
    assert seen(before, header) == {}


def test_a_session_that_moves_to_its_cookie_survives_a_lost_answer(before: Site, sites: Sites) -> None:
    back = sites.site(earlier_store=sites.second)
    header = begin(before, user="ada")
    mover = Request(back, header, look).until("replace")
    mover.step(Fault.AFTER)
    mover.finish()
    back.clock.advance(11)
    assert seen(back, mover.next_header or header) == {"user": "ada"}


# Under another cookie name


def test_two_requests_with_the_earlier_cookie_name_meet_at_one_session(sites: Sites) -> None:
    first = sites.site(store=sites.first, cookie_name="earlier")
    renamed = sites.site(store=sites.first, earlier_cookie_names=("earlier",))
    header = begin(first, user="ada")
    writer, reader = Request(renamed, header, put(colour="red")).look(), Request(renamed, header, look).look()
    writer.finish()
    reader.finish()
    assert seen(renamed, reader.next_header) == {"user": "ada", "colour": "red"}


# The page that tells of the error


def test_what_an_error_page_sets_is_kept_under_the_new_id(site: Site) -> None:
    header = begin(site, user="ada")
    renewed = Request(site, header, regenerate, again=put(sorry=True)).until("insert")
    renewed.step(Fault.AFTER)
    renewed.finish()
    assert seen(site, renewed.next_header) == {"user": "ada", "sorry": True}


def test_an_error_page_keeps_what_the_first_try_had_merged_in(site: Site) -> None:
    header = begin(site, user="ada")
    request = Request(site, header, put(mine=1), again=put(sorry=True)).look()
    Request(site, header, put(other=2)).finish()
    request.until("replace").step()
    request.until("replace").step(Fault.AFTER)
    request.finish()
    assert seen(site, header) == {"user": "ada", "mine": 1, "other": 2, "sorry": True}


def test_an_error_page_keeps_what_the_view_changed_before_it_got_a_new_id(sealed: Site, site: Site) -> None:
    header = begin(sealed, user="ada")
    view = lambda session: (session.update(mine=1), session.regenerate())  # noqa: E731
    renewed = Request(site, header, view, again=put(sorry=True)).until("insert")
    renewed.step(Fault.BEFORE)
    renewed.finish()
    assert seen(site, renewed.next_header) == {"user": "ada", "mine": 1, "sorry": True}


def test_an_error_page_keeps_what_another_wrote_under_the_new_id(site: Site) -> None:
    header = begin(site, user="ada")
    writer = Request(site, header, put(other=2)).look()
    renewed = Request(site, header, regenerate, again=put(sorry=True)).until("replace")
    renewed.step(Fault.AFTER)
    renewed.step(Fault.BEFORE)
    writer.finish()
    renewed.finish()
    assert seen(site, renewed.next_header) == {"user": "ada", "other": 2, "sorry": True}


def test_a_rule_counts_once_where_the_answer_was_lost_and_an_error_page_sets_more(sites: Sites) -> None:
    site = sites.site(store=sites.first, merge={"count": lambda was, mine, other: mine + other - was})
    header = begin(site, count=0)

    def count(session: Session) -> None:
        session["count"] += 1

    request = Request(site, header, count, again=put(sorry=True)).until("replace")
    request.step(Fault.AFTER)
    request.finish()
    assert seen(site, header) == {"count": 1, "sorry": True}
