"""The bell between processes: whoever rings is heard, and whatever becomes of its file is no error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from coatcheck.bell import FileBell, LocalBell, open_bell
from coatcheck.core.revocations import Silence
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

RING = "import sys; from pathlib import Path; from coatcheck.bell import FileBell; FileBell(Path(sys.argv[1])).ring()"


def ring_elsewhere(path: Path) -> None:
    """Rings in another process."""
    subprocess.run([sys.executable, "-c", RING, str(path)], check=True, timeout=60)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bell"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bell(path: Path, clock: Clock) -> FileBell:
    return FileBell(path, clock=clock)


def test_another_process_is_heard_at_once(bell: FileBell, path: Path) -> None:
    before = bell.hear()
    assert bell.hear() == before
    ring_elsewhere(path)
    after = bell.hear()
    assert after != before
    assert bell.hear() == after


def test_a_process_hears_itself(bell: FileBell) -> None:
    before = bell.hear()
    bell.ring()
    assert bell.hear() != before


# A thread of an earlier test may just end, and newer Pythons warn of a fork beside any.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_that_forks_afterwards_is_heard(bell: FileBell) -> None:
    before = bell.hear()
    child = os.fork()
    if not child:
        bell.ring()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert bell.hear() != before


def test_a_file_that_was_deleted_is_made_again_and_both_meet_within_a_second(
    bell: FileBell, path: Path, clock: Clock
) -> None:
    bell.hear()
    path.unlink()
    ring_elsewhere(path)
    clock.advance(1)
    before = bell.hear()
    ring_elsewhere(path)
    assert bell.hear() != before


def test_whoever_rings_after_the_file_was_deleted_makes_a_new_one(bell: FileBell, path: Path) -> None:
    before = bell.hear()
    path.unlink()
    bell.ring()
    assert bell.hear() != before


def test_the_file_is_for_its_owner_alone(bell: FileBell, path: Path) -> None:
    bell.hear()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_symbolic_link_is_not_followed(bell: FileBell, path: Path) -> None:
    target = path.with_name("target")
    target.write_bytes(b"what somebody keeps here")
    path.symlink_to(target)
    assert bell.hear() is None
    bell.ring()
    assert target.read_bytes() == b"what somebody keeps here"


def test_a_file_of_another_user_is_not_used(bell: FileBell, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(bytes(16))
    mine = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert bell.hear() is None
    bell.ring()
    assert path.read_bytes() == bytes(16)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_not_used(bell: FileBell, path: Path, kind: str) -> None:
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    bell.ring()
    assert bell.hear() is None


def test_a_file_that_is_too_short_is_filled(bell: FileBell, path: Path, clock: Clock) -> None:
    path.write_bytes(b"short")
    before = bell.hear()
    assert path.stat().st_size == 16
    ring_elsewhere(path)
    assert bell.hear() != before
    os.truncate(path, 3)
    clock.advance(1)
    assert bell.hear() is not None
    assert path.stat().st_size == 16


def test_a_folder_that_is_missing_leaves_it_silent_until_it_is_there(path: Path, clock: Clock) -> None:
    bell = FileBell(path / "inside", clock=clock)
    bell.ring()
    assert bell.hear() is None
    path.mkdir()
    clock.advance(1)
    assert bell.hear() is not None


@pytest.mark.parametrize("failing", ["open", "pwrite"])
def test_a_folder_that_cannot_be_written_and_a_full_disk_are_no_error(
    bell: FileBell, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, refuse)
    bell.ring()
    assert bell.hear() is None


def test_no_descriptor_stays_open(bell: FileBell, path: Path, clock: Clock) -> None:
    bell.hear()
    before = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(20):
        path.unlink()
        clock.advance(1)
        bell.hear()
    assert len([*Path("/proc/self/fd").iterdir()]) <= before


def test_the_same_store_has_the_same_bell_and_no_other_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COATCHECK_BELLS", str(tmp_path))
    bells = [
        open_bell(place, audience)
        for place, audience in [
            ("redis://user:secret@host:6379/0", ""),
            ("redis://other:password@host:6379/0", ""),
            ("redis://host:6379/1", ""),
            ("redis://host:6379/0", "admin"),
        ]
    ]
    heard = [bell.hear() for bell in bells]
    assert heard[0] == heard[1]
    assert len(set(map(repr, bells))) == 3
    assert len(set(heard)) == 3
    assert not any(word in repr(bells) for word in ("secret", "password", "user"))


def test_a_store_that_only_its_process_knows_has_a_bell_there() -> None:
    store = MemoryStore()
    bell = open_bell(store, "")
    assert isinstance(bell, LocalBell)
    assert open_bell(store, "") is bell
    before = bell.hear()
    open_bell(store, "").ring()
    assert bell.hear() != before
    assert open_bell(MemoryStore(), "") is not bell


def test_a_store_that_cannot_be_remembered_has_none() -> None:
    class Fleeting(MemoryStore):
        __hash__ = None  # type: ignore[assignment]

    bell = open_bell(Fleeting(), "")
    assert isinstance(bell, Silence)
    bell.ring()
    assert bell.hear() is None


def test_ringing_is_no_error_where_another_thread_finds_the_file_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell = FileBell(tmp_path / "bell")
    bell.ring()
    drawn = os.urandom(16)

    def draw(count: int) -> bytes:
        bell._memory = None  # noqa: SLF001  # what the other thread does
        return drawn[:count]

    monkeypatch.setattr(os, "urandom", draw)
    bell.ring()
