"""What an application works with in the place of some keys is written into the session before this is packed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kit import Browser, ServerSite, Site

from coatcheck import Session, StoreError, UsageError
from coatcheck.drive import run

OWNER = object()


class Counter:
    """Stands for the key `count`."""

    def __init__(self) -> None:
        self.count = 0
        self.known = 0

    def write(self, content: dict[str, Any]) -> bool:
        if self.count < 0:
            raise UsageError("less than nothing")
        changed = self.count != self.known
        if changed:
            content["count"] = self.known = self.count
        return changed


def add(session: Session) -> Counter:
    counter = session.parts().setdefault(OWNER, Counter())
    assert isinstance(counter, Counter)
    return counter


@pytest.fixture(params=[Site, ServerSite])
def site(request: pytest.FixtureRequest) -> Site:
    made: Site = request.param()
    return made


def test_a_session_keeps_what_its_parts_say_when_it_is_committed(site: Site) -> None:
    browser = Browser(site)
    browser.visit(lambda session: setattr(add(session), "count", 3))
    assert browser.read() == {"count": 3}


def test_parts_that_have_changed_nothing_keep_nothing(site: Site) -> None:
    browser = Browser(site)
    assert not browser.visit(add).cookies
    session = site.open(browser.header)
    add(session)
    session.gather()
    assert not session.modified


def test_a_part_that_changed_something_counts_as_a_method_of_the_dict_would(site: Site) -> None:
    session = site.open()
    add(session).count = 1
    session.gather()
    assert session.modified
    assert session == {"count": 1}
    session.gather()
    assert session.modified


@pytest.mark.parametrize("end", [Session.clear, Session.destroy])
def test_a_session_that_ends_forgets_its_parts(site: Site, end: Callable[[Session], None]) -> None:
    browser = Browser(site)
    browser.visit(lambda session: session.update(user="ada"))

    def logout(session: Session) -> None:
        add(session).count = 3
        end(session)

    browser.visit(logout)
    assert browser.cookies == {}


def test_what_a_part_cannot_keep_is_an_error_that_can_be_put_right(site: Site) -> None:
    session = site.open()
    counter = add(session)
    counter.count = -1
    assert not session.settled()
    with pytest.raises(UsageError, match="less than nothing"):
        site.commit(session)
    session.reopen()
    assert not site.commit(session).cookies
    counter.count = 2
    session.reopen()
    assert site.commit(session).cookies


def test_a_late_change_of_a_part_is_kept_on_the_server() -> None:
    site = ServerSite()
    browser = site.begin(user="ada")
    session = site.open(browser.header)
    counter = add(session)
    site.commit(session)
    assert session.settled()
    counter.count = 5
    assert not session.settled()
    assert run(site.engine.keep(session, now=site.clock()), site.stores)
    assert browser.read() == {"user": "ada", "count": 5}
    counter.count = -1
    with pytest.raises(UsageError, match="less than nothing"):
        run(site.engine.keep(session, now=site.clock()), site.stores)


def test_a_late_change_of_a_part_is_refused_where_the_session_is_in_its_cookie() -> None:
    site = Site()
    browser = Browser(site)
    browser.visit(lambda session: session.update(user="ada"))
    session = site.open(browser.header)
    assert not session.too_late
    counter = add(session)
    site.commit(session)
    assert session.too_late
    counter.count = 5
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        run(site.engine.keep(session, now=site.clock()), site.stores)


def test_a_session_that_others_have_ended_forgets_its_parts() -> None:
    site = ServerSite()
    browser = site.begin(user="ada")
    session = site.open(browser.header)
    counter = add(session)
    site.commit(session)
    assert not session.too_late
    browser.visit(lambda other: other.destroy())
    counter.count = 5
    assert not run(site.engine.keep(session, now=site.clock()), site.stores)
    assert session.parts() == {}


def test_while_the_store_is_down_what_a_part_changed_is_said_to_be_dropped() -> None:
    site = ServerSite(store_down="empty")
    browser = site.begin(user="ada")
    site.store.down = True
    session = site.open(browser.header)
    add(session).count = 1
    site.told()
    assert not site.commit(session).cookies
    assert ("dropped", "store_down") in site.told()


def test_without_a_store_that_answers_there_are_no_parts() -> None:
    site = ServerSite()
    browser = site.begin(user="ada")
    site.store.down = True
    with pytest.raises(StoreError):
        add(site.open(browser.header))
