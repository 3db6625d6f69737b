"""What the servers of these tests are configured with: the environment says it, and a file says how late it is."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from kit import SECRET

from coatcheck.stores import open_store

_CLOCK = Path(os.environ["CLOCK"])


def now() -> float:
    """Gives the time, and as many seconds more as the file says: a test moves the clock of a running server."""
    return time.time() + float(_CLOCK.read_text())


def options() -> dict[str, Any]:
    """Gives the keywords of the configuration."""
    given: dict[str, Any] = {"secret_key": SECRET, "clock": now, **json.loads(os.environ["OPTIONS"])}
    fuse = os.environ.get("FUSE")
    if fuse:
        given["revocations"] = _Mortal(open_store(given["revocations"]), Path(fuse))
        if given.get("store"):
            given["store"] = given["revocations"]
    return given


class _Mortal:
    """A store whose process is killed before the operation that a file gives the number of."""

    def __init__(self, store: Any, fuse: Path) -> None:
        self._store = store
        self._fuse = fuse

    def _count(self) -> None:
        left = int(self._fuse.read_text())
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        # Before the first and after the last there is nothing to be killed at.
        self._fuse.write_text(str(left - 1))

    def read(self, *arguments: Any) -> Any:
        self._count()
        return self._store.read(*arguments)

    def insert(self, *arguments: Any) -> Any:
        self._count()
        return self._store.insert(*arguments)

    def replace(self, *arguments: Any) -> Any:
        self._count()
        return self._store.replace(*arguments)

    def touch(self, *arguments: Any) -> Any:
        self._count()
        return self._store.touch(*arguments)

    def delete(self, *arguments: Any) -> Any:
        self._count()
        return self._store.delete(*arguments)
