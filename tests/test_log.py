"""The log says once what a person should act on, and never a key, a token or content."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from coatcheck import Event, Reason, StoreError
from coatcheck.core.events import Kind
from coatcheck.log import Watch
from coatcheck.testing import Clock

HANDLE = "0123456789abcdef0123456789abcdef"
LOUD = [Reason.UNKNOWN_KEY, Reason.AMBIGUOUS, Reason.LATE, Reason.UNREVOKED]


def rejected(reason: Reason) -> Event:
    return Event(Kind.REJECTED, reason)


@pytest.fixture
def watch() -> Watch:
    return Watch(None, set())


def warnings(log: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in log.records if entry.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        (Reason.UNKNOWN_KEY, "put the old one into SECRET_KEY_FALLBACKS"),
        (Reason.AMBIGUOUS, "a name that begins with __Host-"),
        (Reason.LATE, "when the headers of its response were gone"),
        (Reason.UNREVOKED, "Give revocations= a URL"),
    ],
)
def test_what_a_person_should_act_on_is_a_warning_with_advice(
    watch: Watch, caplog: pytest.LogCaptureFixture, reason: Reason, advice: str
) -> None:
    watch(rejected(reason))
    assert len(warnings(caplog)) == 1
    assert advice in warnings(caplog)[0]
    assert caplog.records[0].name == "coatcheck"


@pytest.mark.parametrize("reason", LOUD)
def test_a_warning_comes_once(watch: Watch, caplog: pytest.LogCaptureFixture, reason: Reason) -> None:
    for _ in range(3):
        watch(rejected(reason))
    assert len(warnings(caplog)) == 1


def test_watches_that_follow_each_other_warn_once_together(caplog: pytest.LogCaptureFixture) -> None:
    warned: set[str] = set()
    for _ in range(3):
        Watch(None, warned)(rejected(Reason.UNKNOWN_KEY))
    assert len(warnings(caplog)) == 1
    Watch(None, set())(rejected(Reason.UNKNOWN_KEY))
    assert len(warnings(caplog)) == 2


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in (*LOUD, Reason.STORE_DOWN)])
def test_what_every_visitor_can_cause_is_no_warning(
    watch: Watch, caplog: pytest.LogCaptureFixture, reason: Reason
) -> None:
    watch(rejected(reason))
    assert caplog.records == []


@pytest.mark.parametrize(
    "event", [Event(kind, handle=HANDLE) for kind in Kind] + [rejected(reason) for reason in Reason]
)
def test_at_debug_level_each_event_is_told(watch: Watch, caplog: pytest.LogCaptureFixture, event: Event) -> None:
    with caplog.at_level(logging.DEBUG, "coatcheck"):
        watch(event)
    told = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.DEBUG]
    assert len(told) == 1
    assert event.kind.value in told[0]
    assert (event.handle or "-") in told[0]
    assert event.reason is None or event.reason.value in told[0]


def test_the_application_s_listener_hears_every_event() -> None:
    heard: list[Event] = []
    watch = Watch(heard.append, set())
    events = [Event(Kind.CREATED, handle=HANDLE), *map(rejected, Reason), *map(rejected, Reason)]
    for event in events:
        watch(event)
    assert heard == events


def test_what_a_listener_raises_goes_into_the_log_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    def listener(event: Event) -> None:
        raise KeyError("a secret value")

    heard: list[Event] = []
    watch = Watch(listener, set())
    watch.listen(heard.append)
    watch(Event(Kind.CREATED))
    assert heard == [Event(Kind.CREATED)]
    (line,) = warnings(caplog)
    assert "KeyError" in line and __file__ in line and "secret" not in caplog.text


def test_a_weak_key_is_a_warning(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    watch.weak_key("the secret key is a sequence")
    watch.weak_key("the secret key is a sequence")
    watch.weak_key("fallback secret key 0 is a sequence")
    assert len(warnings(caplog)) == 2
    assert warnings(caplog)[0].startswith("the secret key is a sequence. ")


@pytest.mark.parametrize("host", ["example.com", "example.com:5000", "10.0.0.1"])
def test_a_cookie_without_secure_is_a_warning(watch: Watch, caplog: pytest.LogCaptureFixture, host: str) -> None:
    watch.insecure(host)
    watch.insecure(host)
    watch.insecure("another.example")
    assert len(warnings(caplog)) == 1
    assert repr(host) in warnings(caplog)[0]


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000", ""])
def test_on_the_developer_s_machine_it_is_none(watch: Watch, caplog: pytest.LogCaptureFixture, host: str) -> None:
    watch.insecure(host)
    assert warnings(caplog) == []


@pytest.mark.parametrize("host", ["a\r\nERROR forged entry", "%s%d%(x)s", "a" * 10_000, "\x1b[31m", "\ud800"])
def test_a_host_that_a_visitor_made_up_forges_no_entry(
    watch: Watch, caplog: pytest.LogCaptureFixture, host: Any
) -> None:
    watch.insecure(host)
    (text,) = warnings(caplog)
    assert len(text) < 600
    assert text.isprintable()


@pytest.mark.parametrize("kind", [Kind.REJECTED, Kind.DROPPED])
def test_a_store_that_could_not_be_asked_is_an_error_though_the_request_goes_on(
    watch: Watch, caplog: pytest.LogCaptureFixture, kind: Kind
) -> None:
    watch(Event(kind, Reason.STORE_DOWN))
    assert warnings(caplog) == [
        "the session store fails, and sessions can be neither read nor kept: it could not be asked"
    ]


def test_an_outage_is_said_once_a_minute_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    watch = Watch(None, set(), clock=clock)
    for _ in range(5):
        for _ in range(30):
            watch.store_down(StoreError("Redis cannot be reached"))
            clock.advance(2)
    line = "the session store fails, and sessions can be neither read nor kept: Redis cannot be reached"
    assert warnings(caplog) == [line] * 5
