"""Whatever a listener does, what it is told of has happened, and happens whole."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
from events.conftest import Begin
from events.life import USER, Life, copy_of, expected, options_of, walk
from hosts.adapters.flask import FlaskHost
from hosts.adapters.quart_host import QuartHost
from hosts.host import Browser, Host

from coatcheck import Event, Kind, Reason, flask, quart
from coatcheck.log import Watch
from coatcheck.sessions import Sessions
from coatcheck.signals import session_event
from coatcheck.testing import Clock

HANDLE = "0123456789abcdef0123456789abcdef"


def errors(log: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in log.records if entry.levelno == logging.ERROR]


class Failing:
    """A listener that notes what it hears, and then raises."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.heard.append(event)
        raise ValueError("content-planted")


# What a listener raises


def test_a_life_goes_on_whatever_its_listener_raises(some_host: type[Host], mode: str, begin: Begin) -> None:
    failing = Failing()
    life = begin(some_host, mode, on_event=failing)

    def told() -> list[tuple[str, str]]:
        found = [(event.kind.value, event.reason.value if event.reason else "") for event in failing.heard]
        failing.heard.clear()
        return found

    life.told = told  # type: ignore[method-assign]
    assert list(walk(life)) == expected(mode)


def test_each_answer_is_the_one_of_a_site_without_a_listener(some_host: type[Host], mode: str, begin: Begin) -> None:
    failing, silent = begin(some_host, mode, on_event=Failing()), begin(some_host, mode, on_event=None)
    for page in ("put", "login", "look", "rotate", "more", "logout", "look"):
        answers = [life.browser.get(f"/{page}") for life in (failing, silent)]
        assert answers[0].status == answers[1].status == 200
        assert answers[0].text == answers[1].text
        assert len(answers[0].cookies) == len(answers[1].cookies)
        assert answers[0].vary == answers[1].vary


@pytest.mark.parametrize("mode", ["list", "store", "hybrid"])
def test_no_session_survives_its_revocation_for_a_listener_that_raises(
    some_host: type[Host], mode: str, begin: Begin
) -> None:
    life = begin(some_host, mode, on_event=Failing())
    browsers = [Browser(life.host) for _ in range(4)]
    for browser in browsers:
        browser.get("/login")
    assert life.elsewhere().revoke_user(USER) == 4
    life.clock.advance(2)
    assert [browser.get("/look").text for browser in browsers] == ["nobody"] * 4


@pytest.mark.parametrize("mode", ["list", "store", "hybrid"])
def test_a_family_is_ended_for_a_listener_that_raises(some_host: type[Host], mode: str, begin: Begin) -> None:
    life = begin(some_host, mode, on_event=Failing())
    life.sign_in()
    life.reuse()
    life.clock.advance(2)
    assert life.get("look") == ["nobody"]


def test_the_line_of_the_log_has_the_type_and_the_place_and_no_text(
    some_host: type[Host], begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    life = begin(some_host, "cookie", on_event=Failing())
    life.begin()
    life.change()
    (line,) = errors(caplog)
    assert "ValueError" in line
    assert __file__ in line
    assert "content-planted" not in caplog.text
    assert not [entry for entry in caplog.records if entry.exc_info]


def test_a_listener_that_keeps_failing_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    watch = Watch(Failing(), set(), clock=clock)
    for _ in range(4):
        for _ in range(30):
            watch(Event(Kind.CREATED))
            clock.advance(2)
    assert len(errors(caplog)) == 4


def test_all_listeners_are_told_though_one_raises() -> None:
    first, second, counted = Failing(), Failing(), Failing()
    watch = Watch(first, set(), count=counted)
    watch.listen(second)
    watch(Event(Kind.CREATED))
    assert first.heard == second.heard == counted.heard == [Event(Kind.CREATED)]


@pytest.mark.parametrize("stop", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_process_is_no_error_of_a_listener(stop: type[BaseException]) -> None:
    def leave(event: Event) -> None:
        raise stop

    watch = Watch(leave, set())
    with pytest.raises(stop):
        watch(Event(Kind.CREATED))
    heard: list[Event] = []
    watch.listen(heard.append)
    with pytest.raises(stop):
        watch(Event(Kind.CREATED))
    assert heard == []


# What a listener does with sessions


def using(look: Callable[[], object]) -> tuple[list[str], Callable[[Event], None]]:
    seen: list[str] = []

    def listen(event: Event) -> None:
        seen.append(f"{event.kind} {look()}")

    return seen, listen


def test_a_listener_may_look_at_the_session_of_the_request(mode: str, begin: Begin) -> None:
    seen, listen = using(lambda: flask.session.user_id)
    life = begin(FlaskHost, mode, on_event=listen)
    life.begin()
    life.sign_in()
    assert seen[0] == "created None"
    assert seen[-1] == f"signed_in {USER}"
    assert life.get("look") == [USER]


def test_a_look_at_a_session_that_is_being_loaded_has_an_end(mode: str, begin: Begin) -> None:
    """It loads the session a second time, which is refused a second time."""
    seen, listen = using(lambda: dict(flask.session))
    life = begin(FlaskHost, mode, on_event=listen)
    answer = life.host.get("/look", "session=AAAA")
    assert (answer.status, answer.text) == (200, "nobody")
    assert seen == ["rejected {}"]


def test_a_change_by_a_listener_does_no_harm_to_what_the_request_keeps(mode: str, begin: Begin) -> None:
    def change(event: Event) -> None:
        flask.session["changed"] = True

    life = begin(FlaskHost, mode, on_event=change)
    for page in ("put", "login", "more"):
        assert life.browser.get(f"/{page}").status == 200
    assert life.get("look") == [USER]


@pytest.mark.parametrize("mode", ["list", "store", "hybrid"])
def test_a_listener_may_end_sessions(mode: str, begin: Begin) -> None:
    """As where an application ends everything of a user at the first sign of a theft."""
    heard: list[Event] = []
    elsewhere: list[Sessions] = []

    def listen(event: Event) -> None:
        heard.append(event)
        if event.kind is Kind.REUSED:
            elsewhere[0].revoke_user(USER)

    life = begin(FlaskHost, mode, on_event=listen)
    elsewhere.append(Sessions(life.options | {"on_event": None}))
    life.sign_in()
    other = Browser(life.host)
    other.get("/login")
    life.reuse()
    life.clock.advance(2)
    assert [life.get("look"), other.get("/look").text] == [["nobody"], "nobody"]
    assert Kind.REUSED in {event.kind for event in heard}


def test_what_a_listener_causes_is_counted_and_not_told_to_it_again() -> None:
    heard: list[Event] = []
    counted: list[Event] = []

    def listen(event: Event) -> None:
        heard.append(event)
        watch(Event(Kind.REVOKED))

    watch = Watch(listen, set(), count=counted.append)
    watch.listen(heard.append)
    watch(Event(Kind.REUSED, handle=HANDLE))
    watch(Event(Kind.CREATED))
    assert [event.kind for event in heard] == [Kind.REUSED, Kind.REUSED, Kind.CREATED, Kind.CREATED]
    assert [event.kind for event in counted] == [Kind.REUSED, Kind.REVOKED, Kind.CREATED, Kind.REVOKED]


def test_a_receiver_of_quart_may_look_at_the_session_once_quart_has_it(begin: Begin) -> None:
    """What is told while Quart opens the session finds none. The request goes on."""
    seen: list[object] = []

    def hear(sender: object, *, event: Event) -> None:
        seen.append(quart.session.user_id)

    life = begin(QuartHost, "store")
    with session_event.connected_to(hear):
        life.sign_in()
        assert life.host.get("/look", f"session=A{'g' * 43}").text == "nobody"
    assert seen == [USER, USER]
    assert life.told()[-1] == ("rejected", "unknown_id")


# Threads


def test_threads_tell_each_what_has_happened_in_them(mode: str, clock: Clock) -> None:
    """A listener that is at work in one thread keeps no other thread's event from being told."""
    barrier = threading.Barrier(4, timeout=30)
    heard: list[tuple[int, Event]] = []

    def listen(event: Event) -> None:
        # All four are inside their listeners at once.
        barrier.wait()
        heard.append((threading.get_ident(), event))

    with FlaskHost({"put": lambda session: session.update(a=1)}, **options_of(mode, clock), on_event=listen) as host:
        threads = [threading.Thread(target=host.get, args=("/put",)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({thread for thread, _ in heard}) == 4
    assert [event.kind for _, event in heard] == [Kind.CREATED] * 4


# The log


def test_a_stolen_cookie_is_a_warning_with_the_handle_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    watch = Watch(None, set(), clock=clock)
    for _ in range(3):
        for _ in range(30):
            watch(Event(Kind.REUSED, handle=HANDLE))
            watch(Event(Kind.REJECTED, Reason.REUSED))
            clock.advance(2)
    lines = [entry.getMessage() for entry in caplog.records]
    assert len(lines) == 3
    assert all(HANDLE in line and "somebody has a copy" in line for line in lines)


def test_a_logout_that_a_copy_survives_is_said_once(
    some_host: type[Host], mode: str, begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    life = begin(some_host, mode)
    for _ in range(3):
        life.sign_in()
        life.sign_out()
    said = [entry.getMessage() for entry in caplog.records if "signed out" in entry.getMessage()]
    assert len(said) == (1 if mode == "cookie" else 0)


def test_a_copy_is_what_the_warning_says_it_is(begin: Begin) -> None:
    alive = {}
    for mode in ("cookie", "list"):
        life: Life = begin(FlaskHost, mode)
        life.sign_in()
        copy = copy_of(life.browser)
        life.sign_out()
        alive[mode] = life.get("look", browser=copy)
    assert alive == {"cookie": [USER], "list": ["nobody"]}
