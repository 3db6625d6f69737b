"""Tells the processes of one machine that something has been ended, so that the next request of each knows.

A file of a few bytes that all of them have in their memory. Whoever writes to the list
writes something new there; whoever judges a session looks whether it is still what it was,
which takes a tenth of a microsecond and asks nobody. Where there can be no such file, each
process looks at the list when its delay is over, as those of other machines do.
"""

from __future__ import annotations

import mmap
import os
import stat
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from math import inf
from pathlib import Path
from weakref import WeakKeyDictionary

from coatcheck.core.revocations import Bell, Silence
from coatcheck.stores.url import StoreURL

_BYTES = 16
# How often it is looked whether the file is still the one that others open, in seconds.
_CHECK = 1.0


class FileBell:
    """A bell that is a file. It opens at the first use, so that it may be made before a process forks."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._memory: mmap.mmap | None = None
        self._number: tuple[int, int] | None = None
        self._check_at = -inf

    def __repr__(self) -> str:
        return f"<FileBell {self._path}>"

    def hear(self) -> object:
        """Gives what was written last; None where there is no file."""
        now = self._clock()
        if now >= self._check_at:
            self._check_at = now + _CHECK
            self._check()
        memory = self._memory
        return None if memory is None else memory[:_BYTES]

    def ring(self) -> None:
        """Writes something new. A file that has gone is made again."""
        self._check()
        # Another thread may find the file gone meanwhile.
        memory = self._memory
        if memory is not None:
            memory[:_BYTES] = os.urandom(_BYTES)

    def _check(self) -> None:
        try:
            found = self._path.lstat()
            if (found.st_dev, found.st_ino) == self._number and found.st_size >= _BYTES:
                return
        except OSError:
            pass
        self._memory, self._number = None, None
        try:
            self._open()
        except (OSError, ValueError):
            # It is a help, and not the list itself.
            return

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(self._path, flags, 0o600)
        try:
            found = os.fstat(descriptor)
            # In a directory that all users share, another may have made it.
            if not stat.S_ISREG(found.st_mode) or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
                return
            if found.st_size < _BYTES:
                # Written, and not only made longer: on a full disk this raises, and memory would end the process.
                os.pwrite(descriptor, os.urandom(_BYTES), 0)
            self._memory = mmap.mmap(descriptor, _BYTES)
            self._number = (found.st_dev, found.st_ino)
        finally:
            os.close(descriptor)


class LocalBell:
    """A bell for those who share a store within a process."""

    def __init__(self) -> None:
        self._rung: object = None

    def hear(self) -> object:
        """Gives what `ring` put there last."""
        return self._rung

    def ring(self) -> None:
        """Puts something new there."""
        self._rung = object()


_local: WeakKeyDictionary[object, LocalBell] = WeakKeyDictionary()


def open_bell(place: object, audience: str) -> Bell:
    """Gives the bell of a list.

    Args:
        place: the URL of the store that has the list: the processes that share it share the
            bell. Or a store, which only its own process knows.
    """
    if not isinstance(place, str):
        try:
            return _local.setdefault(place, LocalBell())
        except TypeError:
            return Silence()
    url = StoreURL.parse(place)
    # Without user and password: whoever sees the name of the file could try passwords.
    where = repr((url.scheme, url.hosts, url.path, audience))
    name = sha256(b"coatcheck bell" + where.encode(errors="replace")).hexdigest()[:32]
    return FileBell(Path(os.environ.get("COATCHECK_BELLS") or tempfile.gettempdir()) / f"coatcheck-{_user()}-{name}")


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0
