from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.process import wait_until
from stores.crowd import crowd, finish, start

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError, UsageError
from coatcheck.stores import AsyncStore, Store, open_async_store, open_store
from coatcheck.stores.sqlite import _OWNED_BY, _SWEEP, SQLiteStore
from coatcheck.stores.threaded import ThreadedStore
from coatcheck.testing import AsyncStoreContract, Clock, StoreContract

NOW = 1_800_000_000


class TestSQLiteStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "sessions.db"

    def make_store(self, clock: Clock) -> Store:
        return SQLiteStore(self.path, clock=clock)


class TestSQLiteStoreInThreads(AsyncStoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> Iterator[None]:
        self.path = tmp_path / "sessions.db"
        self.opened_stores: list[SQLiteStore] = []
        yield
        for store in self.opened_stores:
            store.close()

    async def make_async_store(self, clock: Clock) -> AsyncStore:
        self.opened_stores.append(SQLiteStore(self.path, clock=clock))
        return ThreadedStore(self.opened_stores[-1])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(path, timeout=0.2, clock=lambda: NOW)
    yield store
    store.close()


def record(content: bytes = b"content", life: int = 3600, owner: bytes = b"") -> StoredRecord:
    return StoredRecord(content, NOW, NOW + life, owner)


def count(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        (found,) = connection.execute("SELECT count(*) FROM sessions").fetchone()
    finally:
        connection.close()
    return int(found)


def ask(store: SQLiteStore, statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Gives what SQLite says to a statement in a connection of the store."""
    return store._file.run(lambda connection: connection.execute(statement, values).fetchall())  # noqa: SLF001


# By its URL


def test_three_slashes_are_a_relative_path_of_the_folder_in_which_the_store_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///sessions.db?timeout=1.5&synchronous=full&sweep=off")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert isinstance(store, SQLiteStore)
    assert store.read(bytes(32)) is None
    store.close()
    assert (tmp_path / "sessions.db").exists()


def test_four_slashes_are_an_absolute_path(url: str, path: Path) -> None:
    store = open_store(url)
    assert isinstance(store, SQLiteStore)
    store.read(bytes(32))
    store.close()
    assert path.exists() and repr(store) == f"<SQLiteStore {path}>"


def test_for_asyncio_it_works_in_threads(url: str) -> None:
    assert isinstance(open_async_store(url), ThreadedStore)


@pytest.mark.parametrize("url", ["sqlite:///:memory:", "sqlite://", "sqlite:///"])
def test_in_memory_there_is_another_store(url: str) -> None:
    with pytest.raises(UsageError, match="memory:"):
        open_store(url)


def test_two_slashes_are_told_apart_from_three() -> None:
    with pytest.raises(UsageError, match="three slashes"):
        open_store("sqlite://sessions.db")


@pytest.mark.parametrize("query", ["synchronous=off", "timeout=0", "timout=1", "sweep=maybe"])
def test_an_option_that_cannot_be_right_is_refused(url: str, query: str) -> None:
    with pytest.raises(UsageError):
        open_store(f"{url}?{query}")


@pytest.mark.parametrize(("name", "number"), [("normal", 1), ("full", 2), ("extra", 3)])
def test_how_synchronous_it_writes_can_be_chosen(path: Path, name: str, number: int) -> None:
    store = SQLiteStore(path, synchronous=name)
    assert ask(store, "PRAGMA synchronous") == [(number,)]
    store.close()


# The file


def test_a_new_file_is_for_its_user_alone(store: SQLiteStore, path: Path) -> None:
    before = os.umask(0)
    try:
        store.insert(bytes(32), record())
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"sessions.db": 0o600, "sessions.db-wal": 0o600, "sessions.db-shm": 0o600}


def test_a_file_that_is_there_keeps_its_mode(store: SQLiteStore, path: Path) -> None:
    path.touch()
    path.chmod(0o660)
    store.insert(bytes(32), record())
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_what_was_written_is_there_for_the_next_program(store: SQLiteStore, path: Path) -> None:
    store.insert(bytes(32), record())
    store.close()
    later = SQLiteStore(path, clock=lambda: NOW)
    assert later.read(bytes(32)) is not None
    later.close()


def test_a_table_that_was_dropped_is_made_again(store: SQLiteStore, path: Path) -> None:
    store.insert(bytes(32), record())
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE sessions")
    connection.close()
    assert store.read(bytes(32)) is None
    assert store.insert(bytes(32), record()) is True


def test_a_file_that_was_replaced_is_opened_anew(store: SQLiteStore, path: Path) -> None:
    store.insert(bytes(32), record())
    for file in list(path.parent.iterdir()):
        file.unlink()
    wait_until(lambda: store.read(bytes(32)) is None, "noticing that the file is gone", patience=10)
    assert store.insert(bytes(32), record()) is True
    assert count(path) == 1


# Several processes


def test_processes_that_make_the_file_at_the_same_moment_all_write_to_it(url: str, path: Path) -> None:
    program = """
begin()
for turn in range(50):
    assert store.insert(bytes([number, turn]) * 16, record(b"mine"))
"""
    crowd(url, program)
    assert count(path) == 200


def test_processes_that_replace_one_record_lose_no_change(url: str) -> None:
    program = """
key = bytes(32)
store.insert(key, record(b"0"))
begin()
for turn in range(50):
    while True:
        found = store.read(key)
        if store.replace(key, record(b"%d" % (int(found.content) + 1)), found.version):
            break
"""
    crowd(url, program)
    store = open_store(url)
    found = store.read(bytes(32))
    store.close()  # type: ignore[attr-defined]
    assert found is not None and found.content == b"200"


def test_a_store_made_and_used_before_a_fork_works_in_each_child(url: str) -> None:
    program = """
from threading import Thread

assert store.insert(b"p" * 32, record(b"parent"))
busy = True
def work():
    while busy:
        assert store.read(b"p" * 32).content == b"parent"
threads = [Thread(target=work, daemon=True) for _ in range(3)]
for thread in threads:
    thread.start()
children = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        ok = store.read(b"p" * 32).content == b"parent" and store.insert(b"%d" % child * 32, record(b"child"))
        os._exit(0 if ok else 1)
    children.append(pid)
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
busy = False
for thread in threads:
    thread.join()
assert all(store.read(b"%d" % child * 32).content == b"child" for child in range(3))
print(store._file.run(lambda connection: connection.execute("PRAGMA integrity_check").fetchone()))
"""
    # A fork beside threads is what this is about: newer Pythons warn of it.
    assert finish(start(url, program, options=("-W", "ignore"))) == "('ok',)\n"


def test_a_child_keeps_its_writes_when_the_parent_and_others_leave(url: str, path: Path) -> None:
    """With a connection from before the fork it would hold no lock, and whoever leaves last would remove the log."""
    program = """
store.read(bytes(32))
if os.fork():
    os._exit(0)
store.insert(b"1" * 32, record(b"first"))
print("written", flush=True)
sys.stdin.readline()
assert store.insert(b"2" * 32, record(b"second"))
print("more", flush=True)
os._exit(0)
"""
    process = start(url, program)
    assert process.stdout is not None and process.stdin is not None and process.stdout.readline() == "written\n"
    # Whoever closes a file last removes its log.
    assert count(path) == 1
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "more\n"
    process.communicate()
    assert count(path) == 2


# When it cannot be used


def test_a_missing_folder_is_said_and_can_be_made_later(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "missing" / "sessions.db", clock=lambda: NOW)
    with pytest.raises(StoreError, match="SQLite cannot be used: the file cannot be opened; its folder must exist"):
        store.read(bytes(32))
    (tmp_path / "missing").mkdir()
    assert store.insert(bytes(32), record()) is True
    store.close()


def test_what_is_no_database_is_left_as_it_is(store: SQLiteStore, path: Path) -> None:
    path.write_bytes(b"this is the text of somebody" * 100)
    with pytest.raises(StoreError, match="no SQLite database"):
        store.insert(bytes(32), record())
    assert path.read_bytes() == b"this is the text of somebody" * 100


def test_a_damaged_file_is_said_and_one_put_in_its_place_is_taken(store: SQLiteStore, path: Path) -> None:
    for number in range(100):
        store.insert(bytes([number]) * 32, record(os.urandom(500)))
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(StoreError, match="the file is damaged"):
        store.read(bytes(32))
    path.unlink()
    assert store.insert(bytes(32), record()) is True


def test_one_who_may_not_write_is_told_so(url: str, path: Path, store: SQLiteStore) -> None:
    store.insert(bytes(32), record())
    store.close()
    path.chmod(0o444)
    for folder in (path.parent, *path.parent.parents[:2]):
        folder.chmod(0o555)
    program = """
if os.getuid() == 0:
    os.setuid(65534)
try:
    store.insert(b"1" * 32, record(b"content"))
except StoreError as error:
    print(error)
"""
    try:
        assert finish(start(url, program)).startswith("SQLite cannot be used: the file")
    finally:
        path.parent.chmod(0o755)
    assert count(path) == 1


def test_a_lock_that_is_held_for_longer_than_the_timeout_is_an_error_and_does_no_harm(
    store: SQLiteStore, path: Path
) -> None:
    store.insert(bytes(32), record())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="others kept the file locked for longer than the timeout"):
        store.delete(bytes(32))
    assert store.read(bytes(32)) is not None
    other.execute("ROLLBACK")
    other.close()
    store.delete(bytes(32))
    assert store.read(bytes(32)) is None


def test_an_error_shows_nothing_of_the_record(store: SQLiteStore, path: Path) -> None:
    path.write_bytes(b"no database" * 100)
    with pytest.raises(StoreError) as caught:
        store.insert(b"the key of a session, 32 bytes..", record(b"the content"))
    assert "the key" not in str(caught.value) and "the content" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


# Sweeping and finding


def test_one_insert_in_64_removes_some_of_what_has_expired(path: Path) -> None:
    clock = Clock(NOW)
    store = SQLiteStore(path, clock=clock)
    for number in range(200):
        store.insert(b"\xff" + bytes([number]) * 31, record(life=10))
    clock.advance(10)
    store.insert(b"\x04" + bytes(31), record())
    assert count(path) == 201
    store.insert(b"\x03" + bytes(31), record())
    assert count(path) == 202 - 128
    store.close()


def test_inserts_leave_what_has_expired_where_they_are_told_to(path: Path) -> None:
    clock = Clock(NOW)
    store = SQLiteStore(path, sweep=False, clock=clock)
    store.insert(b"\xff" * 32, record(life=10))
    clock.advance(10)
    store.insert(bytes(32), record())
    assert count(path) == 2
    store.close()


def test_more_than_one_batch_is_swept(path: Path) -> None:
    clock = Clock(NOW)
    store = SQLiteStore(path, clock=clock)
    store.insert(bytes(32), record(life=10))
    connection = sqlite3.connect(path)
    connection.executemany(
        "INSERT INTO sessions (key, content, version, used_at, expires_at) VALUES (?, x'00', 1, 1, ?)",
        ((b"%032d" % number, NOW + 5) for number in range(2500)),
    )
    connection.commit()
    connection.close()
    clock.advance(5)
    assert (store.sweep(2200), store.sweep(1000), store.sweep(1000)) == (2200, 300, 0)
    assert count(path) == 1
    store.close()


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [(_SWEEP, (NOW, 100), "sessions_expires_at"), (_OWNED_BY, (b"owner", NOW), "sessions_owner")],
)
def test_sweeping_and_finding_go_along_an_index(
    store: SQLiteStore, statement: str, values: tuple[object, ...], index: str
) -> None:
    store.insert(bytes(32), record())
    steps = [str(step[3]) for step in ask(store, f"EXPLAIN QUERY PLAN {statement}", values)]
    assert any(index in step for step in steps), steps
    assert not any(step.startswith("SCAN") for step in steps), steps
