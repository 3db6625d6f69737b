"""What the list of revocations costs: each request that is judged by it, memory, start, writing and the look at it.

    python benchmarks/revocations.py

The goal: with 100 000 entries a request costs at most 2 microseconds more than without a
list. All sides run in turn in one process, through the whole WSGI application, which reads
a session that is signed in; below that, the engine's load alone, which is the check. The entries are mixed:
sessions, users, and everyone once for each segment. The lists are in a SQLite file and in a
Redis, started for this. What it costs to look whether a list has changed, which a process
does once in `revocation_delay` and not with each request, is stated by itself.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from flask_requests import client_of, make_app
from servers_for_benchmarks import redis_server
from timing import heading, microseconds

from coatcheck.core.endings import ENDED, EVERYONE, REVOKED, ROTATED, USER, Ending
from coatcheck.core.revocations import SEGMENT_ENTRIES
from coatcheck.drive import run
from coatcheck.flask import Coatcheck, session
from coatcheck.sessions import Sessions

KEY = "9f3c1b7ad0e84c52b6e1f70a2d95c8437be00f6a1c24d98e5b37a6f0c1d2e394"
SIZES = (0, 1_000, 100_000)
MOST = SIZES[-1]
GOAL = 2.0
KINDS = (ENDED, REVOKED, USER, ROTATED, USER)


def endings(owners: Any, count: int) -> Iterator[list[Ending]]:
    """What has been ended, one segment after the other."""
    until = int(time.time()) + 30 * 86400
    for start in range(0, count, SEGMENT_ENTRIES):
        numbers = range(start, min(start + SEGMENT_ENTRIES, count))
        batch = [Ending(KINDS[number % len(KINDS)], os.urandom(16), until) for number in numbers]
        batch[0] = Ending(EVERYONE, owners.everyone[0], until)
        yield batch


def sessions_of(url: str | None, **options: Any) -> Sessions:
    return Sessions({"secret_key": KEY, "revocations": url, **options})


def fill(url: str, count: int, *, everyone: bool = True) -> None:
    sessions = sessions_of(url)
    revocations = sessions.engine.revocations
    assert revocations is not None
    for batch in endings(revocations.owners, count):
        run(revocations.append(batch if everyone else batch[1:], time.time()), sessions.stores)


def catch_up(sessions: Sessions) -> int:
    """Reads the list as far as it is new. Gives the number of entries that are known."""
    revocations = sessions.engine.revocations
    assert revocations is not None
    run(revocations.catch_up(time.time()), sessions.stores)
    return len(revocations)


def application(url: str | None) -> Flask:
    app = make_app(sessions=True)
    app.secret_key = KEY
    Coatcheck(app, revocations=url)

    @app.get("/sign-in")
    def sign_in() -> str:
        session["username"] = "ada"
        session.login(7)
        return "x"

    return app


def signed_in(app: Flask) -> str:
    return app.test_client().get("/sign-in").headers["Set-Cookie"].partition(";")[0]


def loading(url: str | None, cookie: str) -> Callable[[], object]:
    """The engine's part of a request, with a list that is not looked at meanwhile."""
    sessions = sessions_of(url, revocation_delay=3600)
    if url is not None:
        catch_up(sessions)
    load, clock = sessions.engine.load_sealed, sessions.clock
    loaded = load(cookie, clock())
    assert loaded is not None
    assert loaded.content["username"] == "ada"
    return lambda: load(cookie, clock())


def table(name: str, urls: dict[int, str]) -> None:
    apps = {"no list": application(None)} | {f"{size:,}": application(url) for size, url in urls.items()}
    cookies = {side: signed_in(app) for side, app in apps.items()}
    # What is ended after a session has begun could concern it.
    for url in urls.values():
        fill(url, SEGMENT_ENTRIES, everyone=False)
    loads = {side: loading(url, cookies[side]) for side, url in zip(apps, (None, *urls.values()), strict=True)}
    requests = {side: client_of(app, "/read", cookies[side]) for side, app in apps.items()}
    print(f"\n{name}, microseconds" + "".join(f"{side:>12}" for side in apps))
    # Short turns: on a machine that has other things to do, all sides are disturbed alike.
    for what, sides, calls in (("Flask request", requests, 10), ("load alone", loads, 100)):
        taken = microseconds(sides, rounds=600, calls=calls)
        print(f"  {what:{len(name) + 11}}" + "".join(f"{taken[side]:12.2f}" for side in apps))
        less, last = taken["no list"], taken[f"{MOST:,}"]
        print(
            f"  {'':{len(name) + 11}}{MOST:,} entries: {last / less:.3f} of the cost without,"
            f" {last - less:+.2f} us (goal: at most {GOAL:+.2f});"
            f" of an empty list's {last / taken['0']:.3f}"
        )


def look(name: str, url: str) -> None:
    """Prints what it costs to look at the list, and to write to it."""
    sessions = sessions_of(url, revocation_delay=0)
    started = time.perf_counter()
    known = catch_up(sessions)
    start = time.perf_counter() - started
    revocations = sessions.engine.revocations
    assert revocations is not None
    ending = [Ending(REVOKED, bytes(16), int(time.time()) + 86400)]
    # Segments of all lengths, as one fills up.
    taken = microseconds(
        {
            "look": lambda: catch_up(sessions),
            "append": lambda: run(revocations.append(ending, time.time()), sessions.stores),
        },
        rounds=SEGMENT_ENTRIES,
        calls=1,
    )
    print(
        f"\n{name}: {known:,} entries read at start in {start * 1000:.0f} ms; a look, once a second,"
        f" {taken['look']:.0f} us ({taken['look'] / 1e4:.2f} % of a core); to end one more {taken['append']:.0f} us"
    )


def memory(url: str) -> None:
    """Prints the memory that one entry takes. For a process of its own."""
    sessions = sessions_of(url)
    sessions.stores[2].read(bytes(32))
    gc.collect()
    tracemalloc.start()
    known = catch_up(sessions)
    gc.collect()
    held, peak = tracemalloc.get_traced_memory()
    print(f"  {known:,} entries: {held / known:.0f} bytes each, {held / 1e6:.1f} MB; {peak / 1e6:.1f} MB at most")


def main() -> None:
    if sys.argv[1:]:
        memory(sys.argv[1])
        return
    print(heading("coatcheck", "Flask", "cryptography", "redis"), f"SQLite {sqlite3.sqlite_version}", sep="; ")
    with tempfile.TemporaryDirectory() as folder, redis_server() as server:
        os.environ["COATCHECK_BELLS"] = folder
        lists = {
            "SQLite": {size: f"sqlite:///{Path(folder, f'{size}.db')}" for size in SIZES},
            "Redis": {size: f"redis://127.0.0.1:{server.port}/{number}" for number, size in enumerate(SIZES)},
        }
        for urls in lists.values():
            for size, url in urls.items():
                fill(url, size)
        for name, urls in lists.items():
            table(name, urls)
        print("\nmemory of a process", flush=True)
        for size in SIZES[1:]:
            subprocess.run([sys.executable, __file__, lists["SQLite"][size]], check=True)  # noqa: S603  # ourselves
        for name, urls in lists.items():
            look(name, urls[MOST])


if __name__ == "__main__":
    main()
