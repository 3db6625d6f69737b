"""No event, signal, counter or line of the log holds a key, a token, content, a user or an address. In every mode."""

from __future__ import annotations

import logging
import traceback
from typing import Any

import pytest
from events.conftest import Begin
from events.counting import collect
from events.life import CONTENT, USER, Life, walk
from hosts.host import Host
from kit import SECRET

from coatcheck import Event, Kind
from coatcheck.signals import session_event

AGENT = "agent-planted/7.1"
ADDRESS = "203.0.113.77"
KEEP = "keep-planted"


@pytest.fixture(params=["walk", "failing listener"])
def listener(request: pytest.FixtureRequest) -> Any:
    """Hears, or raises an error that holds what was in the session."""
    heard: list[Event] = []

    def hear(event: Event) -> None:
        heard.append(event)
        if request.param != "walk":
            raise KeyError(CONTENT, USER, event)

    hear.heard = heard  # type: ignore[attr-defined]
    return hear


def planted(life: Life, tokens: set[str]) -> list[str]:
    pieces = [token[at : at + 12] for token in tokens for at in range(len(token) - 12)]
    return [SECRET, SECRET[:16], CONTENT, USER, AGENT, ADDRESS, KEEP, *pieces]


def everything(record: logging.LogRecord) -> str:
    shown = f"{record.getMessage()} {record.args!r} {record.exc_text} {record.__dict__!r}"
    if record.exc_info and record.exc_info[1]:
        shown += "".join(traceback.format_exception(record.exc_info[1]))
    return shown


def test_nothing_that_was_planted_is_told(
    some_host: type[Host], mode: str, begin: Begin, listener: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "coatcheck")
    collect()
    sent: list[Any] = []

    def hear(*args: object, **named: object) -> None:
        sent.append((args[1:], named))
        raise RuntimeError(CONTENT, named)

    life = begin(some_host, mode, on_event=listener)
    tokens: set[str] = set()
    get = life.browser.get

    def get_and_note(path: str, **how: Any) -> Any:
        answer = get(path, headers=[("User-Agent", AGENT), ("X-Forwarded-For", ADDRESS)], **how)
        tokens.update(life.browser.cookies.values())
        return answer

    life.browser.get = get_and_note  # type: ignore[method-assign]
    with session_event.connected_to(hear):
        for _ in walk(life):
            pass
        life.sign_in()
        if mode != "cookie":
            life.elsewhere().revoke_everyone()
        life.sign_out()
    assert len(tokens) > 3
    shown = [
        *map(repr, listener.heard),
        *map(str, listener.heard),
        *map(repr, sent),
        *map(everything, (each for each in caplog.records if each.name.startswith("coatcheck"))),
        *(repr((scope.name, metric.to_json())) for scope, metric in collect()),
    ]
    text = "\n".join(shown)
    # It is all there: what is said of a session is said by its handle.
    handles = [event.handle for event in listener.heard if event.handle]
    assert len(shown) > 3 * len(listener.heard) and all(text.count(handle) >= 3 for handle in handles)
    assert [each for each in planted(life, tokens) if each in text] == []


def test_a_handle_of_an_event_opens_nothing(some_host: type[Host], mode: str, begin: Begin) -> None:
    life = begin(some_host, mode)
    life.begin()
    life.sign_in()
    handles = {event.handle for event in life.events if event.handle}
    assert handles
    for handle in handles:
        assert handle not in life.browser.cookies["session"]
        for value in (handle, handle[:44], bytes.fromhex(handle).hex().upper()):
            assert life.host.get("/look", f"session={value}").text == "nobody"


def test_what_an_event_holds_is_three_words(some_host: type[Host], mode: str, begin: Begin) -> None:
    heard: list[Event] = []
    life = begin(some_host, mode, on_event=heard.append)
    for _ in walk(life):
        pass
    assert len(heard) > 10
    assert Event._fields == ("kind", "reason", "handle")
    assert all(type(event.kind) is Kind and type(event.handle) in (str, type(None)) for event in heard)
