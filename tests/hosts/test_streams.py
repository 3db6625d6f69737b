"""What a page changes while its body is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hosts.conftest import Make
from hosts.host import Browser
from hosts.pages import PAGES, look

from coatcheck import Session
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock


def stream(session: Session) -> Iterator[str]:
    yield "one"
    session["late"] = True
    yield "two"


def test_a_change_in_a_stream_is_kept_where_a_store_exists(make: Make, clock: Clock) -> None:
    browser = Browser(make({**PAGES, "stream": stream}, store=MemoryStore(clock=clock)))
    browser.get("/put")
    answer = browser.get("/stream")
    assert (answer.text, answer.broken) == ("onetwo", False)
    assert answer.vary == ["cookie"]
    assert browser.get("/look").text == "{'user': 'ann', 'late': True}"


def test_a_change_in_a_stream_is_an_error_where_none_exists(make: Make) -> None:
    browser = Browser(make({**PAGES, "stream": stream}))
    browser.get("/put")
    answer = browser.get("/stream")
    assert (answer.text, answer.broken) == ("one", True)
    assert browser.get("/look").text == "{'user': 'ann'}"


def test_a_change_deep_inside_in_a_stream_is_no_silence(
    make: Make, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def begin(session: Session) -> None:
        session["cart"] = [1]

    def grow(session: Session) -> Iterator[str]:
        cart = session["cart"]
        yield "one"
        cart.append(2)
        yield "two"

    views = {"begin": begin, "grow": grow, "look": look}
    kept = Browser(make(views, store=MemoryStore(clock=clock)))
    kept.get("/begin")
    kept.get("/grow")
    assert kept.get("/look").text == "{'cart': [1, 2]}"

    told: list[Any] = []
    sealed = Browser(make(views, on_event=told.append))
    sealed.get("/begin")
    sealed.get("/grow")
    assert [(event.kind, event.reason) for event in told][-1] == ("dropped", "late")
