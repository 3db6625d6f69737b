"""Somebody who writes while a server has a fault, and notices what is lost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import Event, Thread

import pytest

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError
from coatcheck.stores import Store


class Writer(Thread):
    """Counts up in one record, one by one, and compares what it finds with what was confirmed."""

    def __init__(self, store: Store) -> None:
        super().__init__(daemon=True)
        self._store = store
        self._key = os.urandom(32)
        self._ended = Event()
        self.confirmed = 0
        self.failures: list[str] = []
        self.losses = 0
        self.lost_seconds = 0.0
        self._times = [time.monotonic()]
        self.slowest = 0.0
        store.insert(self._key, sample(b"0"))

    def run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                found = self._store.read(self._key)
                number = int(found.content) if found else 0
                # What was done although the answer was an error has no time of its own.
                self._times += [began] * (number + 1 - len(self._times))
                if number < self.confirmed:
                    self.losses += self.confirmed - number
                    self.lost_seconds += self._times[-1] - self._times[number]
                    self.confirmed = number
                    del self._times[number + 1 :]
                if found is None:
                    self._store.insert(self._key, sample(b"0"))
                elif self._store.replace(self._key, sample(b"%d" % (number + 1)), found.version):
                    self.confirmed = number + 1
                    self._times.append(time.monotonic())
            except StoreError as error:
                self.failures.append(str(error))
            self.slowest = max(self.slowest, time.monotonic() - began)

    def end(self) -> None:
        """Has it stop."""
        self._ended.set()
        self.join(60)


def is_past(writer: Writer, number: int) -> bool:
    """Says whether it has written more than so much, or noticed a loss."""
    return writer.confirmed > number or writer.losses > 0


def content_of(store: Store, key: bytes) -> bytes:
    """Gives the content under a key; nothing where there is none."""
    found = store.read(key)
    return found.content if found else b""


def failed(act: Callable[[], object], problem: str = ".") -> float:
    """Gives the seconds until the error."""
    began = time.monotonic()
    with pytest.raises(StoreError, match=problem):
        act()
    return time.monotonic() - began


def sample(content: bytes) -> StoredRecord:
    """Gives a record that lives for ten minutes."""
    now = int(time.time())
    return StoredRecord(content, now, now + 600)
