"""A store that is down, loses answers, or holds what nobody can read: what a request gets, and what is kept."""

from __future__ import annotations

from typing import Any

import pytest
from kit import Browser, ServerSite, Site, look, put
from races.steps import Fault, Request

from coatcheck import Session, StoreError
from coatcheck.core.engine import Decision
from coatcheck.core.merge import LIMIT_BYTES
from coatcheck.core.records import TRIES
from coatcheck.stores import StoredRecord
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

NOTHING = Decision(vary=False)
VARY = Decision(vary=True)


def regenerate(session: Session) -> None:
    session.regenerate()


def destroy(session: Session) -> None:
    session.destroy()


@pytest.fixture
def site() -> ServerSite:
    return ServerSite()


@pytest.fixture
def browser(site: ServerSite) -> Browser:
    return site.begin(user=1)


@pytest.fixture
def lenient() -> ServerSite:
    """Goes on without sessions while the store is down."""
    return ServerSite(store_down="empty")


# Down


def test_a_look_while_the_store_is_down_is_an_error(site: ServerSite, browser: Browser) -> None:
    site.store.down = True
    for _ in range(2):
        session = site.open(browser.header)
        for _ in range(2):
            with pytest.raises(StoreError):
                session.get("user")
    site.store.down = False
    assert session.get("user") == 1
    assert site.told() == []


@pytest.mark.parametrize("header", ["", "other=1", "session=rubbish", "session="])
def test_whoever_has_no_id_is_served_while_the_store_is_down(site: ServerSite, header: str) -> None:
    site.store.down = True
    session = site.open(header)
    assert dict(session) == {}
    assert site.commit(session) == VARY
    assert site.commit(site.open(header)) == NOTHING


def test_a_request_that_does_not_look_is_served_while_the_store_is_down(site: ServerSite, browser: Browser) -> None:
    site.store.down = True
    assert browser.visit() == NOTHING
    assert site.asked() == []


@pytest.mark.parametrize("view", [put(user=2), regenerate, destroy, Session.clear, lambda session: session.pop("user")])
def test_what_cannot_be_kept_is_an_error_and_sends_no_cookie(site: ServerSite, browser: Browser, view: Any) -> None:
    session = site.open(browser.header)
    view(session)
    site.store.down = True
    with pytest.raises(StoreError):
        site.commit(session)
    assert site.commit(session) == VARY
    site.store.down = False
    assert browser.read() == {"user": 1}
    assert site.told() == []


def test_a_second_try_keeps_what_the_first_could_not(site: ServerSite, browser: Browser) -> None:
    session = site.open(browser.header)
    session["user"] = 2
    site.store.down = True
    with pytest.raises(StoreError):
        site.commit(session)
    site.store.down = False
    session["sorry"] = True
    site.commit(session)
    assert browser.read() == {"user": 2, "sorry": True}


def test_a_refresh_that_fails_is_no_error(site: ServerSite, browser: Browser) -> None:
    site.clock.advance(3601)
    session = site.open(browser.header)
    look(session)
    site.store.down = True
    assert site.commit(session) == VARY
    assert site.told() == [("dropped", "store_down")]
    site.store.down = False
    browser.visit(look)
    assert site.told() == [("refreshed", "")]


# Down, and the settings have requests go on


def test_a_look_gives_an_empty_session_where_the_settings_say_so(lenient: ServerSite) -> None:
    browser = lenient.begin(user=1)
    lenient.store.down = True
    session = lenient.open(browser.header)
    assert session.new and dict(session) == {}
    assert lenient.commit(session) == VARY
    assert lenient.told() == [("rejected", "store_down")]
    lenient.store.down = False
    assert browser.read() == {"user": 1}


@pytest.mark.parametrize(
    "view", [put(user=2), regenerate, look, lambda session: (look(session), setattr(session, "modified", True))]
)
def test_that_empty_session_overwrites_nothing_even_when_the_store_is_back(lenient: ServerSite, view: Any) -> None:
    browser = lenient.begin(user=1)
    lenient.store.down = True
    session = lenient.open(browser.header)
    view(session)
    lenient.store.down = False
    lenient.asked()
    assert lenient.commit(session) == VARY
    assert lenient.asked() == []
    assert browser.read() == {"user": 1}
    wanted = session.modified
    assert lenient.told() == [("rejected", "store_down")] + [("dropped", "store_down")] * wanted


@pytest.mark.parametrize("view", [destroy, Session.clear])
def test_nobody_is_told_of_a_logout_that_did_not_happen(lenient: ServerSite, view: Any) -> None:
    browser = lenient.begin(user=1)
    lenient.store.down = True
    session = lenient.open(browser.header)
    view(session)
    with pytest.raises(StoreError, match="could not be ended"):
        lenient.commit(session)
    assert lenient.commit(session) == VARY
    lenient.store.down = False
    assert browser.read() == {"user": 1}


def test_a_new_session_that_cannot_be_kept_is_an_error_all_the_same(lenient: ServerSite) -> None:
    lenient.store.down = True
    with pytest.raises(StoreError):
        Browser(lenient).visit(put(user=1))


def test_the_settings_have_no_say_in_what_else_is_wrong(lenient: ServerSite) -> None:
    browser = lenient.begin(user=1)
    lenient.store._store = None  # type: ignore[assignment]  # noqa: SLF001  # a defect, and no outage
    with pytest.raises(AttributeError):
        browser.read()


# Lost answers


@pytest.mark.parametrize(
    ("view", "method", "after"),
    [(put(a=1), "replace", {"user": 1, "a": 1}), (destroy, "replace", {}), (destroy, "delete", {})],
)
def test_an_operation_whose_answer_was_lost_has_taken_place(
    site: ServerSite, browser: Browser, view: Any, method: str, after: dict[str, Any]
) -> None:
    request = Request(site, browser.header, view).until(method)
    request.step(Fault.AFTER)
    assert request.error is not None and request.cookies == {}
    assert browser.read() == after


def test_a_new_session_whose_answer_was_lost_is_nobody_s(site: ServerSite) -> None:
    request = Request(site, "", put(user=1)).until("insert")
    request.step(Fault.AFTER)
    assert request.error is not None and request.cookies == {}


def test_a_new_session_is_made_once_although_an_error_page_tries_again(site: ServerSite) -> None:
    request = Request(site, "", put(user=1), again=put(sorry=True)).until("insert")
    request.step(Fault.AFTER)
    request.finish()
    assert dict(site.open(request.next_header)) == {"user": 1, "sorry": True}
    assert len(site.records) == 1


def test_a_new_id_is_sent_although_the_answer_was_lost(site: ServerSite, browser: Browser) -> None:
    """The old id is dead: without the new one the visitor is logged out."""
    request = Request(site, browser.header, regenerate).until("replace")
    request.step(Fault.AFTER)
    request.finish()
    assert request.error is None
    assert dict(site.open(request.next_header)) == {"user": 1}


@pytest.mark.parametrize("method", ["insert", "replace"])
def test_a_new_id_that_could_not_be_made_leaves_the_old_one(site: ServerSite, browser: Browser, method: str) -> None:
    request = Request(site, browser.header, regenerate).until(method)
    request.step(Fault.BEFORE)
    request.finish()
    assert request.error is not None and request.cookies == {}
    assert browser.read() == {"user": 1}


def test_a_new_id_that_an_error_page_asks_for_again_is_the_same_one(site: ServerSite, browser: Browser) -> None:
    request = Request(site, browser.header, regenerate, again=put(sorry=True)).until("insert")
    request.step(Fault.AFTER)
    request.finish()
    assert dict(site.open(request.next_header)) == {"user": 1, "sorry": True}
    assert len(site.records) == 2


def test_a_change_that_the_client_of_the_store_repeats_is_kept_once() -> None:
    site = ServerSite(merge={"count": lambda was, mine, theirs: mine + theirs - was})
    browser = site.begin(count=0)
    request = Request(site, browser.header, put(count=1)).until("replace")
    request.step(Fault.TWICE)
    request.finish()
    assert (request.kinds, browser.read()) == (["changed"], {"count": 1})


# Conflicts without end


class Contested(MemoryStore):
    """Another request is always faster with these keys."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock=clock)
        self.contested: set[bytes] = set()
        self.tries = 0

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        if key in self.contested:
            self.tries += 1
            present = self._records[key]
            super().replace(key, present, present.version)
        return super().replace(key, record, seen)


@pytest.mark.parametrize(
    ("view", "says"),
    [(put(user=2), "tried to keep it"), (regenerate, "gave it another id"), (put(user=2, _permanent=True), "keep it")],
)
def test_a_conflict_that_does_not_end_is_an_error(view: Any, says: str) -> None:
    store = Contested(Clock())
    site = ServerSite(memory=store)
    browser = site.begin(user=1)
    store.contested = set(site.records)
    with pytest.raises(StoreError, match=f"changed by others {TRIES} times while this request .*{says}"):
        browser.visit(view)
    assert TRIES <= store.tries <= TRIES + 1
    store.contested.clear()
    assert browser.read() == {"user": 1}


def test_a_conflict_that_does_not_end_is_no_way_to_keep_a_session_alive() -> None:
    store = Contested(Clock())
    site = ServerSite(memory=store)
    browser = site.begin(user=1)
    store.contested = set(site.records)
    browser.visit(destroy)
    assert (browser.read(), browser.cookies, site.records) == ({}, {}, {})


# What nobody can read


def spoil(site: ServerSite, content: bytes) -> None:
    """Puts other bytes into the one record."""
    ((key, record),) = site.records.items()
    site.memory._put(key, record._replace(content=content))  # noqa: SLF001  # as whoever can write to the store


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", bytes(100), b"x" * (LIMIT_BYTES + 129)])
def test_a_record_that_is_none_is_an_empty_session_and_stays(
    site: ServerSite, browser: Browser, content: bytes
) -> None:
    spoil(site, content)
    for view in (look, destroy, put(user=2)):
        site.open(browser.header)
        visitor = Browser(site)
        visitor.cookies = dict(browser.cookies)
        visitor.visit(view)
        assert site.told()[0][0] == "rejected"
    assert len(site.records) == 2
    assert next(iter(site.records.values())).content == content


@pytest.mark.parametrize("view", [put(user=2), regenerate, destroy])
def test_a_record_that_becomes_none_under_way_is_not_overwritten(site: ServerSite, browser: Browser, view: Any) -> None:
    request = Request(site, browser.header, view).look()
    spoil(site, b"rubbish")
    request.finish()
    assert [record.content for record in site.records.values()] == [b"rubbish"]
    assert request.next_header == ""


def test_where_there_is_no_store_an_id_is_no_session(browser: Browser) -> None:
    site = Site()
    assert dict(site.open(browser.header)) == {}
    assert [event.reason for event in site.events] == ["malformed"]
