"""Ended in one process of a real server and tried in another: dead at the next request, and only the bell can tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from replay.machines import Browser, Machines
from servers.process import Server

# What each process would wait for, if it did not hear.
NEVER = 3600
LIFETIME = 600
PLACES = {
    "sqlite": None,
    "redis": "redis_server",
    "redis cluster": "redis_cluster",
    "postgresql": "postgresql",
    "memcached": "memcached",
}
PAIRS = [
    ("gunicorn", "cookie", "sqlite"),
    ("gunicorn", "cookie", "redis"),
    ("gunicorn", "store", "sqlite"),
    ("gunicorn", "store", "redis"),
    ("gunicorn", "store", "redis cluster"),
    ("gunicorn", "store", "postgresql"),
    ("gunicorn", "store", "memcached"),
    ("gunicorn", "hybrid", "sqlite"),
    ("gunicorn", "hybrid", "redis"),
    ("uvicorn", "cookie", "sqlite"),
    ("uvicorn", "cookie", "redis"),
    ("uvicorn", "store", "redis"),
    ("uvicorn", "store", "memcached"),
    ("uvicorn", "hybrid", "sqlite"),
]


def options_of(request: pytest.FixtureRequest, mode: str, place: str, folder: Path) -> dict[str, Any]:
    """Gives the settings of a mode that remembers at a place."""
    fixture = PLACES[place]
    url = f"sqlite:///{folder}/sessions.db" if fixture is None else request.getfixturevalue(fixture).url()
    return {"mode": mode, "revocations" if mode == "cookie" else "store": url}


@pytest.fixture(scope="module", params=PAIRS, ids=" ".join)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    kind, mode, place = request.param
    folder = tmp_path_factory.mktemp("replay")
    options = options_of(request, mode, place, folder)
    # Places are shared between the tests of a run, and what is ended in one of them is no other's.
    audience = " ".join(request.param)
    with Machines(folder, **options, revocation_delay=NEVER, permanent_lifetime=LIFETIME, audience=audience) as all_:
        yield all_.start(kind), all_.start(kind)


@pytest.fixture
def machines(pair: tuple[Server, Server], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives the file with the clock of the pair."""
    del pair
    return max(tmp_path_factory.getbasetemp().glob("replay*"), key=lambda path: path.stat().st_ctime) / "clock"


def signed_in(here: Server, there: Server, user: str) -> Browser:
    """Gives a browser that is signed in, and known to both, who have both read the list."""
    browser = Browser().login(here, user)
    assert browser.user(there) == browser.user(here) == user
    return browser


def is_dead(copied: Browser, *servers: Server) -> None:
    """Tries a copied cookie everywhere, and a page that writes, and once more."""
    for server in servers:
        assert copied.copy().get(server, "/who")["user"] is None
        writer = copied.copy()
        writer.get(server, "/write")
        found = writer.get(server, "/who")
        assert (found["user"], found["items"]) == (None, {"n": 1})
        assert copied.copy().user(server) is None


def test_after_logout(pair: tuple[Server, Server]) -> None:
    here, there = pair
    browser = signed_in(here, there, "lou")
    copied = browser.copy()
    browser.get(here, "/logout")
    is_dead(copied, there, here)


def test_after_signing_in_again_the_old_id(pair: tuple[Server, Server]) -> None:
    here, there = pair
    browser = signed_in(here, there, "sid")
    copied = browser.copy()
    browser.login(here, "sid")
    is_dead(copied, there, here)
    assert browser.user(there) == "sid"


def test_after_another_user_has_signed_in(pair: tuple[Server, Server]) -> None:
    here, there = pair
    browser = signed_in(here, there, "ann")
    copied = browser.copy()
    browser.login(here, "ben")
    is_dead(copied, there, here)
    found = browser.get(there, "/who")
    assert (found["user"], found["items"]) == ("ben", {"whose": "ben"})


def test_what_a_guest_had_before_signing_in(pair: tuple[Server, Server]) -> None:
    here, there = pair
    browser = Browser()
    browser.get(here, "/write")
    planted = browser.copy()
    browser.login(here, "gus")
    assert browser.get(there, "/who")["items"] == {"n": 1, "whose": "gus"}
    is_dead(planted, there, here)


def test_after_one_was_ended_by_its_handle(pair: tuple[Server, Server]) -> None:
    here, there = pair
    first = signed_in(here, there, "han")
    copied = first.copy()
    (handle,) = first.get(there, "/handles?user=han")["handles"]
    second = signed_in(there, here, "han")
    assert len(set(second.get(there, "/handles?user=han")["handles"])) == 2
    assert second.get(there, f"/revoke?handle={handle}&user=mallory") == {"revoked": False}
    assert first.user(here) == "han"
    assert second.get(there, f"/revoke?handle={handle}&user=han") == {"revoked": True}
    is_dead(copied, here, there)
    assert second.user(here) == second.user(there) == "han"


def test_after_a_user_was_signed_out_everywhere(pair: tuple[Server, Server]) -> None:
    here, there = pair
    browsers = [signed_in(here, there, "una"), signed_in(there, here, "una")]
    other = signed_in(here, there, "oda")
    assert Browser().get(here, "/user?user=una") == {"revoked": 2}
    for browser in browsers:
        is_dead(browser.copy(), there, here)
    assert other.user(there) == "oda"
    later = Browser().login(there, "una")
    assert later.user(here) == later.user(there) == "una"


def test_after_all_other_sessions_of_a_user_were_ended(pair: tuple[Server, Server]) -> None:
    here, there = pair
    kept, other = signed_in(here, there, "kim"), signed_in(here, there, "kim")
    assert kept.get(here, "/others?user=kim") == {"revoked": 1}
    is_dead(other.copy(), there, here)
    assert kept.user(there) == kept.user(here) == "kim"


def test_after_everyone_was_signed_out(pair: tuple[Server, Server]) -> None:
    here, there = pair
    browsers = [signed_in(here, there, "eva"), signed_in(there, here, "eli")]
    Browser().get(here, "/everyone")
    for browser in browsers:
        is_dead(browser.copy(), there, here)
    assert signed_in(there, here, "eva").user(here) == "eva"


def test_after_the_lifetime_though_the_browser_sends_it_for_ever(pair: tuple[Server, Server], machines: Path) -> None:
    here, there = pair
    browser = signed_in(here, there, "exa")
    try:
        machines.write_text(str(LIFETIME + 1))
        is_dead(browser.copy(), there, here)
    finally:
        machines.write_text("0")
