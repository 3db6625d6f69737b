"""T: clocks that are wrong, far away or changed, and limits that only the server keeps.

Time is what the application is told it is; nothing sleeps.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from attacks.harness import CONTENT, DAY, NOW, Desk, Site

from coatcheck import Reason, Settings, UsageError
from coatcheck.core.events import Kind
from coatcheck.flask import session

Check = Callable[..., None]

LIFETIME = 3600
# The first second that no longer fits, for seconds of 31, 32 and 40 bits.
ENDS = {"2038": 2**31, "2106": 2**32, "the format's": 2**40 - 400 * DAY}


@pytest.mark.parametrize("ahead", [0, 1, 30, 59, 60])
def test_t1_a_seal_up_to_a_minute_ahead_is_accepted(desk: Desk, ahead: int) -> None:
    assert desk.refusal(desk.seal(sealed_at=NOW + ahead)) is None
    assert desk.refusal(desk.seal(sealed_at=NOW + ahead, created_at=NOW + ahead)) is None


@pytest.mark.parametrize("ahead", [61, 3600, DAY, 400 * DAY, 2**32])
def test_t1_a_seal_further_ahead_gives_an_empty_session(
    desk: Desk, site: Site, ahead: int, gives_an_empty_session: Check
) -> None:
    for token in (desk.seal(sealed_at=NOW + ahead), desk.seal(created_at=NOW + ahead)):
        assert desk.refusal(token) is Reason.FROM_THE_FUTURE
        gives_an_empty_session(site, f"session={token}", Reason.FROM_THE_FUTURE)


@pytest.mark.parametrize("absolute", [None, timedelta(days=1)])
def test_t2_the_first_and_the_last_second_of_the_format_give_empty_sessions(absolute: timedelta | None) -> None:
    desk = Desk(absolute_lifetime=absolute)
    first, last = 0, 2**40 - 1
    assert desk.refusal(desk.seal(sealed_at=first, created_at=first)) is Reason.EXPIRED
    assert desk.refusal(desk.seal(sealed_at=last, created_at=last)) is Reason.FROM_THE_FUTURE
    assert desk.refusal(desk.seal(sealed_at=first, created_at=last)) is Reason.FROM_THE_FUTURE
    assert desk.refusal(desk.seal(sealed_at=last, created_at=first)) is Reason.FROM_THE_FUTURE
    assert desk.refusal(desk.seal(sealed_at=NOW, created_at=last)) is Reason.FROM_THE_FUTURE
    assert desk.refusal(desk.seal(sealed_at=NOW, created_at=first)) is (Reason.TOO_OLD if absolute else None)


def test_t2_the_extreme_seconds_in_a_whole_application(site: Site, desk: Desk, gives_an_empty_session: Check) -> None:
    gives_an_empty_session(site, f"session={desk.seal(sealed_at=0, created_at=0)}", Reason.EXPIRED)
    extreme = desk.seal(sealed_at=2**40 - 1, created_at=2**40 - 1)
    gives_an_empty_session(site, f"session={extreme}", Reason.FROM_THE_FUTURE)


def test_t2_a_session_created_in_1970_opens_and_says_so(desk: Desk) -> None:
    site = Site()
    site.app.add_url_rule("/created", view_func=created)
    assert site.get("/created", f"session={desk.seal(created_at=0)}").text == "1970-01-01T00:00:00+00:00"


@pytest.mark.parametrize("lifetime", [1, 59, LIFETIME, 31 * DAY, 400 * DAY])
def test_t3_the_idle_limit_ends_a_session_to_the_second(lifetime: int) -> None:
    desk = Desk(permanent_lifetime=lifetime)
    for content in (CONTENT, {"user": "in a browser session"}):
        token = desk.seal(content)
        assert desk.refusal(token, NOW + lifetime - 1) is None
        assert desk.refusal(token, NOW + lifetime) is None
        assert desk.refusal(token, NOW + lifetime + 0.999) is None
        assert desk.refusal(token, NOW + lifetime + 1) is Reason.EXPIRED


def test_t3_an_idle_session_in_a_whole_application(gives_an_empty_session: Check) -> None:
    site = Site(permanent_lifetime=LIFETIME)
    cookie = site.get("/write").pair
    site.now += LIFETIME
    assert site.get("/read", cookie).text == "user: ann"
    site.now += 1
    gives_an_empty_session(site, cookie, Reason.EXPIRED)


def test_t3_looking_at_a_session_keeps_it_alive_and_untouched_pages_do_not() -> None:
    site = Site(permanent_lifetime=LIFETIME)
    cookie = site.get("/write").pair
    for _ in range(10):
        site.now += LIFETIME // 2
        cookie = site.get("/read", cookie).pair
    for _ in range(4):
        site.now += LIFETIME // 2
        assert site.get("/untouched", cookie).cookies == []
    assert site.get("/read", cookie).text == "user: nobody"
    assert site.reasons == [Reason.EXPIRED]


@pytest.mark.parametrize("step", [60, 600, 3599])
def test_t4_constant_refreshing_does_not_outlive_the_absolute_limit(step: int) -> None:
    absolute = 4 * 3600
    site = Site(permanent_lifetime=LIFETIME, absolute_lifetime=absolute, refresh_interval=0)
    site.app.add_url_rule("/permanent", view_func=make_permanent)
    cookie = site.get("/permanent").pair
    while site.now + step <= NOW + absolute:
        site.now += step
        answer = site.get("/write", cookie)
        assert site.reasons == []
        cookie = answer.pair
        (max_age,) = re.findall(r"Max-Age=(\d+)", answer.cookies[0])
        assert site.now + int(max_age) <= NOW + absolute
    site.now = NOW + absolute
    assert site.get("/look", cookie).text.startswith("False")
    site.now += 1
    assert site.get("/read", cookie).text == "user: nobody"
    assert site.reasons == [Reason.TOO_OLD]


def created() -> str:
    return session.created_at.isoformat()


def make_permanent() -> str:
    session.permanent = True
    session["user"] = "ann"
    return "permanent"


def test_t4_neither_regenerating_nor_writing_moves_the_absolute_limit(gives_an_empty_session: Check) -> None:
    site = Site(permanent_lifetime=2 * LIFETIME, absolute_lifetime=LIFETIME)
    cookie = site.get("/write").pair
    for path in ("/escalate", "/write?user=bob", "/escalate"):
        site.now += LIFETIME // 4
        cookie = site.get(path, cookie).pair
    site.now = NOW + LIFETIME + 1
    gives_an_empty_session(site, cookie, Reason.TOO_OLD)


def test_t4_a_new_login_begins_a_new_absolute_lifetime() -> None:
    site = Site(permanent_lifetime=2 * LIFETIME, absolute_lifetime=LIFETIME)
    cookie = site.get("/write").pair
    site.now += LIFETIME - 1
    cookie = site.get("/login", cookie).pair
    site.now += LIFETIME
    assert site.get("/read", cookie).text == "user: ann"


def test_t6_a_browser_that_ignores_max_age_is_held_to_the_server_s_limits(gives_an_empty_session: Check) -> None:
    """Only name and value come back, whatever the attributes said."""
    site = Site(permanent_lifetime=LIFETIME)
    site.app.add_url_rule("/permanent", view_func=make_permanent)
    answer = site.get("/permanent")
    assert f"Max-Age={LIFETIME}" in answer.cookies[0]
    site.now += LIFETIME + 1
    gives_an_empty_session(site, answer.pair, Reason.EXPIRED)


def test_t6_a_cookie_without_max_age_is_held_to_the_same_limits(gives_an_empty_session: Check) -> None:
    site = Site(permanent_lifetime=LIFETIME, absolute_lifetime=LIFETIME // 2)
    answer = site.get("/write")
    assert "Max-Age" not in answer.cookies[0]
    assert "Expires" not in answer.cookies[0]
    site.now += LIFETIME // 2 + 1
    gives_an_empty_session(site, answer.pair, Reason.TOO_OLD)


def test_t6_a_server_with_shorter_limits_does_not_believe_a_longer_cookie(gives_an_empty_session: Check) -> None:
    cookie = Site(permanent_lifetime=31 * DAY).get("/write").pair
    stricter = Site(permanent_lifetime=LIFETIME)
    stricter.now += LIFETIME + 1
    gives_an_empty_session(stricter, cookie, Reason.EXPIRED)


def test_t7_two_servers_half_a_minute_apart_take_each_other_s_sessions() -> None:
    ahead, behind = Site(refresh_interval=0), Site(refresh_interval=0)
    ahead.app.add_url_rule("/permanent", view_func=make_permanent)
    ahead.now, behind.now = NOW + 15, NOW - 15
    cookie = ahead.get("/permanent").pair
    for _ in range(10):
        for server in (behind, ahead):
            server.now += 1
            cookie = server.get("/read", cookie).pair
            assert server.reasons == []
    assert behind.get("/read", cookie).text == "user: ann"


def test_t7_a_clock_that_is_set_back_an_hour_loses_sessions_and_raises_nothing(gives_an_empty_session: Check) -> None:
    site = Site()
    cookie = site.get("/write").pair
    site.now -= 3600
    gives_an_empty_session(site, cookie, Reason.FROM_THE_FUTURE)
    assert site.get("/read", site.get("/write").pair).text == "user: ann"


@pytest.mark.parametrize(
    "lifetime",
    [34_560_001, timedelta(days=400, microseconds=1), timedelta(days=3650), 10**12, 1e300, float("inf"), float("nan")],
    ids=str,
)
def test_t8_a_lifetime_of_more_than_400_days_is_refused_at_construction(lifetime: float | timedelta) -> None:
    with pytest.raises(UsageError):
        Settings(permanent_lifetime=lifetime)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        Site(permanent_lifetime=lifetime)


def test_t8_a_lifetime_of_400_days_is_taken_and_sent() -> None:
    site = Site(permanent_lifetime=34_560_000)
    site.app.add_url_rule("/permanent", view_func=make_permanent)
    assert "Max-Age=34560000" in site.get("/permanent").cookies[0]


@pytest.mark.parametrize("lifetime", [0, -1, 0.5, timedelta(0), timedelta(days=-1), None, "3600", True])
def test_t8_no_lifetime_means_for_ever(lifetime: object) -> None:
    with pytest.raises(UsageError):
        Settings(permanent_lifetime=lifetime)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ENDS)
def test_t9_limits_are_exact_around_the_ends_of_shorter_clocks(name: str) -> None:
    end = ENDS[name]
    desk = Desk(permanent_lifetime=LIFETIME, absolute_lifetime=2 * LIFETIME)
    for start in (end - LIFETIME, end - 1, end, end + 1):
        token = desk.seal(sealed_at=start, created_at=start)
        loaded = desk.load(f"session={token}", start)
        assert loaded.record is not None
        assert (loaded.record.created_at, loaded.record.sealed_at) == (start, start)
        assert desk.refusal(token, start + LIFETIME) is None
        assert desk.refusal(token, start + LIFETIME + 1) is Reason.EXPIRED
        assert desk.refusal(token, start - 60) is None
        assert desk.refusal(token, start - 61) is Reason.FROM_THE_FUTURE
        refreshed = desk.seal(sealed_at=start + LIFETIME, created_at=start)
        assert desk.refusal(refreshed, start + 2 * LIFETIME) is None
        assert desk.refusal(refreshed, start + 2 * LIFETIME + 1) is Reason.EXPIRED
        refreshed = desk.seal(sealed_at=start + 2 * LIFETIME, created_at=start)
        assert desk.refusal(refreshed, start + 2 * LIFETIME + 1) is Reason.TOO_OLD


@pytest.mark.parametrize("name", ["2038", "2106"])
def test_t9_dates_are_exact_around_the_ends_of_shorter_clocks(name: str) -> None:
    site = Site(permanent_lifetime=LIFETIME)
    site.app.add_url_rule("/permanent", view_func=make_permanent)
    site.app.add_url_rule("/created", view_func=created)
    for now in (ENDS[name] - 1, ENDS[name], ENDS[name] + 1):
        site.now = now
        answer = site.get("/permanent")
        (expires,) = re.findall(r"Expires=([^;]+)", answer.cookies[0])
        assert parsedate_to_datetime(expires).timestamp() == now + LIFETIME
        began = datetime.fromisoformat(site.get("/created", answer.pair).text)
        assert (began.timestamp(), began.tzinfo) == (now, UTC)


@pytest.fixture
def zone() -> Iterator[Callable[[str], None]]:
    """Gives what sets this process to another time zone."""
    before = os.environ.get("TZ")

    def put(name: str | None) -> None:
        if name is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = name
        time.tzset()

    yield put
    put(before)


ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Antarctica/Troll"]
# The hours in 2027 at which New York's clocks go forward and back.
SWITCHES = (1_805_007_600, 1_825_567_200)


@pytest.mark.parametrize("switch", SWITCHES, ids=["forward", "back"])
def test_t10_a_change_of_zone_or_of_daylight_saving_changes_nothing(switch: int, zone: Callable[[str], None]) -> None:
    zone("America/New_York")
    assert time.localtime(switch - 1).tm_isdst != time.localtime(switch).tm_isdst
    headers = set()
    for name in ZONES:
        zone(name)
        site = Site(permanent_lifetime=LIFETIME, absolute_lifetime=LIFETIME)
        site.app.add_url_rule("/permanent", view_func=make_permanent)
        site.now = switch - LIFETIME // 2
        answer = site.get("/permanent")
        headers.add(answer.masked().cookies[0])
        for other in ZONES:
            zone(other)
            site.now = switch + LIFETIME // 2
            assert site.get("/read", answer.pair).text == "user: ann"
            site.now += 1
            assert site.get("/read", answer.pair).text == "user: nobody"
        assert set(site.reasons) == {Reason.EXPIRED}
    assert len(headers) == 1


def test_t_the_events_of_a_session_s_life_come_in_their_order() -> None:
    site = Site(permanent_lifetime=LIFETIME)
    cookie = site.get("/write").pair
    site.now += LIFETIME // 2
    cookie = site.get("/read", cookie).pair
    cookie = site.get("/write?user=bob", cookie).pair
    site.get("/logout", cookie)
    site.now += LIFETIME + 1
    site.get("/read", cookie)
    kinds = [event.kind for event in site.events]
    assert kinds == [Kind.CREATED, Kind.REFRESHED, Kind.CHANGED, Kind.DESTROYED, Kind.REJECTED]
    assert len({event.handle for event in site.events[:-1]}) == 1
    assert site.events[-1].handle is None
