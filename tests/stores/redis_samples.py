"""What the tests of the Redis stores share."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from servers.redis import RedisServer

from coatcheck.core.record import StoredRecord

Opener = Callable[..., Any]


def sample(content: bytes = b"content") -> StoredRecord:
    """Gives a record that lives for a minute."""
    now = int(time.time())
    return StoredRecord(content, now, now + 60)


def use(store: Any) -> None:
    """Does with a store all that one can."""
    key = os.urandom(32)
    assert store.insert(key, sample(b"first"))
    assert store.replace(key, sample(b"second"), store.read(key).version)
    assert store.touch(key, 1, 2**39, store.read(key).version)
    found = store.read(key)
    assert (found.content, found.used_at) == (b"second", 1)
    store.delete(key)
    assert store.read(key) is None


def commands(server: RedisServer, act: Callable[[], object]) -> list[str]:
    """Gives the names of the commands that the server is sent meanwhile."""
    return [words[0] for words in server.watched(act)]


def plant(server: RedisServer, key: bytes, value: bytes) -> None:
    """Puts something where a record would be."""
    with server.administer() as client:
        client.set("session:" + key.hex(), value)


def run(program: str) -> None:
    """Runs a program that fails if it finds something wrong."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
