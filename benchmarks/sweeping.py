"""What it costs to find the sessions of an owner and to remove expired ones, in SQLite and PostgreSQL, as records grow.

    python benchmarks/sweeping.py

It starts a PostgreSQL of its own and fills both to a million records. The goal is that the cost grows with what is
found and not with what is stored: 100 times the records, about the same time.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from timing import heading

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from servers.sql import PostgreSQL

from coatcheck.stores.sql import SQLStore
from coatcheck.stores.sqlite import _OWNED_BY, _SWEEP, SQLiteStore
from coatcheck.stores.url import StoreURL

NOW = 1_800_000_000
SIZES = (10_000, 100_000, 1_000_000)
FEW, MANY = 10, 100
BATCHES = 20
CONTENT = os.urandom(300)
COLUMNS = "key, content, used_at, expires_at, owner, version"
TABLE = "coatcheck_sessions"


def alive(count: int) -> Iterator[tuple[Any, ...]]:
    """Rows of many owners, that expire one after the other in the time to come."""
    for number in range(count):
        yield os.urandom(32), CONTENT, NOW, NOW + 60 + number, os.urandom(16), number


def found(owner: bytes, count: int, expires_at: int) -> Iterator[tuple[Any, ...]]:
    for number in range(count):
        yield os.urandom(32), CONTENT, NOW, expires_at, owner, number


def milliseconds(call: Callable[[], object], times: int = BATCHES) -> float:
    taken = []
    for _ in range(times):
        began = perf_counter()
        call()
        taken.append((perf_counter() - began) * 1000)
    return median(taken)


def measure(name: str, store: Any, fill: Callable[[Iterator[tuple[Any, ...]]], None]) -> None:
    few, many = os.urandom(16), os.urandom(16)
    fill(found(few, FEW, NOW + 30))
    fill(found(many, MANY, NOW + 30))
    kept, costs = 0, []
    for size in SIZES:
        fill(alive(size - kept))
        kept = size
        fill(found(os.urandom(16), FEW * BATCHES + MANY * BATCHES, NOW - 1))
        assert len(store.owned_by(few)) == FEW
        assert len(store.owned_by(many)) == MANY
        costs.append(
            [
                milliseconds(lambda: store.owned_by(few)),
                milliseconds(lambda: store.owned_by(many)),
                milliseconds(lambda: store.sweep(FEW)),
                milliseconds(lambda: store.sweep(MANY)),
                milliseconds(lambda: store.sweep(MANY)),
            ]
        )
        assert store.sweep(MANY) == 0
    print(f"\n{name}, milliseconds")
    labels = (f"{FEW} found", f"{MANY} found", f"{FEW} removed", f"{MANY} removed", "none to remove")
    print("  records stored" + "".join(f"{label:>16}" for label in labels))
    for size, cost in zip(SIZES, costs, strict=True):
        print(f"  {size:14,}" + "".join(f"{each:16.3f}" for each in cost))
    ratios = (last / first for first, last in zip(costs[0], costs[-1], strict=True))
    print(f"  {'ratio':>14}" + "".join(f"{ratio:16.2f}" for ratio in ratios))


def sqlite(folder: Path) -> None:
    path = folder / "sessions.db"
    store = SQLiteStore(path, sweep=False, clock=lambda: NOW)
    store.read(bytes(32))
    connection = sqlite3.connect(path)

    def fill(rows: Iterator[tuple[Any, ...]]) -> None:
        connection.executemany(
            "INSERT INTO sessions (key, content, used_at, expires_at, owner, version) VALUES (?, ?, ?, ?, ?, ?)", rows
        )
        connection.commit()

    measure("SQLite", store, fill)
    for what, statement in {"finding": _OWNED_BY, "sweeping": _SWEEP}.items():
        steps = connection.execute(f"EXPLAIN QUERY PLAN {statement}", (1, 1)).fetchall()
        print(f"  {what}: {'; '.join(step[3] for step in steps)}")
    connection.close()
    store.close()


def postgresql(server: PostgreSQL) -> None:
    store = SQLStore.from_url(StoreURL.parse(server.url(sweep="off", timeout=60)), clock=lambda: NOW)
    store.read(bytes(32))
    connection = server.administer()

    def fill(rows: Iterator[tuple[Any, ...]]) -> None:
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY {TABLE} ({COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["bytea", "bytea", "int8", "int8", "bytea", "int8"])
                for row in rows:
                    copy.write_row(row)
            # As its own housekeeping does some minutes later.
            cursor.execute(f"VACUUM ANALYZE {TABLE}")

    measure("PostgreSQL", store, fill)
    said = store._operations._said  # noqa: SLF001 - what the store says is what is explained
    for what, statement in {"finding": said.owned_by, "sweeping": said.sweep}.items():
        values = statement.arguments({"now": 1, "limit": 1, "owner": b"owner"})
        steps = connection.execute(f"EXPLAIN (COSTS OFF) {statement.text}".encode(), values).fetchall()
        print(f"  {what}: {'; '.join(step.strip() for (step,) in steps if 'Scan' in step)}")
    connection.close()
    store.close()


def main() -> None:
    print(heading("coatcheck", "SQLAlchemy", "psycopg"), f"SQLite {sqlite3.sqlite_version}", sep="; ")
    with tempfile.TemporaryDirectory() as folder:
        sqlite(Path(folder))
    server = PostgreSQL()
    try:
        server.start()
        postgresql(server)
    finally:
        server.discard()


if __name__ == "__main__":
    main()
