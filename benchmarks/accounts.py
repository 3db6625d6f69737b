"""What it costs to list a user's sessions, and to sign in and out, as the sessions of others grow.

    python benchmarks/accounts.py

The goal: the cost of `sessions_of` grows with the user's own sessions and not with all. Users
of two stores, of which one has a thousand times the sessions of the other, take turns in one
process; the operations that a store gets are counted. Below that, what `login` and `logout`
cost beside `regenerate`, in a store and in a cookie with a list.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from timing import heading, microseconds

from coatcheck.core.facts import Facts
from coatcheck.core.roster import Rows, Signed
from coatcheck.drive import run
from coatcheck.request_session import RequestSession
from coatcheck.sessions import Sessions
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.stores.url import StoreURL
from coatcheck.testing import FailingStore

KEY = "9f3c1b7ad0e84c52b6e1f70a2d95c8437be00f6a1c24d98e5b37a6f0c1d2e394"
OWN = (1, 10, 100)
OTHERS = (100, 100_000)
OF_OTHERS = 10
"""So many sessions has each of the others."""


def sign_in(sessions: Sessions, user_id: int | str) -> str:
    """Gives the cookie of a new session of a user."""
    session = RequestSession(sessions, "")
    session["username"] = "ada"
    session.login(user_id)
    return sessions.commit(session, https=True).cookies[0].partition(";")[0]


def fill(sessions: Sessions, path: Path, others: int) -> None:
    """Makes sessions of other users: their rosters through the store, and their records as rows like one of ours."""
    register = sessions.engine.accounts._register  # noqa: SLF001
    now = int(time.time())
    keys: list[bytes] = []
    for number in range(others // OF_OTHERS):
        rows: Rows = {}
        for _ in range(OF_OTHERS):
            handle, facts = os.urandom(32), Facts(0, os.urandom(16))
            keys.append(handle)
            agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
            rows[facts.family] = Signed(handle, facts.family, 0, now, now, now, now + 86400, "203.0.113.9", agent)
        run(register.rosters.edit(f"user {number}", partial(_put, rows), now), sessions.stores)
    connection = sqlite3.connect(path)
    connection.executemany(
        "INSERT INTO sessions (key, content, used_at, expires_at, owner, version) VALUES (?, ?, ?, ?, ?, ?)",
        ((key, os.urandom(300), now, now + 86400, key[:16], number) for number, key in enumerate(keys)),
    )
    connection.commit()
    connection.close()


def _put(rows: Rows, present: Rows) -> None:
    present.update(rows)


@contextmanager
def opened(folder: Path, others: int) -> Iterator[tuple[Sessions, FailingStore]]:
    path = folder / f"{others}.db"
    store = SQLiteStore.from_url(StoreURL.parse(f"sqlite:///{path}"))
    counted = FailingStore(store)
    sessions = Sessions({"secret_key": KEY, "store": counted})
    for count in OWN:
        for _ in range(count):
            sign_in(sessions, count)
    fill(sessions, path, others)
    try:
        yield sessions, counted
    finally:
        store.close()


def listing(folder: Path) -> None:
    few, many = OTHERS
    with opened(folder, few) as small, opened(folder, many) as large:
        print(f"\nsessions_of, microseconds; sessions of others  {few:>9,}  {many:>9,}    ratio  operations")
        for count in OWN:
            counts = []
            for sessions, counted in (small, large):
                counted.calls.clear()
                assert len(sessions.sessions_of(count)) == count
                counts.append(len(counted.calls))
            turns = {
                others: lambda sessions=sessions, count=count: sessions.sessions_of(count)
                for others, (sessions, _) in (("few", small), ("many", large))
            }
            taken = microseconds(turns, rounds=60, calls=max(1, 20 // count))
            ratio = taken["many"] / taken["few"]
            print(f"  {count:3} of the user {'':30}{taken['few']:9.0f}  {taken['many']:9.0f}  {ratio:7.2f}  {counts}")


def sides(sessions: Sessions) -> dict[str, Callable[[], object]]:
    """Requests of which each takes a session that is used for nothing else."""

    def visit(cookie: str, view: Callable[[RequestSession], object]) -> None:
        session = RequestSession(sessions, cookie)
        view(session)
        sessions.commit(session, https=True)

    renewed, ended = (
        iter([sign_in(sessions, f"{what} {number}") for number in range(330)]) for what in ("renewed", "ended")
    )
    numbers = iter(range(1_000_000))
    return {
        "regenerate": lambda: visit(next(renewed), lambda session: session.regenerate()),
        "login": lambda: visit("", lambda session: session.login(next(numbers))),
        "logout": lambda: visit(next(ended), lambda session: session.logout()),
    }


def signing(folder: Path) -> None:
    url = f"sqlite:///{folder / 'signing.db'}"
    print("\na whole request, microseconds   regenerate       login      logout")
    for name, options in (("in a store", {"store": url}), ("in the cookie, with a list", {"revocations": url})):
        sessions = Sessions({"secret_key": KEY, **options})
        taken = microseconds(sides(sessions), rounds=300, calls=1)
        print(f"  {name:28}" + "".join(f"{each:12.0f}" for each in taken.values()))
        for store in sessions.opened.values():
            store.close()


def main() -> None:
    print(heading("coatcheck", "cryptography"), f"SQLite {sqlite3.sqlite_version}", sep="; ")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COATCHECK_BELLS"] = folder
        listing(Path(folder))
        signing(Path(folder))


if __name__ == "__main__":
    main()
