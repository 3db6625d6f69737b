"""Records on the server: how they end, what is taken for none, which keys open them, how large they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from kit import NOON, OTHER_SECRET, SECRET, Browser, ServerSite, attributes, look, put

from coatcheck import Event, Session, SessionTooLarge, Unserializable
from coatcheck.core.engine import Decision
from coatcheck.core.events import Kind
from coatcheck.core.merge import LIMIT_BYTES
from coatcheck.core.opaque import write_token
from coatcheck.core.records import EMPTY_LIFE
from coatcheck.core.text import encode

View = Callable[[Session], object]
DAY = 86_400
MONTH = 31 * DAY
NOTHING = Decision(vary=False)
VARY = Decision(vary=True)


@pytest.fixture
def site() -> ServerSite:
    return ServerSite()


@pytest.fixture
def browser(site: ServerSite) -> Browser:
    return site.begin(user=1, cart=[1])


# The end


@pytest.mark.parametrize(
    "view",
    [
        Session.clear,
        Session.destroy,
        lambda session: [session.update(other=1), session.clear()],
        lambda session: [session.clear(), session.regenerate()],
        lambda session: [session.destroy(), session.update(a=1), session.clear()],
        lambda session: [session.pop("user"), session.clear()],
    ],
)
def test_what_was_cleared_or_destroyed_has_ended(site: ServerSite, browser: Browser, view: View) -> None:
    header, handle = browser.header, site.open(browser.header).handle
    site.asked()
    decision = browser.visit(view)
    assert attributes(decision.cookies[0])["max-age"] == "0"
    assert site.events == [Event(Kind.DESTROYED, None, handle)]
    assert site.records == {}
    assert dict(site.open(header)) == {}


def test_what_was_cleared_and_filled_again_goes_on(site: ServerSite, browser: Browser) -> None:
    assert browser.visit(lambda session: [session.clear(), session.update(a=1)]) == VARY
    assert browser.read() == {"a": 1}


def test_what_follows_destroy_is_a_session_of_its_own(site: ServerSite, browser: Browser) -> None:
    site.clock.advance(60)
    old = browser.header
    browser.visit(lambda session: [session.destroy(), session.update(user=2)])
    assert (site.asked(), site.told()) == (["read", "replace", "delete", "insert"], [("created", "")])
    session = site.open(browser.header)
    assert dict(session) == {"user": 2}
    assert session.created_at == datetime.fromtimestamp(NOON + 60, UTC)
    assert dict(site.open(old)) == {}


@pytest.mark.parametrize("lifetime", [MONTH, 30])
def test_a_session_that_was_emptied_key_by_key_goes_on_for_a_while(lifetime: int) -> None:
    """Another request may be filling it, and the browser keeps the cookie."""
    site = ServerSite(permanent_lifetime=lifetime)
    browser = site.begin(user=1, cart=[1])
    assert browser.visit(lambda session: [session.pop("user"), session.pop("cart")]) == VARY
    assert (site.asked(), site.told()) == (["read", "replace"], [("changed", "")])
    (record,) = site.records.values()
    assert record.expires_at == NOON + min(EMPTY_LIFE, lifetime + 1)
    assert not site.open(browser.header).new
    assert browser.visit(put(user=2)) == VARY
    site.clock.advance(lifetime)
    assert browser.read() == {"user": 2}


def test_a_session_that_stays_empty_is_forgotten(site: ServerSite, browser: Browser) -> None:
    browser.visit(lambda session: [session.popitem(), session.popitem()])
    before = browser.header
    site.clock.advance(EMPTY_LIFE)
    site.asked()
    assert site.open(browser.header).new
    browser.visit(put(user=2))
    assert site.asked() == ["read", "read", "insert"]
    assert browser.header != before


# What is no session of ours


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "malformed"),
        ("rubbish", "malformed"),
        ("A" * 44, "unknown_kind"),
        ("A" * 45, "malformed"),
        ("A" * 4097, "too_long"),
        (encode(b"\x03" + bytes(100)), "unknown_kind"),
        (encode(b"\x02" + bytes(100)), "unknown_kind"),
    ],
)
def test_what_is_no_id_never_reaches_the_store(site: ServerSite, value: str, reason: str) -> None:
    assert dict(site.open(f"session={value}")) == {}
    assert (site.asked(), site.told()) == ([], [("rejected", reason)])


def test_an_unknown_id_is_read_once_and_never_adopted(site: ServerSite) -> None:
    planted = f"session={write_token(bytes(32))}"
    browser = Browser(site)
    browser.cookies = {"session": write_token(bytes(32))}
    assert browser.visit(look) == VARY
    assert (site.asked(), site.told(), site.records) == (["read"], [("rejected", "unknown_id")], {})
    (cookie,) = browser.visit(put(user=1)).cookies
    assert site.asked() == ["read", "insert"]
    assert cookie.partition(";")[0] != planted
    assert dict(site.open(planted)) == {}


# Keys


def test_a_record_under_a_fallback_key_is_sealed_anew_at_the_next_look(site: ServerSite, browser: Browser) -> None:
    rotated = ServerSite(OTHER_SECRET, [SECRET], memory=site.memory, clock=site.clock)
    browser.site = rotated
    header = browser.header
    assert browser.visit() == NOTHING
    assert len(browser.visit(look).cookies) == 1
    assert (rotated.asked(), rotated.told()) == (["read", "replace"], [("resealed", "")])
    assert browser.header == header
    assert browser.visit(look) == VARY
    alone = ServerSite(OTHER_SECRET, memory=site.memory, clock=site.clock)
    assert dict(alone.open(header)) == {"user": 1, "cart": [1]}
    assert dict(site.open(header)) == {}
    assert site.told() == [("rejected", "unknown_key")]


def test_a_fallback_opens_records_until_its_end(site: ServerSite, browser: Browser) -> None:
    fallback = (SECRET, datetime.fromtimestamp(NOON + 10, UTC))
    rotated = ServerSite(OTHER_SECRET, [fallback], memory=site.memory, clock=site.clock)
    site.clock.advance(10)
    assert rotated.open(browser.header)["user"] == 1
    site.clock.advance(1)
    assert dict(rotated.open(browser.header)) == {}
    assert rotated.told() == [("rejected", "key_expired")]
    assert len(site.records) == 1


def test_two_audiences_of_one_store_do_not_read_each_other(site: ServerSite, browser: Browser) -> None:
    shop = ServerSite(memory=site.memory, clock=site.clock, audience="shop")
    visitor = Browser(shop)
    visitor.cookies = dict(browser.cookies)
    visitor.visit(lambda session: [session.get("user"), session.destroy()])
    visitor.cookies = dict(browser.cookies)
    visitor.visit(put(user=2))
    assert shop.told() == [("rejected", "forged"), ("destroyed", ""), ("rejected", "forged"), ("created", "")]
    assert browser.read() == {"user": 1, "cart": [1]}
    assert len(site.records) == 2


# What a session says of itself


def test_a_session_s_handle_is_the_key_of_its_record(site: ServerSite) -> None:
    handles: list[str] = []
    browser = Browser(site)
    for view in (put(user=1), look, Session.regenerate, look):
        browser.visit(view)
        handles.append(browser.site.open(browser.header).handle)
    assert handles[0] == handles[1] != handles[2] == handles[3]
    assert handles[3] in {key.hex() for key in site.records}
    assert all(event.handle in handles for event in site.events)


def test_a_session_is_as_old_as_its_first_record(site: ServerSite, browser: Browser) -> None:
    site.clock.advance(500)
    browser.visit(lambda session: session.regenerate())
    browser.visit(put(user=2))
    session = site.open(browser.header)
    assert session.created_at == datetime.fromtimestamp(NOON, UTC)
    assert not session.new


# Too large, and what cannot be kept


@pytest.mark.parametrize(
    ("broken", "error"), [({"bad": object()}, Unserializable), ({"large": "x" * LIMIT_BYTES}, SessionTooLarge)]
)
def test_what_cannot_be_kept_leaves_the_record_as_it_was(
    site: ServerSite, browser: Browser, broken: Any, error: type[Exception]
) -> None:
    session = site.open(browser.header)
    session.update(broken)
    with pytest.raises(error):
        site.commit(session)
    assert (site.asked(), site.told()) == (["read"], [])
    session.pop(next(iter(broken)))
    session["note"] = "too much"
    assert site.commit(session) == VARY
    assert browser.read() == {"user": 1, "cart": [1], "note": "too much"}


def test_a_session_may_be_larger_than_any_cookie_and_has_a_limit(site: ServerSite) -> None:
    browser = Browser(site)
    browser.visit(put(large="x" * 999_000))
    assert len(browser.read()["large"]) == 999_000
    with pytest.raises(SessionTooLarge) as caught:
        browser.visit(put(larger="x" * 2000))
    assert (caught.value.place, caught.value.limit) == ("record", LIMIT_BYTES)
    assert [key for key, _ in caught.value.largest] == ["large", "larger"]
