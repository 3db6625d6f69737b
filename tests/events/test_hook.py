"""Whoever gives `on_event=` hears of everything that happens to a session, on every host and in every mode."""

from __future__ import annotations

import re
from typing import Any

import pytest
from events.conftest import Begin
from events.life import MODES, USER, expected, walk
from hosts.adapters.flask import FlaskHost
from hosts.host import Browser, Host

from coatcheck import Event, Kind, Reason, Session
from coatcheck.core.events import Rejected

HANDLE = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")


def test_a_whole_life_is_told(any_host: type[Host], mode: str, begin: Begin) -> None:
    assert list(walk(begin(any_host, mode))) == expected(mode)


def test_lives_tell_of_everything_that_the_documentation_of_the_hook_promises() -> None:
    told = {each for mode in MODES for _, events in expected(mode) for each in events}
    kinds = {kind for kind, _ in told}
    assert kinds >= {"created", "signed_in", "signed_out", "regenerated", "refreshed", "revoked", "rejected", "reused"}
    assert {reason for kind, reason in told if kind == "rejected"} >= {"expired", "forged", "revoked", "reused"}


def test_a_handle_names_the_session_that_the_event_is_about(some_host: type[Host], mode: str, begin: Begin) -> None:
    heard: list[Event] = []
    life = begin(some_host, mode, on_event=heard.append)
    life.begin()
    life.sign_in()
    created, regenerated, signed_in = heard
    assert all(event.handle and HANDLE.fullmatch(event.handle) for event in heard)
    assert created.handle != regenerated.handle == signed_in.handle
    heard.clear()
    life.reuse()
    if mode != "cookie":
        reused = next(event for event in heard if event.kind is Kind.REUSED)
        assert reused.handle == signed_in.handle


def test_the_session_that_ends_for_a_later_one_is_told_of(some_host: type[Host], mode: str, begin: Begin) -> None:
    if mode == "cookie":
        return
    heard: list[Event] = []
    life = begin(some_host, mode, on_event=heard.append, max_sessions_per_user=1)
    life.sign_in()
    first = heard[-1]
    Browser(life.host).get("/login")
    assert Event(Kind.REVOKED, None, first.handle) in heard
    heard.clear()
    life.come_back()
    assert [event.kind for event in heard] == [Kind.REJECTED]


def test_an_end_for_everyone_is_one_event(some_host: type[Host], begin: Begin) -> None:
    life = begin(some_host, "list")
    life.sign_in()
    life.told()
    life.elsewhere().revoke_everyone()
    assert life.events == [Event(Kind.REVOKED)]


@pytest.mark.parametrize("mode", ["cookie", "list", "hybrid"])
def test_what_is_older_than_the_absolute_lifetime_is_too_old(some_host: type[Host], mode: str, begin: Begin) -> None:
    life = begin(some_host, mode, absolute_lifetime=100, refresh_interval=1)
    life.begin()
    life.clock.advance(101)
    life.told()
    life.come_back()
    assert life.told() == [("rejected", "too_old")]


def test_a_new_id_that_is_due_is_told_of(some_host: type[Host], begin: Begin) -> None:
    life = begin(some_host, "store", rotate_every=60)
    life.sign_in()
    life.told()
    life.clock.advance(61)
    life.come_back()
    assert life.told() == [("regenerated", "")]


def test_a_login_that_fails_tells_of_no_login(some_host: type[Host], begin: Begin) -> None:
    life = begin(some_host, "list", max_sessions_per_user=1, over_limit="refuse")
    life.sign_in()
    life.told()
    assert Browser(life.host).get("/login").status >= 400
    assert life.told() == []


def test_a_login_and_a_logout_in_one_request_are_both_told_or_neither(begin: Begin) -> None:
    life = begin(FlaskHost, "store")

    def both(session: Session) -> None:
        session.login(USER)
        session.logout()

    life.host.views = {**life.host.views, "both": both}
    life.get("both")
    assert {kind for kind, _ in life.told()} & {"signed_in", "signed_out"} == set()


def test_a_request_that_only_looks_tells_nothing(some_host: type[Host], mode: str, begin: Begin) -> None:
    life = begin(some_host, mode)
    life.sign_in()
    life.told()
    life.get("look", "look")
    assert life.told() == []


@pytest.mark.parametrize("value", [*Kind, *Reason])
def test_a_word_of_an_event_is_plain_text(value: Any) -> None:
    assert re.fullmatch(r"[a-z_]+", value)
    assert str(value) == value == value.value


def test_a_refusal_inside_the_core_says_its_reason_and_no_more() -> None:
    assert str(Rejected(Reason.REUSED, b"family", "handle")) == "reused"
