"""What is decided when a session is loaded and when it is committed, branch by branch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from traceback import TracebackException
from typing import Any

import pytest
from kit import NOON, OTHER_SECRET, SECRET, Browser, Site, Visit, attributes, name_and_value, nothing

import coatcheck
from coatcheck import Event, Keyring, Reason, Session, SessionTooLarge, Unserializable
from coatcheck.core.codec import pack
from coatcheck.core.engine import Decision
from coatcheck.core.events import Kind
from coatcheck.core.opaque import write_token
from coatcheck.core.record import Record
from coatcheck.core.token import TokenSealer
from coatcheck.drive import run
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

DAY = 86_400
MONTH = 31 * DAY
NOTHING = Decision(vary=False)
VARY = Decision(vary=True)


def look(session: Session) -> None:
    session.get("a")


def signed_in(*, permanent: bool = False, **options: Any) -> Browser:
    """Gives a browser that has a session, and forgets the events so far."""
    browser = Browser(Site(**options))
    browser.visit(
        lambda session: session.update({"user": 1, "cart": [1]} | ({"_permanent": True} if permanent else {}))
    )
    browser.site.events.clear()
    return browser


def kinds(site: Site) -> list[Kind]:
    return [event.kind for event in site.events]


def reasons(site: Site) -> list[Reason | None]:
    return [event.reason for event in site.events]


def sealed(record: Record, name: str = "session", secret: str = SECRET) -> str:
    """Gives the cookie of any record, as whoever has the secret can make it."""
    token = TokenSealer(Keyring(secret), "", name, bytes).seal(record, NOON)
    return f"{name}={token}"


def record(created_at: int = NOON, sealed_at: int = NOON, content: object = {"user": 1}, session_id: int = 1) -> Record:
    return Record(session_id.to_bytes(16, "big"), created_at, sealed_at, pack(content))


# Created, changed, unchanged


def test_a_visit_that_does_not_look_says_nothing() -> None:
    browser = Browser(Site())
    assert browser.visit() == NOTHING
    browser = signed_in()
    assert browser.visit() == NOTHING
    assert browser.site.events == []


def test_a_look_makes_the_response_vary_and_sends_nothing() -> None:
    browser = Browser(Site())
    assert browser.visit(look) == VARY
    browser = signed_in()
    assert browser.visit(look) == VARY
    assert browser.site.events == []


def test_the_first_content_creates_a_session() -> None:
    browser = Browser(Site())
    handles: list[str] = []

    def write(session: Session) -> None:
        session["user"] = 1
        handles.append(session.handle)

    decision = browser.visit(write)
    assert decision.vary and not decision.insecure
    assert [name_and_value(cookie)[0] for cookie in decision.cookies] == ["session"]
    assert browser.site.events == [Event(Kind.CREATED, None, handles[0])]
    assert browser.read() == {"user": 1}


@pytest.mark.parametrize(
    "view",
    [
        lambda session: session.update(user=2),
        lambda session: session.update(other=1),
        lambda session: session.pop("user"),
        lambda session: session["cart"].append(2),
        lambda session: session["cart"].clear(),
        lambda session: session.update(user=1.0),
        lambda session: session.update(user=True),
        lambda session: session.update(cart=(1,)),
        lambda session: setattr(session, "permanent", True),
        lambda session: setattr(session, "permanent", False),
    ],
)
def test_a_change_is_sent_however_deep_it_is(view: Callable[[Session], object]) -> None:
    browser = signed_in()
    handle = browser.site.open(browser.header).handle
    expected = browser.site.open(browser.header)
    view(expected)
    decision = browser.visit(view)
    assert len(decision.cookies) == 1
    assert browser.site.events == [Event(Kind.CHANGED, None, handle)]
    assert repr(browser.read()) == repr(dict(expected))


@pytest.mark.parametrize(
    "view",
    [
        lambda session: session.update(user=1),
        lambda session: session.setdefault("user", 5),
        lambda session: session.update(cart=[1]),
        lambda session: session["cart"].append(session["cart"].pop()),
        lambda session: [session.update(user=2), session.update(user=1)],
        lambda session: [session.update(other=2), session.pop("other")],
        lambda session: session.update(),
        lambda session: setattr(session, "modified", False),
    ],
)
def test_what_comes_back_to_the_same_content_sends_nothing(view: Callable[[Session], object]) -> None:
    browser = signed_in()
    assert browser.visit(lambda session: (session.get("user"), view(session))) == VARY
    assert browser.site.events == []


def test_modified_sends_the_same_content() -> None:
    browser = signed_in()
    before = browser.header
    decision = browser.visit(lambda session: setattr(session, "modified", True))
    assert len(decision.cookies) == 1
    assert browser.header != before
    assert browser.read() == {"user": 1, "cart": [1]}
    assert kinds(browser.site) == [Kind.CHANGED]


def test_modified_with_nothing_to_send_sends_nothing() -> None:
    browser = Browser(Site())
    assert browser.visit(lambda session: setattr(session, "modified", True)).cookies == ()


def test_regenerate_sends_the_same_content_under_another_handle() -> None:
    browser = signed_in()
    before = browser.site.open(browser.header).handle
    browser.site.clock.advance(60)
    browser.visit(lambda session: session.regenerate())
    session = browser.site.open(browser.header)
    assert session.handle != before
    assert browser.site.events == [Event(Kind.REGENERATED, None, session.handle)]
    assert dict(session) == {"user": 1, "cart": [1]}
    assert session.created_at == datetime.fromtimestamp(NOON, UTC)


def test_keys_that_are_not_text_come_back() -> None:
    browser = Browser(Site())
    content: dict[Any, Any] = {1: "a", None: {(1, 2): b""}}
    browser.visit(lambda session: session.update(content))
    assert browser.read() == content
    assert browser.visit(look) == VARY


def test_parts_of_seconds_are_dropped() -> None:
    browser = signed_in(clock=Clock(NOON + 0.9))
    session = browser.site.open(browser.header)
    assert session.created_at == datetime.fromtimestamp(NOON, UTC)


# Deleted and destroyed


@pytest.mark.parametrize(
    "view",
    [
        lambda session: session.clear(),
        lambda session: session.destroy(),
        lambda session: [session.pop("user"), session.pop("cart")],
        lambda session: [session.update(other=1), session.clear()],
        lambda session: [session.destroy(), session.update(user=1), session.clear()],
    ],
)
def test_a_session_that_became_empty_is_deleted(view: Callable[[Session], object]) -> None:
    browser = signed_in(cookie_path="/app", cookie_domain="example.com")
    handle = browser.site.open(browser.header).handle
    decision = browser.visit(view)
    assert decision == Decision(
        vary=True,
        cookies=(
            (
                "session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0"
                "; Secure; HttpOnly; Domain=example.com; Path=/app; SameSite=Lax"
            ),
        ),
    )
    assert browser.site.events == [Event(Kind.DESTROYED, None, handle)]
    assert browser.header == ""


@pytest.mark.parametrize(
    "view",
    [
        lambda session: session.clear(),
        lambda session: session.destroy(),
        lambda session: [session.update(a=1), session.pop("a")],
        lambda session: [session.update(a=1), session.destroy()],
        lambda session: session.regenerate(),
    ],
)
def test_nothing_is_deleted_where_no_cookie_came(view: Callable[[Session], object]) -> None:
    browser = Browser(Site())
    assert browser.visit(view) == VARY
    assert browser.site.events == []


def force(session: Session) -> None:
    session.modified = True


def test_rubbish_is_deleted_where_the_application_says_so() -> None:
    site = Site()
    for view in (Session.clear, Session.destroy, force):
        session = site.open("session=rubbish")
        view(session)
        assert attributes(site.commit(session).cookies[0])["max-age"] == "0"
    assert site.events[-1] == Event(Kind.DESTROYED, None, None)


def test_rubbish_is_left_alone_otherwise() -> None:
    site = Site()
    session = site.open("session=rubbish")
    look(session)
    assert site.commit(session) == VARY


def test_what_follows_destroy_is_a_session_of_its_own() -> None:
    browser = signed_in()
    before = browser.site.open(browser.header).handle
    browser.site.clock.advance(60)

    def begin_anew(session: Session) -> None:
        session.destroy()
        session.update(user=1, cart=[1])

    assert len(browser.visit(begin_anew).cookies) == 1
    session = browser.site.open(browser.header)
    assert session.handle != before
    assert session.created_at == datetime.fromtimestamp(NOON + 60, UTC)
    assert browser.site.events[-1] == Event(Kind.CREATED, None, session.handle)


# Refreshed


@pytest.mark.parametrize(
    ("lifetime", "interval", "due_after"),
    [
        (MONTH, None, 3600),
        (400 * DAY, None, 3600),
        (360_000, None, 3600),
        (10_000, None, 100),
        (100, None, 1),
        (MONTH, 60, 60),
        (MONTH, timedelta(days=1), DAY),
        (3600, 1, 1),
    ],
)
@pytest.mark.parametrize("permanent", [True, False])
def test_a_look_refreshes_when_the_seal_is_older_than_the_interval(
    lifetime: int, interval: Any, due_after: int, permanent: bool
) -> None:
    browser = signed_in(permanent=permanent, permanent_lifetime=lifetime, refresh_interval=interval)
    browser.site.clock.advance(due_after)
    assert browser.visit(look) == VARY
    browser.site.clock.advance(1)
    assert browser.visit() == NOTHING
    assert browser.site.events == []
    assert len(browser.visit(look).cookies) == 1
    assert kinds(browser.site) == [Kind.REFRESHED]
    assert browser.site.events[0].handle == browser.site.open(browser.header).handle
    assert browser.visit(look) == VARY


def test_a_session_that_is_looked_at_lives_on() -> None:
    browser = signed_in()
    for _ in range(5):
        browser.site.clock.advance(30 * DAY)
        browser.visit(look)
    assert browser.read()["user"] == 1


@pytest.mark.parametrize("interval", [None, 0, 60])
def test_with_refresh_off_nothing_makes_a_session_live_longer_but_a_change(interval: int | None) -> None:
    browser = signed_in(permanent=True, refresh_each_request=False, refresh_interval=interval)
    browser.site.clock.advance(MONTH)
    assert browser.visit() == NOTHING
    assert browser.visit(look) == VARY
    browser.visit(lambda session: session.update(user=2))
    browser.site.clock.advance(MONTH)
    assert browser.read()["user"] == 2
    browser.site.clock.advance(1)
    assert browser.read() == {}


def test_an_interval_of_zero_sends_a_permanent_session_with_every_response() -> None:
    browser = signed_in(permanent=True, refresh_interval=0)
    for view in (nothing, look, nothing):
        before = browser.header
        decision = browser.visit(view)
        assert decision.vary and len(decision.cookies) == 1
        assert attributes(decision.cookies[0])["max-age"] == str(MONTH)
        assert browser.header != before
    assert kinds(browser.site) == [Kind.REFRESHED] * 3
    assert browser.read()["user"] == 1


def test_an_interval_of_zero_leaves_a_browser_session_alone() -> None:
    browser = signed_in(refresh_interval=0)
    browser.site.clock.advance(DAY)
    assert browser.visit() == NOTHING
    assert browser.visit(look) == VARY
    assert browser.site.events == []


def test_an_interval_of_zero_makes_no_session_of_nothing() -> None:
    site = Site(refresh_interval=0)
    for header in ("", "session=rubbish"):
        session = site.open(header)
        assert site.commit(session) == NOTHING
        assert not session.accessed


def test_an_interval_of_zero_still_sends_every_change() -> None:
    browser = signed_in(refresh_interval=0)
    assert len(browser.visit(lambda session: session.update(user=2)).cookies) == 1
    assert kinds(browser.site) == [Kind.CHANGED]


# Resealed


def test_a_session_under_a_fallback_key_is_resealed_at_the_next_look() -> None:
    before = signed_in(secret=OTHER_SECRET)
    after = Site(SECRET, [OTHER_SECRET], clock=before.site.clock)
    handle = before.site.open(before.header).handle
    browser = Browser(after)
    browser.cookies = dict(before.cookies)
    assert browser.visit() == NOTHING
    assert len(browser.visit(look).cookies) == 1
    assert after.events == [Event(Kind.RESEALED, None, handle)]
    assert dict(Site(SECRET).open(browser.header)) == {"user": 1, "cart": [1]}
    assert browser.visit(look) == VARY


def test_a_session_under_an_earlier_name_is_taken_over_and_the_old_cookie_deleted() -> None:
    browser = signed_in(cookie_name="old")
    handle = browser.site.open(browser.header).handle
    browser.site = site = Site(earlier_cookie_names=("older", "old"), clock=browser.site.clock)
    assert browser.visit() == NOTHING
    decision = browser.visit(look)
    assert [name_and_value(cookie)[0] for cookie in decision.cookies] == ["session", "old"]
    assert attributes(decision.cookies[1])["max-age"] == "0"
    assert list(browser.cookies) == ["session"]
    assert browser.site.events == [Event(Kind.RESEALED, None, handle)]
    assert dict(site.open(browser.header)) == {"user": 1, "cart": [1]}
    assert browser.visit(look) == VARY


def test_the_present_name_wins_over_an_earlier_one_whose_cookie_goes() -> None:
    old = signed_in(cookie_name="old")
    browser = signed_in(earlier_cookie_names=("old",))
    for cookies in ({**old.cookies, **browser.cookies}, {**browser.cookies, **old.cookies}):
        visitor = Browser(browser.site)
        visitor.cookies = cookies
        decision = visitor.visit(lambda session: session.update(user=session["user"] + 1))
        assert [name_and_value(cookie)[0] for cookie in decision.cookies] == ["session", "old"]
        assert visitor.read() == {"user": 2, "cart": [1]}
        assert list(visitor.cookies) == ["session"]


def test_a_look_is_enough_to_delete_the_cookie_of_an_earlier_name() -> None:
    old = signed_in(cookie_name="old")
    visitor = signed_in(earlier_cookie_names=("old",))
    visitor.cookies |= old.cookies
    assert visitor.visit() == NOTHING
    decision = visitor.visit(look)
    assert [name_and_value(cookie) for cookie in decision.cookies] == [("old", "")]
    assert decision.vary and not decision.insecure
    assert visitor.site.events == []
    assert visitor.read() == {"user": 1, "cart": [1]}
    assert visitor.visit(look) == VARY


def test_an_earlier_name_counts_where_the_present_one_brings_nothing() -> None:
    old = signed_in(cookie_name="old")
    site = Site(earlier_cookie_names=("old",), clock=old.site.clock)
    assert dict(site.open(f"session=rubbish; {old.header}")) == {"user": 1, "cart": [1]}
    assert reasons(site) == [Reason.MALFORMED]


def test_of_two_earlier_names_the_first_counts_and_both_cookies_go() -> None:
    older, old = signed_in(cookie_name="older"), Browser(Site(cookie_name="old"))
    old.visit(lambda session: session.update(user=7))
    visitor = Browser(Site(earlier_cookie_names=("old", "older")))
    visitor.cookies = {**older.cookies, **old.cookies}
    decision = visitor.visit(lambda session: session.update(seen=True))
    assert [name_and_value(cookie)[0] for cookie in decision.cookies] == ["session", "old", "older"]
    assert visitor.read() == {"user": 7, "seen": True}


def test_sign_out_deletes_the_cookies_of_all_names() -> None:
    old = signed_in(cookie_name="old")
    visitor = signed_in(earlier_cookie_names=("old", "older"))
    visitor.cookies |= old.cookies
    decision = visitor.visit(lambda session: session.destroy())
    assert [name_and_value(cookie) for cookie in decision.cookies] == [("session", ""), ("old", "")]
    visitor.cookies = dict(old.cookies)
    decision = visitor.visit(lambda session: session.destroy())
    assert [name_and_value(cookie) for cookie in decision.cookies] == [("old", "")]


def test_a_cookie_sealed_for_another_name_is_refused_under_an_earlier_one() -> None:
    browser = signed_in()
    site = Site(earlier_cookie_names=("old",))
    assert dict(site.open(f"old={browser.cookies['session']}")) == {}
    assert reasons(site) == [Reason.FORGED]


# Limits


@pytest.mark.parametrize("permanent", [True, False])
@pytest.mark.parametrize("lifetime", [1, 3600, MONTH, 400 * DAY])
def test_a_session_ends_when_it_was_not_seen_for_its_lifetime(lifetime: int, permanent: bool) -> None:
    browser = signed_in(permanent=permanent, permanent_lifetime=lifetime)
    browser.site.clock.advance(lifetime - 1)
    assert browser.read()["user"] == 1
    browser.site.clock.advance(1)
    assert browser.read()["user"] == 1
    assert browser.site.events == []
    browser.site.clock.advance(1)
    session = browser.site.open(browser.header)
    assert session.new and dict(session) == {}
    assert browser.site.events == [Event(Kind.REJECTED, Reason.EXPIRED, None)]


def test_a_shorter_lifetime_counts_for_cookies_that_are_out_already() -> None:
    browser = signed_in()
    browser.site.clock.advance(3601)
    site = Site(permanent_lifetime=3600, clock=browser.site.clock)
    assert dict(site.open(browser.header)) == {}
    assert reasons(site) == [Reason.EXPIRED]


def test_nothing_extends_the_absolute_lifetime() -> None:
    browser = signed_in(absolute_lifetime=12 * 3600, refresh_interval=60)
    for _ in range(12):
        browser.site.clock.advance(3600)
        browser.visit(lambda session: session.regenerate() if session["user"] % 2 else session.update(user=3))
    assert browser.read()["user"]
    browser.site.events.clear()
    browser.site.clock.advance(1)
    assert browser.read() == {}
    assert reasons(browser.site) == [Reason.TOO_OLD]


@pytest.mark.parametrize(("age", "max_age"), [(0, 3600), (9000, 1800), (7200, 3600), (10_799, 1), (7201, 3599)])
def test_the_browser_is_told_of_the_absolute_lifetime(age: int, max_age: int) -> None:
    browser = signed_in(permanent=True, permanent_lifetime=3600, absolute_lifetime=10_800, refresh_interval=1)
    for _ in range(age // 1800):
        browser.site.clock.advance(1800)
        browser.visit(look)
    browser.site.clock.advance(age % 1800)
    decision = browser.visit(lambda session: session.update(age=age))
    assert attributes(decision.cookies[0])["max-age"] == str(max_age)


def test_an_absolute_lifetime_that_is_shorter_than_the_other_counts() -> None:
    browser = signed_in(permanent=True, absolute_lifetime=60)
    browser.site.clock.advance(61)
    assert browser.read() == {}


def test_an_age_that_is_told_is_never_negative() -> None:
    # The limit passes between the look and the answer.
    browser = signed_in(permanent=True, absolute_lifetime=60)
    browser.site.clock.advance(59)
    session = browser.site.open(browser.header)
    session["user"] = 2
    browser.site.clock.advance(10)
    cookie = browser.site.commit(session).cookies[0]
    assert int(attributes(cookie)["max-age"]) >= 0


@pytest.mark.parametrize("ahead", [-1, 0, 1, 60])
def test_a_clock_that_is_a_minute_ahead_is_borne(ahead: int) -> None:
    site = Site()
    assert dict(site.open(sealed(record(NOON + ahead, NOON + ahead)))) == {"user": 1}
    assert site.events == []


@pytest.mark.parametrize(
    "hostile",
    [
        record(NOON, NOON + 61),
        record(NOON + 61, NOON + 61),
        record(NOON + 61, NOON),
        record(2**40 - 1, NOON),
        record(NOON, 2**40 - 1),
        record(2**40 - 1, 2**40 - 1),
    ],
)
def test_a_time_further_ahead_is_refused(hostile: Record) -> None:
    site = Site(absolute_lifetime=3600)
    session = site.open(sealed(hostile))
    assert dict(session) == {}
    assert session.created_at == datetime.fromtimestamp(NOON, UTC)
    assert reasons(site) == [Reason.FROM_THE_FUTURE]


@pytest.mark.parametrize("instant", [0, 1, NOON - MONTH - 1])
def test_a_seal_from_long_ago_has_expired(instant: int) -> None:
    site = Site()
    assert dict(site.open(sealed(record(instant, instant)))) == {}
    assert reasons(site) == [Reason.EXPIRED]


@pytest.mark.parametrize("now", [2**31, 2**32, 4_102_444_800, 2**33])
def test_sessions_work_beyond_2038_and_2106(now: int) -> None:
    browser = signed_in(permanent=True, clock=Clock(now))
    browser.site.clock.advance(DAY)
    session = browser.site.open(browser.header)
    assert session.created_at == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=now)
    cookie = browser.visit(look).cookies[0]
    assert attributes(cookie)["max-age"] == str(MONTH)
    assert str((datetime(1970, 1, 1) + timedelta(seconds=now + DAY + MONTH)).year) in attributes(cookie)["expires"]


# Cookies that are no session


def refused_headers() -> dict[Reason, tuple[Site, str]]:
    """Gives a cookie for each reason, with a site that refuses it so."""
    good = signed_in()
    value = good.cookies["session"]
    fallback = (OTHER_SECRET, datetime.fromtimestamp(NOON - 1, UTC))
    other = signed_in(secret=OTHER_SECRET)
    later = Clock(NOON + MONTH + 1)
    another = signed_in()
    return {
        Reason.TOO_LONG: (Site(), "session=" + "A" * 4096),
        Reason.MALFORMED: (Site(), "session=rubbish!"),
        Reason.UNKNOWN_KIND: (Site(), "session=Ag" + value[2:]),
        Reason.UNKNOWN_KEY: (Site(), other.header),
        Reason.KEY_EXPIRED: (Site(SECRET, [fallback]), other.header),
        Reason.FORGED: (Site(), f"session={value[:60]}{'A' if value[60] != 'A' else 'B'}{value[61:]}"),
        Reason.UNREADABLE: (Site(), sealed(record(content=[1]))),
        Reason.EXPIRED: (Site(clock=later), good.header),
        Reason.TOO_OLD: (Site(absolute_lifetime=60, clock=Clock(NOON + 61)), good.header),
        Reason.FROM_THE_FUTURE: (Site(clock=Clock(NOON - 61)), good.header),
        Reason.AMBIGUOUS: (Site(), f"{good.header}; {another.header}"),
        Reason.UNKNOWN_ID: (Site(store=MemoryStore(clock=Clock())), "session=" + write_token(bytes(32))),
        Reason.ENDED: replaced_id(lambda session: session.login("ada")),
        Reason.REVOKED: revoked(),
        Reason.REUSED: replaced_id(lambda session: session.regenerate()),
    }


def replaced_id(view: Callable[[Session], None]) -> tuple[Site, str]:
    """Gives an id on the server that another one has replaced long enough ago."""
    clock = Clock()
    browser = Browser(Site(store=MemoryStore(clock=clock), clock=clock))
    browser.visit(lambda session: session.update(user=1))
    header = browser.header
    browser.visit(view)
    clock.advance(11)
    browser.site.events.clear()
    return browser.site, header


def revoked() -> tuple[Site, str]:
    site = Site(revocations=MemoryStore(clock=Clock()))
    browser = Browser(site)
    browser.visit(lambda session: session.update(user=1))
    run(site.engine.accounts.revoke_everyone(site.clock()), site.stores)
    site.events.clear()
    return site, browser.header


# The others are no verdict on the cookie.
NO_VERDICT = (Reason.STORE_DOWN, Reason.LATE, Reason.INVALID, Reason.UNREVOKED)
REFUSALS = [reason for reason in Reason if reason not in NO_VERDICT]


def verdicts(site: Site) -> list[Event]:
    """Gives the events, but for the one that says of a whole family that it has been ended."""
    return [event for event in site.events if event.kind is not Kind.REUSED]


@pytest.mark.parametrize("reason", REFUSALS)
def test_every_reason_has_the_same_outcome(reason: Reason) -> None:
    site, header = refused_headers()[reason]
    session = site.open(header)
    look(session)
    assert session.new and dict(session) == {}
    assert site.commit(session) == VARY
    assert verdicts(site) == [Event(Kind.REJECTED, reason, None)]


@pytest.mark.parametrize("reason", REFUSALS)
def test_what_was_refused_gives_its_place_to_a_new_session(reason: Reason) -> None:
    site, header = refused_headers()[reason]
    session = site.open(header)
    session["user"] = 2
    decision = site.commit(session)
    assert len(decision.cookies) == 1
    assert [event.kind for event in verdicts(site)] == [Kind.REJECTED, Kind.CREATED]
    assert dict(site.open(decision.cookies[0].partition(";")[0])) == {"user": 2}


@pytest.mark.parametrize("content", [None, True, 5, 1.5, "user", b"user", [], ["user"], (1,), {1}], ids=repr)
def test_sealed_content_that_is_no_dict_is_unreadable(content: object) -> None:
    site = Site()
    assert dict(site.open(sealed(record(content=content)))) == {}
    assert reasons(site) == [Reason.UNREADABLE]


@pytest.mark.parametrize(
    "packed", [b"\xc1", b"\x81\xa1a", b"\x82\xa1a\x01\xa1a\x01", b"\x81\x01\x01", b"\x80\x80", b"\x80\x04\x95."]
)
def test_sealed_content_that_the_codec_does_not_write_is_unreadable(packed: bytes) -> None:
    site = Site()
    assert dict(site.open(sealed(record()._replace(packed=packed)))) == {}
    assert reasons(site) == [Reason.UNREADABLE]


def test_an_empty_value_is_malformed() -> None:
    site = Site()
    assert dict(site.open("session=")) == {}
    assert reasons(site) == [Reason.MALFORMED]


def test_names_of_objects_are_plain_keys() -> None:
    content = {"__class__": 1, "__reduce__": ["os.system"], "__init__": {}, "_data": 2, "pop": 3}
    session = Site().open(sealed(record(content=content)))
    assert dict(session) == content
    assert type(session) is Visit


@pytest.mark.parametrize("over", [0, 1])
def test_a_value_is_decoded_up_to_what_a_browser_keeps(over: int) -> None:
    site = Site(cookie_name="sess")
    dict(site.open("sess=" + "A" * (4096 - len("sess") + over)))
    assert reasons(site) == [Reason.TOO_LONG if over else Reason.UNKNOWN_KIND]


def test_a_header_that_no_server_lets_through_is_not_read() -> None:
    site = Site()
    good = signed_in().header
    assert dict(site.open("a=" + "b" * (65_536 + 4096 - len(good) - 4) + "; " + good)) == {"user": 1, "cart": [1]}
    session = site.open("a=" + "b" * (65_536 + 4096 - len(good) - 3) + "; " + good)
    session.clear()
    assert site.commit(session) == VARY
    assert reasons(site) == [Reason.TOO_LONG]


# Several cookies of the name


def test_rubbish_beside_a_good_cookie_is_passed_over() -> None:
    good = signed_in()
    for header in (f"session=rubbish; {good.header}", f"{good.header}; session=rubbish"):
        site = Site()
        assert dict(site.open(header)) == {"user": 1, "cart": [1]}
        assert reasons(site) == [Reason.MALFORMED]


def test_the_same_cookie_twice_is_one() -> None:
    browser = signed_in()
    assert dict(browser.site.open(f"{browser.header}; {browser.header}")) == {"user": 1, "cart": [1]}
    assert browser.site.events == []


def test_of_two_seals_of_one_session_the_later_counts() -> None:
    browser = signed_in()
    before = browser.header
    browser.site.clock.advance(1)
    browser.visit(lambda session: session.update(user=2))
    for header in (f"{before}; {browser.header}", f"{browser.header}; {before}"):
        assert browser.site.open(header)["user"] == 2
    assert Reason.AMBIGUOUS not in reasons(browser.site)


def test_of_two_seals_of_one_second_the_first_counts() -> None:
    browser = signed_in()
    before = browser.header
    browser.visit(lambda session: session.update(user=2))
    assert browser.site.open(f"{before}; {browser.header}")["user"] == 1
    assert browser.site.open(f"{browser.header}; {before}")["user"] == 2


def test_of_two_sessions_neither_counts() -> None:
    one, other = signed_in(), signed_in()
    for header in (f"{one.header}; {other.header}", f"session=rubbish; {one.header}; {other.header}"):
        site = Site()
        session = site.open(header)
        assert session.new and dict(session) == {}
        assert reasons(site)[-1] is Reason.AMBIGUOUS
        session["user"] = 3
        assert len(site.commit(session).cookies) == 1


def test_four_cookies_of_the_name_are_tried() -> None:
    good = signed_in()
    site = Site()
    rubbish = [f"session=rubbish{index}" for index in range(10)]
    assert dict(site.open("; ".join([*rubbish[:3], good.header]))) == {"user": 1, "cart": [1]}
    assert len(site.events) == 3
    assert dict(site.open("; ".join([*rubbish[:4], good.header]))) == {}
    assert len(site.events) == 7


# The cookie


@pytest.mark.parametrize("permanent", [True, False])
def test_only_a_permanent_session_outlives_the_browser(permanent: bool) -> None:
    browser = Browser(Site())
    decision = browser.visit(lambda session: setattr(session, "permanent", permanent))
    assert ("max-age" in attributes(decision.cookies[0])) is permanent
    assert ("expires" in attributes(decision.cookies[0])) is permanent


def test_a_session_that_becomes_permanent_or_stops_to_be_is_sent_so() -> None:
    browser = signed_in()
    decision = browser.visit(lambda session: setattr(session, "permanent", True))
    assert attributes(decision.cookies[0])["max-age"] == str(MONTH)
    decision = browser.visit(lambda session: setattr(session, "permanent", False))
    assert "max-age" not in attributes(decision.cookies[0])


def test_an_age_has_whole_seconds() -> None:
    browser = Browser(Site(permanent_lifetime=timedelta(seconds=90.9), absolute_lifetime=timedelta(seconds=80.9)))
    decision = browser.visit(lambda session: setattr(session, "permanent", True))
    assert attributes(decision.cookies[0])["max-age"] == "80"


@pytest.mark.parametrize(
    ("secure", "https", "is_secure"),
    [
        (None, True, True),
        (None, False, False),
        (True, True, True),
        (True, False, True),
        (False, True, False),
        (False, False, False),
    ],
)
def test_secure_follows_the_settings_or_the_request(secure: bool | None, https: bool, is_secure: bool) -> None:
    browser = Browser(Site(cookie_secure=secure), https=https)
    decision = browser.visit(lambda session: session.update(user=1))
    assert ("secure" in attributes(decision.cookies[0])) is is_secure
    assert decision.insecure is not is_secure
    deletion = browser.visit(lambda session: session.clear())
    assert ("secure" in attributes(deletion.cookies[0])) is is_secure
    assert not deletion.insecure


def test_two_audiences_do_not_read_each_other() -> None:
    shop, staging, neither = Site(audience="shop"), Site(audience="staging"), Site()
    browser = Browser(shop)
    browser.visit(lambda session: session.update(user=1))
    for site in (staging, neither):
        assert dict(site.open(browser.header)) == {}
        assert reasons(site) == [Reason.FORGED]
    assert browser.read() == {"user": 1}


def test_the_cookie_shows_nothing_of_the_content_but_its_size_in_steps() -> None:
    site = Site()
    sizes = set()
    for length in range(64):
        session = site.open()
        session["a"] = "b" * length
        sizes.add(len(site.commit(session).cookies[0]))
    assert len(sizes) <= 4


# Too large, and what cannot be kept


def filled(site: Site, length: int) -> Visit:
    session = site.open()
    session["large"] = "x" * length
    return session


def test_4096_bytes_are_sent_and_4097_are_not() -> None:
    length = 2600
    token = name_and_value(Site().commit(filled(Site(), length)).cookies[0])[1]
    fits = Site(cookie_name="n" * (4096 - len(token)))
    cookie = fits.commit(filled(fits, length)).cookies[0]
    assert sum(map(len, name_and_value(cookie))) == 4096
    over = Site(cookie_name="n" * (4097 - len(token)))
    with pytest.raises(SessionTooLarge) as caught:
        over.commit(filled(over, length))
    assert (caught.value.size, caught.value.limit) == (4097, 4096)
    assert over.events == []


def test_too_large_says_what_takes_the_room() -> None:
    browser = signed_in()
    content = {"small": 1, "large": "x" * 3000, "larger": ["y" * 3500], "medium": "z" * 200}
    with pytest.raises(SessionTooLarge) as caught:
        browser.visit(lambda session: session.update(content))
    assert caught.value.largest == (("larger", 3511), ("large", 3009), ("medium", 209))
    assert "larger (3511 bytes), large (3009 bytes), medium (209 bytes)" in str(caught.value)
    assert "xxx" not in str(caught.value)
    assert browser.read() == {"user": 1, "cart": [1]}
    assert browser.site.events == []


@pytest.mark.parametrize(
    ("broken", "error"), [({"bad": object()}, Unserializable), ({"large": "a secret value" * 500}, SessionTooLarge)]
)
class TestWhatCannotBeKept:
    def test_the_old_cookie_stays_and_a_second_try_says_nothing(self, broken: Any, error: type[Exception]) -> None:
        browser = signed_in()
        session = browser.site.open(browser.header)
        session.update(broken)
        with pytest.raises(error):
            browser.site.commit(session)
        assert browser.site.commit(session) == VARY
        assert browser.site.events == []
        assert browser.read() == {"user": 1, "cart": [1]}

    def test_a_session_that_was_put_right_is_sent(self, broken: Any, error: type[Exception]) -> None:
        browser = signed_in()
        session = browser.site.open(browser.header)
        session.update(broken)
        with pytest.raises(error):
            browser.site.commit(session)
        session.pop(next(iter(broken)))
        session["note"] = "too much"
        decision = browser.site.commit(session)
        assert dict(browser.site.open(decision.cookies[0].partition(";")[0])) == {
            "user": 1,
            "cart": [1],
            "note": "too much",
        }
        assert kinds(browser.site) == [Kind.CHANGED]

    def test_a_session_that_was_put_right_inside_is_sent(self, broken: Any, error: type[Exception]) -> None:
        # No method of the session sees such a change.
        browser = signed_in()
        session = browser.site.open(browser.header)
        session["inside"] = dict(broken)
        with pytest.raises(error):
            browser.site.commit(session)
        session["inside"].clear()
        assert len(browser.site.commit(session).cookies) == 1

    def test_a_session_that_is_changed_and_still_wrong_raises_again(self, broken: Any, error: type[Exception]) -> None:
        site = Site()
        session = site.open()
        session.update(broken)
        for _ in range(2):
            with pytest.raises(error):
                site.commit(session)
            session["other"] = 1
        assert site.events == []

    def test_a_session_that_was_emptied_is_deleted(self, broken: Any, error: type[Exception]) -> None:
        browser = signed_in()
        session = browser.site.open(browser.header)
        session.update(broken)
        with pytest.raises(error):
            browser.site.commit(session)
        session.clear()
        assert name_and_value(browser.site.commit(session).cookies[0]) == ("session", "")

    def test_the_error_carries_no_content_and_no_token(self, broken: Any, error: type[Exception]) -> None:
        browser = signed_in()
        session = browser.site.open(browser.header)
        session.update(broken | {"name": "a secret value"})
        with pytest.raises(error) as caught:
            browser.site.commit(session)
        assert caught.value.__cause__ is None and caught.value.__context__ is None
        report = TracebackException.from_exception(caught.value, capture_locals=True)
        own = str(coatcheck.__file__).removesuffix("__init__.py")
        shown = [str(frame.locals) for frame in report.stack if frame.filename.startswith(own)]
        assert shown
        # A token begins with the version and the id of the key.
        assert not [text for text in shown if "secret" in text or browser.cookies["session"][:6] in text]


def test_loading_draws_no_randomness_and_raises_for_nothing() -> None:
    def random(count: int) -> bytes:
        raise AssertionError("loading needs no randomness")

    browser = signed_in()
    site = Site(random=random)
    for header in ("", browser.header, "session=rubbish", "\x00\ud800;=;session", browser.header * 3):
        dict(site.open(header))


def test_a_listener_gets_no_key_no_token_and_no_content() -> None:
    browser = signed_in()
    browser.visit(lambda session: session.update(name="a secret value"))
    browser.visit(lambda session: session.destroy())
    for site, header in refused_headers().values():
        dict(site.open(header))
        browser.site.events += site.events
    assert len(verdicts(browser.site)) == 2 + len(REFUSALS)
    for event in browser.site.events:
        assert len(str(event)) < 200 and "secret" not in str(event)
