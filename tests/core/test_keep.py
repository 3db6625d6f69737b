"""What is changed when the response has begun: kept where a store exists, and an error otherwise."""

from __future__ import annotations

import gc
from collections.abc import Callable
from secrets import token_hex
from typing import Any

import pytest
from attacks.harness import locals_shown
from kit import Browser, ServerSite, Site, Visit, look, put

from coatcheck import Event, Session, SessionTooLarge, StoreError, Unserializable, UsageError
from coatcheck.core.events import Kind, Reason
from coatcheck.core.merge import Draft
from coatcheck.drive import run

COUNT = {"count": lambda was, mine, theirs: theirs + mine - (was or 0)}


def keep(site: Site, session: Session) -> bool:
    return run(site.engine.keep(session, now=site.clock()), site.stores)


def begun(browser: Browser, view: Callable[[Session], object] = look) -> Visit:
    """Gives the session of a request whose response has begun."""
    session = browser.site.open(browser.header)
    view(session)
    browser.site.commit(session)
    return session


@pytest.fixture
def site() -> ServerSite:
    return ServerSite(merge=COUNT)


@pytest.fixture
def browser(site: ServerSite) -> Browser:
    return site.begin(user="ann", cart=[1], count=0)


# Sealed in the cookie


def test_nothing_is_to_be_kept_of_a_session_that_nobody_looked_at() -> None:
    site = Site()
    session = site.open("session=x")
    site.commit(session)
    assert keep(site, session) is True
    assert session.loads == 0


def test_nothing_is_to_be_kept_where_nothing_was_changed() -> None:
    browser = Browser(Site())
    browser.visit(put(user="ann"))
    assert keep(browser.site, begun(browser)) is True


def test_a_change_deep_inside_is_an_error_each_time_it_is_to_be_kept() -> None:
    browser = Browser(Site())
    browser.visit(put(cart=[1]))
    session = begun(browser)
    session["cart"].append(2)
    browser.site.events.clear()
    for _ in range(2):
        with pytest.raises(UsageError, match="the headers of this response are gone"):
            keep(browser.site, session)
    assert browser.site.events == [Event(Kind.DROPPED, Reason.LATE)] * 2


def test_a_change_before_the_response_is_no_late_one() -> None:
    browser = Browser(Site())
    session = browser.site.open()
    session["user"] = "ann"
    with pytest.raises(UsageError, match="with the headers of a response"):
        keep(browser.site, session)
    assert browser.site.events == []
    assert "session=" in browser.site.commit(session).cookies[0]
    assert keep(browser.site, session) is True


def test_a_session_that_moves_to_its_cookie_is_changed_no_more(site: ServerSite, browser: Browser) -> None:
    leaving = Site(clock=site.clock, earlier_store=site.store)
    session = leaving.open(browser.header)
    session["more"] = 1
    leaving.commit(session)
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        session["more"] = 2
    session["cart"].append(2)
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        keep(leaving, session)


# On the server


@pytest.mark.parametrize("view", [look, put(early=1)])
def test_a_change_is_kept(site: ServerSite, browser: Browser, view: Callable[[Session], object]) -> None:
    session = begun(browser, view)
    session["late"] = True
    session["cart"].append(2)
    assert keep(site, session) is True
    assert browser.read() == {**session, "late": True, "cart": [1, 2]}
    assert site.told()[-1] == ("changed", "")


def test_a_change_of_a_session_that_this_response_has_begun_is_kept(site: ServerSite) -> None:
    browser = Browser(site)
    session = site.open()
    session["user"] = "ann"
    (cookie,) = site.commit(session).cookies
    browser.cookies = dict([cookie.partition(";")[0].split("=")])
    site.clock.advance(5)
    session["late"] = True
    assert keep(site, session) is True
    assert browser.read() == {"user": "ann", "late": True}
    assert site.open(browser.header).created_at == session.created_at


def test_a_change_after_a_new_id_is_kept_under_the_new_one(site: ServerSite, browser: Browser) -> None:
    old = dict(browser.cookies)
    session = site.open(browser.header)
    session.regenerate()
    (cookie,) = site.commit(session).cookies
    session["late"] = True
    assert keep(site, session) is True
    assert "late" not in browser.read()
    browser.cookies = dict([cookie.partition(";")[0].split("=")])
    assert browser.read()["late"] is True
    assert browser.cookies != old


def test_a_visitor_who_has_no_session_gets_none_late(site: ServerSite) -> None:
    session = site.open()
    look(session)
    site.commit(session)
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        session["user"] = "ann"
    assert keep(site, session) is True
    assert site.records == {}


def test_nobody_gets_a_new_id_late(site: ServerSite, browser: Browser) -> None:
    session = begun(browser)
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        session.regenerate()
    assert keep(site, session) is True
    assert browser.read()["user"] == "ann"


@pytest.mark.parametrize("end", [Session.destroy, Session.clear])
def test_a_late_end_is_the_end(site: ServerSite, browser: Browser, end: Callable[[Session], None]) -> None:
    session = begun(browser)
    end(session)
    assert not session.settled()
    assert keep(site, session) is True
    assert browser.read() == {}
    assert ("destroyed", "") in site.told()
    assert keep(site, session) is True


def test_what_is_set_after_a_late_end_is_an_error(site: ServerSite, browser: Browser) -> None:
    session = begun(browser)
    session.destroy()
    session["user"] = "eve"
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        keep(site, session)
    assert browser.read() == {}


def test_a_late_end_that_the_store_did_not_take_is_tried_again(site: ServerSite, browser: Browser) -> None:
    session = begun(browser)
    session.destroy()
    site.store.down = True
    with pytest.raises(StoreError):
        keep(site, session)
    site.store.down = False
    assert not session.settled()
    assert keep(site, session) is True
    assert browser.read() == {}


def test_a_session_that_is_emptied_key_by_key_goes_on(site: ServerSite, browser: Browser) -> None:
    session = begun(browser)
    for key in list(session):
        del session[key]
    assert keep(site, session) is True
    session["user"] = "bob"
    assert keep(site, session) is True
    assert browser.read() == {"user": "bob"}


# Others


def test_two_who_keep_late_changes_lose_nothing_and_see_each_other(site: ServerSite, browser: Browser) -> None:
    one, other = begun(browser), begun(browser)
    cart = one["cart"]
    one["one"] = 1
    other["other"] = 2
    del other["user"]
    assert keep(site, one) and keep(site, other)
    one["more"] = 1
    assert keep(site, one)
    assert dict(one) == browser.read() == {"cart": [1], "count": 0, "one": 1, "other": 2, "more": 1}
    assert one["cart"] is cart


def test_a_rule_counts_each_change_once(site: ServerSite, browser: Browser) -> None:
    one, other = begun(browser), begun(browser)
    for session in (one, other, one, one, other, other, one):
        session["count"] += 1
        assert keep(site, session)
        session["unrelated"] = token_hex(4)
        assert keep(site, session)
    assert browser.read()["count"] == one["count"] == 7


@pytest.mark.parametrize("outage", [0, 1, 2])
def test_a_rule_counts_once_where_the_answer_is_lost(site: ServerSite, browser: Browser, outage: int) -> None:
    session = begun(browser)
    session["count"] += 1
    # The read is answered, and the write is done.
    steps = site.engine.keep(session, now=site.clock())
    read = next(steps)
    write = steps.send(site.store.read(*read.arguments))
    assert site.store.replace(*write.arguments)
    with pytest.raises(StoreError):
        steps.throw(StoreError("the answer is lost"))
    site.store.down = True
    for _ in range(outage):
        with pytest.raises(StoreError):
            keep(site, session)
    site.store.down = False
    session["more"] = 1
    assert keep(site, session)
    assert browser.read()["count"] == session["count"] == 1


def test_what_another_task_changes_during_a_save_is_not_taken_back(site: ServerSite, browser: Browser) -> None:
    """The task that saves waits for the store meanwhile, and what it comes back with is merged with another's."""
    session, other = begun(browser), begun(browser)
    other.update(other=1, both=1, user="bob")
    assert keep(site, other)
    session["mine"] = 1
    steps = site.engine.keep(session, now=site.clock())
    read = next(steps)
    write = steps.send(site.store.read(*read.arguments))
    session["late"] = 2
    session["both"] = 2
    session["cart"].append(2)
    session["odd"] = object()
    del session["count"]
    with pytest.raises(StopIteration) as end:
        steps.send(site.store.replace(*write.arguments))
    assert end.value.value is True
    del session["odd"]
    assert not session.settled()
    expected = {"mine": 1, "late": 2, "both": 2, "cart": [1, 2], "other": 1, "user": "bob"}
    assert dict(session) == expected
    assert keep(site, session)
    assert dict(session) == browser.read() == expected


def test_a_value_that_cannot_be_kept_and_came_during_a_save_is_reported_by_the_next(
    site: ServerSite, browser: Browser
) -> None:
    session, other = begun(browser), begun(browser)
    other["user"] = "bob"
    assert keep(site, other)
    session["mine"] = 1
    steps = site.engine.keep(session, now=site.clock())
    read = next(steps)
    write = steps.send(site.store.read(*read.arguments))
    session["user"] = object()
    with pytest.raises(StopIteration):
        steps.send(site.store.replace(*write.arguments))
    assert not session.settled()
    with pytest.raises(Unserializable):
        keep(site, session)
    assert browser.read()["user"] == "bob"


def test_an_end_by_others_wins_each_time(site: ServerSite, browser: Browser) -> None:
    session = begun(browser)
    browser.visit(Session.destroy)
    session["late"] = True
    for _ in range(2):
        assert keep(site, session) is False
        assert dict(session) == {}
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        session["late"] = True
    assert all(record.expires_at - site.clock() <= 600 for record in site.records.values())
    assert ("dropped", "ended") in site.told()


def test_a_commit_whose_change_was_dropped_says_so_when_asked_to_keep_it(site: ServerSite, browser: Browser) -> None:
    session = site.open(browser.header)
    session["early"] = True
    site.open(browser.header)
    browser.visit(Session.destroy)
    site.commit(session)
    assert keep(site, session) is False


def test_who_has_the_old_id_may_add_for_a_moment_and_learns_nothing(site: ServerSite, browser: Browser) -> None:
    session = begun(browser)
    browser.visit(lambda session: (session.regenerate(), session.update(secret=1)))
    session["late"] = True
    assert keep(site, session) is True
    assert browser.read()["late"] is True
    session["later"] = True
    assert keep(site, session) is True
    assert "secret" not in session and session.handle != site.open(browser.header).handle
    site.clock.advance(11)
    session["too late"] = True
    assert keep(site, session) is False
    assert dict(session) == {}
    assert browser.read() == {"user": "ann", "cart": [1], "count": 0, "secret": 1, "late": True, "later": True}


def test_whose_id_is_replaced_before_the_commit_learns_nothing_either(site: ServerSite, browser: Browser) -> None:
    """The commit puts its change to the new id, and goes on knowing the old one alone."""
    session = site.open(browser.header)
    session["early"] = True
    browser.visit(lambda session: (session.regenerate(), session.update(secret=1)))
    assert site.commit(session).cookies == ()
    for change in ("one", "two"):
        session[change] = True
        assert keep(site, session) is True
        assert "secret" not in session
    assert {"early", "one", "two", "secret"} <= set(browser.read())
    site.clock.advance(11)
    session["too late"] = True
    assert keep(site, session) is False


def test_a_late_end_under_an_old_id_ends_the_session(site: ServerSite, browser: Browser) -> None:
    session = begun(browser)
    browser.visit(Session.regenerate)
    session.destroy()
    assert keep(site, session) is True
    assert browser.read() == {}


# Before the response, and where there is none


def test_a_save_before_the_response_keeps_at_once_and_counts_once(site: ServerSite, browser: Browser) -> None:
    other = begun(browser)
    other["count"] += 1
    assert keep(site, other)
    session = site.open(browser.header)
    other["count"] += 1
    assert keep(site, other)
    for _ in range(2):
        session["count"] += 1
        assert keep(site, session) is True
        assert browser.read()["count"] == session["count"]
    session["early"] = True
    site.commit(session)
    session["count"] += 1
    assert keep(site, session) is True
    assert browser.read()["count"] == 5
    assert browser.read()["early"] is True


def test_the_cookie_hears_of_what_was_saved_before_the_response(site: ServerSite, browser: Browser) -> None:
    session = site.open(browser.header)
    session.permanent = True
    assert keep(site, session) is True
    assert "Max-Age=" in site.commit(session).cookies[0]


@pytest.mark.parametrize("down", [False, True])
def test_what_is_set_beside_a_new_id_is_never_under_the_old_one(site: ServerSite, browser: Browser, down: bool) -> None:
    """Somebody may have planted the old one, and reads along."""
    session = site.open(browser.header)
    session.regenerate()
    session["user"] = "the victim"
    if down:
        site.store.down = True
        with pytest.raises(StoreError):
            site.commit(session)
        site.store.down = False
    with pytest.raises(UsageError, match="with the headers of a response"):
        keep(site, session)
    assert browser.read()["user"] == "ann"
    site.commit(session)
    assert browser.read()["user"] == "ann"


def test_an_end_that_no_response_tells_is_an_end_all_the_same(site: ServerSite, browser: Browser) -> None:
    session = site.open(browser.header)
    session.destroy()
    assert not session.settled()
    assert keep(site, session) is True
    assert browser.read() == {}


def test_what_follows_an_end_is_kept_by_the_response(site: ServerSite, browser: Browser) -> None:
    session = site.open(browser.header)
    session.destroy()
    session["user"] = "bob"
    with pytest.raises(UsageError, match="with the headers of a response"):
        keep(site, session)
    (cookie,) = site.commit(session).cookies
    assert browser.read() == {}
    browser.cookies = dict([cookie.partition(";")[0].split("=")])
    assert browser.read() == {"user": "bob"}


# Failures


def test_a_commit_that_failed_has_kept_nothing(site: ServerSite, browser: Browser) -> None:
    session = site.open(browser.header)
    session["early"] = True
    session["count"] += 1
    site.store.down = True
    with pytest.raises(StoreError):
        site.commit(session)
    assert session.settled(), "the error has been raised already"
    with pytest.raises(StoreError):
        keep(site, session)
    site.store.down = False
    assert keep(site, session) is True
    assert browser.read() == {"user": "ann", "cart": [1], "count": 1, "early": True}


def test_an_end_that_failed_is_not_forgotten(site: ServerSite, browser: Browser) -> None:
    session = site.open(browser.header)
    session.destroy()
    site.store.down = True
    with pytest.raises(StoreError):
        site.commit(session)
    site.store.down = False
    assert keep(site, session) is True
    assert browser.read() == {}


def test_a_save_that_failed_is_made_up_for(site: ServerSite, browser: Browser) -> None:
    session = begun(browser)
    session["late"] = True
    site.store.down = True
    with pytest.raises(StoreError):
        keep(site, session)
    assert not session.settled()
    site.store.down = False
    assert keep(site, session) is True
    assert session.settled()
    assert browser.read()["late"] is True


def test_a_commit_that_is_abandoned_at_any_operation_can_be_made_up_for() -> None:
    """As when its task is cancelled: whether the operation took place is not known."""
    for done in (False, True):
        for at in range(3):
            site = ServerSite(merge=COUNT)
            browser = site.begin(count=0)
            session = site.open(browser.header)
            look(session)
            browser.visit(put(other=1))
            session["count"] += 1
            steps = site.engine.commit(session, now=site.clock(), https=True)
            operation = next(steps)
            for _ in range(at):
                operation = steps.send(getattr(site.store, operation.method)(*operation.arguments))
            if done:
                getattr(site.store, operation.method)(*operation.arguments)
            steps.close()
            assert browser.read()["count"] in (0, 1)
            assert keep(site, session) is True
            assert browser.read() == {"count": 1, "other": 1}


def test_a_save_that_is_abandoned_at_any_operation_can_be_made_up_for() -> None:
    for done in (False, True):
        for at in range(2):
            site = ServerSite(merge=COUNT)
            browser = site.begin(count=0)
            session = begun(browser)
            browser.visit(put(other=1))
            session["count"] += 1
            steps = site.engine.keep(session, now=site.clock())
            operation = next(steps)
            for _ in range(at):
                operation = steps.send(getattr(site.store, operation.method)(*operation.arguments))
            if done:
                getattr(site.store, operation.method)(*operation.arguments)
            steps.close()
            assert keep(site, session) is True
            assert browser.read() == {"count": 1, "other": 1}


def test_where_the_application_goes_on_without_the_store_a_save_says_that_it_kept_nothing() -> None:
    site = ServerSite(store_down="empty")
    browser = site.begin(user="ann")
    site.store.down = True
    session = site.open(browser.header)
    session["list"] = [1]
    site.commit(session)
    assert keep(site, session) is False
    session._data = {}  # noqa: SLF001  # nothing is left that was not kept
    assert keep(site, session) is True


def test_a_socket_that_saves_for_days_holds_no_more_than_at_the_beginning(site: ServerSite, browser: Browser) -> None:
    session = begun(browser)
    # Those of other tests, which something may still hold.
    others = drafts()
    for number in range(50):
        session["number"] = number
        if number % 10 == 0:
            site.store.lost_replies = 2
            with pytest.raises(StoreError):
                keep(site, session)
            site.store.lost_replies = 0
        keep(site, session)
    assert drafts() <= others + 2


def drafts() -> int:
    gc.collect()
    return sum(issubclass(type(each), Draft) for each in gc.get_objects())


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda session, value: session["cart"].append(object()), Unserializable),
        (lambda session, value: session.update(large=value * 100_000), SessionTooLarge),
        (lambda session, value: session.update(late=value), StoreError),
        (lambda session, value: (session.destroy(), session.update(late=value)), UsageError),
    ],
)
def test_the_error_of_a_save_shows_no_content(change: Any, kind: type[Exception]) -> None:
    site = ServerSite()
    value = token_hex(12)
    browser = site.begin(user=value, cart=[1])
    session = begun(browser)
    change(session, value)
    site.store.down = kind is StoreError
    with pytest.raises(kind) as caught:
        keep(site, session)
    assert value not in locals_shown(caught.value) + str(caught.value)
    assert browser.cookies["session"][4:20] not in locals_shown(caught.value)
