"""A Redis that has the list, and is gone for a while, under running servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from replay.machines import Browser, Machines
from replay.test_two_processes import is_dead, signed_in
from servers.process import wait_until
from servers.redis import RedisServer


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.discard()


@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
def test_who_is_signed_in_waits_and_guests_go_on(kind: str, redis: RedisServer, tmp_path: Path) -> None:
    with Machines(tmp_path, revocations=redis.url(), revocation_delay=1) as machines:
        server = machines.start(kind)
        browser, ended, guest = Browser().login(server, "ada"), Browser().login(server, "eve"), Browser()
        copied = ended.copy()
        ended.get(server, "/logout")
        guest.get(server, "/write")
        redis.kill()
        machines.advance_to(10)
        status, answer = browser.copy().ask(server, "/who")
        assert (status, b"Service Unavailable" in answer) == (503, True)
        # Nothing is confirmed that was not done, and what is known to have ended stays so.
        assert browser.copy().ask(server, "/logout")[0] == 503
        assert Browser().ask(server, "/login?user=mia")[0] == 503
        assert copied.copy().user(server) is None
        for _ in range(2):
            guest.get(server, "/write")
        assert guest.get(server, "/who")["items"] == {"n": 3}
        assert Browser().get(server, "/who")["user"] is None
        redis.start()
        machines.advance_to(20)
        wait_until(lambda: browser.copy().ask(server, "/who")[0] == 200, "the list")
        assert browser.user(server) == "ada"
        is_dead(copied, server)


def test_an_application_may_want_to_let_everybody_in(redis: RedisServer, tmp_path: Path) -> None:
    with Machines(tmp_path, revocations=redis.url(), revocations_down="open", revocation_delay=1) as machines:
        server = machines.start("gunicorn")
        browser, ended = Browser().login(server, "ada"), Browser().login(server, "eve")
        copied = ended.copy()
        ended.get(server, "/logout")
        redis.kill()
        machines.advance_to(10)
        assert browser.user(server) == "ada"
        assert copied.copy().user(server) is None
        assert browser.copy().ask(server, "/logout")[0] == 503
        late = machines.start("gunicorn")
        # It has never read what has been ended: that is what the setting means.
        assert copied.copy().user(late) == "eve"
        redis.start()
        machines.advance_to(20)
        wait_until(lambda: copied.copy().user(server) is None, "the list")
        browser.get(server, "/write")


def test_a_list_that_was_lost_is_written_again_by_those_who_know_it(redis: RedisServer, tmp_path: Path) -> None:
    with Machines(tmp_path, revocations=redis.url(), revocation_delay=1) as machines:
        here, there = machines.start("gunicorn"), machines.start("uvicorn")
        browser, kept = signed_in(here, there, "ada"), signed_in(here, there, "kim")
        copied = browser.copy()
        browser.get(here, "/logout")
        assert copied.copy().user(there) is None
        redis.kill()
        # It keeps nothing on disk.
        redis.start()
        machines.advance_to(10)
        wait_until(lambda: kept.copy().ask(here, "/who")[0] == 200, "the list")
        is_dead(copied, here)
        late = machines.start("uvicorn", machine="another")
        is_dead(copied, late, here)
        assert kept.user(late) == "kim"
