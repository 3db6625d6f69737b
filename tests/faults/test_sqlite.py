"""A file of SQLite whose disk is full, and whose writers are killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from stores.crowd import start

from coatcheck.stores.sqlite import SQLiteStore

# The program runs on a disk of its own of 400 KiB, or, where none can be mounted, may make no file larger than 200 KiB.
FULL_DISK = """
import os, resource, sys, time
from pathlib import Path
from coatcheck.errors import StoreError
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.core.record import StoredRecord

folder, means = Path(sys.argv[1]), sys.argv[2]
filler = folder / "filler"
filler.write_bytes(bytes(100 * 1024))
_, highest = resource.getrlimit(resource.RLIMIT_FSIZE)
if means == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (200 * 1024, highest))

def record(content):
    now = int(time.time())
    return StoredRecord(content, now, now + 3600)

def key(number):
    return b"%032d" % number

store = SQLiteStore(folder / "sessions.db")
confirmed = 0
try:
    while confirmed < 1000:
        assert store.insert(key(confirmed), record(b"%d" % confirmed * 1000)) is True
        confirmed += 1
except StoreError as error:
    print(error)
assert 10 < confirmed < 1000
for number in range(confirmed):
    assert store.read(key(number)).content == b"%d" % number * 1000
assert store.read(key(confirmed)) is None

filler.unlink()
resource.setrlimit(resource.RLIMIT_FSIZE, (highest, highest))
assert store.insert(key(confirmed), record(b"there is room again")) is True
print(store._file.run(lambda connection: connection.execute("PRAGMA integrity_check").fetchone())[0])
store.close()
"""
WRITER = """
from itertools import count

for turn in count():
    key = bytes([number, turn % 10]) * 16
    found = store.read(key)
    content = b"%d " % turn * 200
    if found is None:
        assert store.insert(key, record(content))
    else:
        assert store.replace(key, record(content), found.version)
    # A line for each write that was confirmed.
    os.write(1, b"%d\\n" % turn)
"""


def with_small_disk(folder: Path) -> tuple[list[str], str]:
    """Gives what runs a program with a disk of its own under this folder, and by which means."""
    unshare = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    small = [*unshare, "sh", "-c", 'mount -t tmpfs -o size=400k none "$0" && exec "$@"', str(folder)]
    try:
        if subprocess.run([*small, "true"], capture_output=True, check=False).returncode == 0:
            return small, "disk"
    except FileNotFoundError:
        pass
    return [], "limit"


def test_on_a_full_disk_nothing_confirmed_is_lost_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    before, means = with_small_disk(tmp_path)
    command = [*before, sys.executable, "-c", FULL_DISK, str(tmp_path), means]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    error, check = done.stdout.splitlines()
    expected = {"disk": "the disk is full", "limit": "the disk reports an error, or has no room"}[means]
    assert error == f"SQLite cannot be used: {expected}"
    assert check == "ok"


def test_where_no_file_may_grow_any_more_nothing_confirmed_is_lost_either(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), "limit"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["SQLite cannot be used: the disk reports an error, or has no room", "ok"]


@pytest.mark.parametrize("lines", [1, 50, 333])
def test_of_writers_that_are_killed_nothing_confirmed_is_lost(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "sessions.db"
    writers = [start(f"sqlite:///{path}", WRITER, number) for number in range(3)]
    for writer in writers:
        assert writer.stdout is not None
        for _ in range(lines):
            writer.stdout.readline()
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
    # What they had said by then, whole lines alone.
    said = [writer.communicate()[0] for writer in writers]
    store = SQLiteStore(path)
    for number, text in enumerate(said):
        confirmed = [int(line) for line in text[: text.rfind("\n") + 1].split()]
        last = max(confirmed, default=lines - 1)
        for turn in range(max(0, last - 9), last + 1):
            found = store.read(bytes([number, turn % 10]) * 16)
            assert found is not None and int(found.content.split()[0]) >= turn
    store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
