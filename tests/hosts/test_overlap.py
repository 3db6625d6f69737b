"""Two requests of one session at the same time, the second inside the first."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hosts.conftest import Make
from hosts.host import Browser, Host
from hosts.pages import PAGES

from coatcheck import Session
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock


@pytest.fixture
def overlap(make: Make, clock: Clock) -> Callable[[Callable[[Session], object], str], Browser]:
    """Runs a page during which the same browser asks for another. Gives the browser, which has a session."""

    def run(page: Callable[[Session], object], other: str) -> Browser:
        store = MemoryStore(clock=clock)
        # Two processes, as it were: each has its own loop.
        beside: Host = make(PAGES, store=store)

        def slow(session: Session) -> object:
            session.get("user")
            with ThreadPoolExecutor(1) as thread:
                assert thread.submit(beside.get, other, browser.header).result(30).status == 200
            return page(session)

        browser = Browser(make({**PAGES, "slow": slow}, store=store))
        browser.get("/put")
        browser.get("/slow")
        return browser

    return run


def test_changes_of_both_are_kept(overlap: Any) -> None:
    browser = overlap(lambda session: session.update(size=3), "/other")
    assert browser.get("/look").text in {
        "{'user': 'ann', 'colour': 'blue', 'size': 3}",
        "{'user': 'ann', 'size': 3, 'colour': 'blue'}",
    }


def test_one_that_only_reads_undoes_nothing(overlap: Any) -> None:
    browser = overlap(lambda session: str(dict(session)), "/other")
    assert browser.get("/look").text == "{'user': 'ann', 'colour': 'blue'}"


@pytest.mark.parametrize("change", [False, True])
def test_a_logout_wins_over_a_slow_request(overlap: Any, change: bool) -> None:
    def page(session: Session) -> None:
        if change:
            session["late"] = True

    browser = overlap(page, "/destroy")
    assert browser.get("/look").text == "{}"
