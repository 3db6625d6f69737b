"""Ended on one machine and tried on another, which hears no bell: dead when the delay is over."""

from __future__ import annotations

from pathlib import Path

import pytest
from replay.machines import Browser, Machines
from replay.test_two_processes import is_dead, signed_in

DELAY = 60
HOW = {"logout": "/logout", "one user": "/user?user=ada", "everyone": "/everyone"}


@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
def test_a_cookie_is_dead_when_the_delay_is_over_and_not_before(kind: str, tmp_path: Path) -> None:
    """Before, nobody there can know: so this shows that no bell was heard, and what the setting means."""
    with Machines(tmp_path, revocations=f"sqlite:///{tmp_path}/ended.db", revocation_delay=DELAY) as machines:
        here, there = machines.start(kind), machines.start(kind, machine="another")
        late = 0
        for path in HOW.values():
            browser = signed_in(here, there, "ada")
            copied = browser.copy()
            browser.get(here, path)
            assert copied.user(here) is None
            assert copied.user(there) == "ada"
            late += DELAY + 1
            machines.advance_to(late)
            is_dead(copied, there, here)


@pytest.mark.parametrize("path", HOW.values(), ids=list(HOW))
@pytest.mark.parametrize("mode", ["cookie", "store", "hybrid"])
def test_without_delay_it_is_dead_at_once(mode: str, path: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sessions.db"
    place = {"revocations" if mode == "cookie" else "store": url}
    with Machines(tmp_path, mode=mode, revocation_delay=0, **place) as machines:
        here, there = machines.start("gunicorn"), machines.start("uvicorn", machine="another")
        browser = Browser().login(here, "ada")
        # Of two frameworks, with their own rules for the lifetime of a browser's cookie.
        assert browser.user(there) == "ada"
        copied = browser.copy()
        browser.get(here, path)
        is_dead(copied, there, here)


@pytest.mark.parametrize("mode", ["store", "hybrid"])
@pytest.mark.parametrize("path", ["/logout", "/user?user=ada"])
def test_what_is_in_a_store_is_dead_at_once_whatever_the_delay(mode: str, path: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sessions.db"
    with Machines(tmp_path, mode=mode, store=url, revocation_delay=DELAY) as machines:
        here, there = machines.start("gunicorn"), machines.start("gunicorn", machine="another")
        browser = signed_in(here, there, "ada")
        copied = browser.copy()
        browser.get(here, path)
        is_dead(copied, there, here)
