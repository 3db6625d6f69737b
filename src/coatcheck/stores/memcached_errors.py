"""What went wrong between us and memcached, in words that show nothing of the URL, the keys or the content."""

from __future__ import annotations

import os
import select
import socket
from typing import Any

from coatcheck.errors import StoreError

TOO_LARGE = "object too large for cache"
_OUT_OF_MEMORY = "out of memory"


class EndedError(ConnectionError):
    """The connection ended before the answer did."""


class RefusedError(Exception):
    """memcached says that it cannot do what it was asked, and why."""


class NonsenseError(Exception):
    """What came is no answer to what was asked."""


def has_ended(connection: Any) -> bool:
    """Says whether an idle connection is over: there is something to read, its end, though nothing was asked.

    It costs 1.5 us. Without it, the first write after a restart of the server would fail
    with nobody knowing whether it took place.
    """
    if not hasattr(select, "poll"):
        return bool(select.select([connection], [], [], 0)[0])
    # Unlike `select.select`, it takes a socket of any number.
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def explained(error: BaseException, label: str, timeout: float) -> StoreError:
    """Gives the error that says what happened."""
    return StoreError(f"{label} {_cause(error, timeout)}")


def too_many(label: str, pool: int) -> StoreError:
    """Gives the error that says that every connection is in use."""
    return StoreError(f"{label} is asked more than the pool of {pool} connections takes")


def _cause(error: BaseException, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"did not answer within {timeout:g} seconds"
    if isinstance(error, EndedError):
        return "ended the connection"
    if isinstance(error, socket.gaierror):
        return "has a name that no address is known for"
    if isinstance(error, OSError):
        # asyncio puts the address into `strerror`.
        return f"cannot be reached: {os.strerror(error.errno) if error.errno else 'the connection failed'}"
    if isinstance(error, RefusedError):
        return _reason(str(error))
    return "answers nonsense: is it memcached that listens there?"


def _reason(text: str) -> str:
    if text.startswith(TOO_LARGE):
        return "keeps no record of this size: its option -I is the limit, 1 MB unless it is given"
    if text.startswith(_OUT_OF_MEMORY):
        return "is out of memory and may not evict"
    return "refuses the operation"
