"""How a session closes: passed by, committed without generators, shut, or renewed though nothing has changed."""

from __future__ import annotations

from typing import Any

import pytest
from kit import Browser, ServerSite, Site, Visit, look, put

from coatcheck import Event, Session, Unserializable, UsageError
from coatcheck.core.cookie import HEADER_BYTES
from coatcheck.core.engine import Decision
from coatcheck.core.events import Kind
from coatcheck.drive import run

LATE = "the headers of this response are gone"


def visited(site: Site, **items: Any) -> Browser:
    browser = Browser(site)
    browser.visit(put(**(items or {"user": "ann"})))
    return browser


# Passed by


def test_a_session_that_nobody_looked_at_is_passed_by_and_closed() -> None:
    browser = visited(Site())
    session = browser.site.open(browser.header)
    assert session.pass_by() is True
    with pytest.raises(UsageError, match=LATE):
        session["user"] = "bob"


def test_a_session_that_was_looked_at_or_is_to_be_sent_is_not_passed_by() -> None:
    browser = visited(Site())
    looked, forced = (browser.site.open(browser.header) for _ in range(2))
    look(looked)
    forced.modified = True
    assert looked.pass_by() is forced.pass_by() is False
    for session in (looked, forced):
        session["user"] = "bob"


def test_an_engine_says_whether_it_sends_permanent_sessions_always() -> None:
    assert Site(refresh_interval=0).engine.sends_always is True
    assert Site().engine.sends_always is False


def test_an_engine_without_a_store_asks_none() -> None:
    assert Site().engine.asks("session=x") is False
    site = ServerSite()
    assert [site.engine.asks(header) for header in ("session=x", "other=x", "")] == [True, False, False]


# Without generators


def test_what_needs_no_store_is_decided_alike_without_generators() -> None:
    site = Site()
    browser = visited(site)
    headers = (browser.header, "", "session=x", f"{browser.header}; session=x", "x=" + "y" * HEADER_BYTES)
    for header in headers:
        plain = run(site.engine.load(header, now=site.clock()))
        shorter = site.engine.load_sealed(header, site.clock())
        assert shorter in (None, plain)
    assert site.engine.load_sealed(browser.header, site.clock()) is not None
    session = site.open(browser.header)
    session["more"] = 1
    decision = site.engine.commit_sealed(session, site.clock(), True)
    assert decision is not None and decision.cookies and decision.vary
    assert site.engine.commit_sealed(site.open(), site.clock(), True) == Decision(False)


def test_a_commit_that_is_broken_off_has_kept_nothing() -> None:
    """A listener of the application raises, say."""

    class Breaking(list[Event]):
        def append(self, event: Event) -> None:
            if event.kind is Kind.CHANGED:
                raise ZeroDivisionError
            super().append(event)

    site = Site()
    browser = visited(site)
    site.engine._committer._emit = Breaking().append  # noqa: SLF001
    session = site.open(browser.header)
    session["more"] = [1]
    with pytest.raises(ZeroDivisionError):
        site.commit(session)
    assert not session.settled()
    with pytest.raises(UsageError, match=LATE):
        run(site.engine.keep(session, now=site.clock()))


# Shut


def test_a_session_that_is_shut_is_changed_no_more() -> None:
    for site in (Site(), ServerSite()):
        browser = visited(site)
        session = site.open(browser.header)
        look(session)
        assert session.too_late is False
        session.shut()
        assert session.too_late is True
        assert session["user"] == "ann"
        with pytest.raises(UsageError, match=LATE):
            session["user"] = "bob"


# Renewed


@pytest.mark.parametrize("site", [Site(), ServerSite()], ids=["cookie", "store"])
def test_an_engine_says_what_it_would_write_again(site: Site) -> None:
    browser = visited(site)

    def renews(session: Visit) -> object:
        found: bool = site.engine.renews(session, now=site.clock())
        return found

    session = site.open(browser.header)
    assert renews(session) is False
    look(session)
    assert renews(session) is False
    site.clock.advance(4000)
    assert renews(session) is True
    session.destroy()
    assert renews(session) is False
    assert renews(site.open()) is False


# Parts


class Counter:
    """Stands for one key of a session."""

    def __init__(self) -> None:
        self.count: Any = 0

    def write(self, content: dict[str, Any]) -> bool:
        before = content.get("count", 0)
        if self.count and not isinstance(self.count, int):
            raise Unserializable("session['count']", "is no number")
        content["count"] = self.count
        return bool(before != self.count)


def counter_of(session: Session) -> Counter:
    parts: Any = session.parts()
    found: Counter = parts.setdefault("counter", Counter())
    return found


@pytest.mark.parametrize("site", [Site(), ServerSite()], ids=["cookie", "store"])
def test_what_a_part_was_changed_to_is_kept(site: Site) -> None:
    browser = visited(site)
    session = site.open(browser.header)
    counter_of(session).count += 1
    assert not session.settled()
    (decision,) = [site.commit(session)]
    assert bool(decision.cookies) == (not isinstance(site, ServerSite))
    assert session.settled()
    assert session.modified
    assert counter_of(session).count == 1


def test_what_a_part_is_changed_to_late_is_kept_in_a_store_and_an_error_elsewhere() -> None:
    server, sealed = ServerSite(), Site()
    for site in (server, sealed):
        browser = visited(site, count=1)
        session = site.open(browser.header)
        counter_of(session).count = 1
        site.commit(session)
        counter_of(session).count += 1
        assert not session.settled()
        if site is server:
            assert run(site.engine.keep(session, now=site.clock()), site.stores) is True
            assert browser.read()["count"] == 2
        else:
            with pytest.raises(UsageError, match=LATE):
                run(site.engine.keep(session, now=site.clock()))


def test_a_part_that_cannot_be_written_is_the_error_of_whoever_keeps_it() -> None:
    site = ServerSite()
    browser = visited(site)
    for late in (False, True):
        session = site.open(browser.header)
        counter = counter_of(session)
        if late:
            site.commit(session)
        counter.count = "many"
        assert not session.settled()
        with pytest.raises(Unserializable):
            run(site.engine.keep(session, now=site.clock()), site.stores) if late else site.commit(session)


@pytest.mark.parametrize("end", [Session.clear, Session.destroy])
def test_a_session_that_ends_forgets_its_parts(end: Any) -> None:
    browser = visited(Site())
    session = browser.site.open(browser.header)
    counter_of(session).count = 5
    end(session)
    assert counter_of(session).count == 0
