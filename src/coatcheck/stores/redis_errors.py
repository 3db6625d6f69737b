"""What went wrong between us and Redis, in words that show nothing of the URL, the keys or the content."""

from __future__ import annotations

import os
import re
import socket
import ssl

from redis import exceptions

from coatcheck.errors import StoreError
from coatcheck.stores.redis_url import SENTINEL, RedisSettings

# Redis begins an error with a code. Before version 7, the code of what a script ran into stands further on.
_CODES = {
    "LOADING": "is still loading its data",
    "READONLY": "is a replica and takes no writes",
    "OOM": "has reached its maxmemory and takes no writes; see maxmemory-policy",
    "MISCONF": "cannot save to its disk and takes no writes",
    "NOREPLICAS": "has too few replicas and takes no writes",
    "WRONGPASS": "refuses the user or the password",
    "NOAUTH": "asks for a password, and the URL has none",
    "NOPERM": "does not let this user do what a session needs; docs/stores/redis.md lists the commands",
    "CLUSTERDOWN": "is a cluster that does not serve all of its slots",
    "MASTERDOWN": "is a replica that has lost its master",
    "MOVED": "is part of a cluster; the URL then says +cluster",
    "BUSY": "is busy with a script that does not end",
}
_CODE = re.compile(rf"\b({'|'.join(_CODES)})\b")
_CLASSES: list[tuple[type[Exception], str]] = [
    (exceptions.BusyLoadingError, _CODES["LOADING"]),
    (exceptions.AuthenticationError, _CODES["WRONGPASS"]),
    (exceptions.NoPermissionError, _CODES["NOPERM"]),
    (exceptions.ReadOnlyError, _CODES["READONLY"]),
    (exceptions.OutOfMemoryError, _CODES["OOM"]),
    (exceptions.MasterDownError, _CODES["MASTERDOWN"]),
    (exceptions.ClusterDownError, _CODES["CLUSTERDOWN"]),
    (exceptions.AskError, _CODES["MOVED"]),
    (exceptions.InvalidResponse, "answers nonsense: is it Redis that listens there?"),
]
CONNECTING = "Timeout connecting"
"""How the message of redis-py begins where a connection was not made in time."""

FAILURES = (exceptions.RedisError, OSError)
"""All that redis-py raises, and what comes off a socket."""


class NoAnswerError(exceptions.ConnectionError):
    """No sentinel names the master, or no server of a cluster the slots. The cause is what the last one had."""


def is_wrong_type(error: Exception) -> bool:
    """Says whether a key holds a list or the like: no record, and nothing that could be handed on."""
    return isinstance(error, exceptions.ResponseError) and "WRONGTYPE" in str(error)


def explained(error: BaseException, settings: RedisSettings) -> StoreError:
    """Gives the error that says what happened."""
    return StoreError(f"{settings.kind} {_cause(error, settings)}")


def _cause(error: BaseException, settings: RedisSettings) -> str:
    if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
        connecting = str(error).startswith(CONNECTING)
        return f"did not answer within {settings.connect_timeout if connecting else settings.timeout:g} seconds"
    if isinstance(error, NoAnswerError):
        cause = "knows none of this name" if error.__cause__ is None else _cause(error.__cause__, settings)
        return f"has no master: a sentinel {cause}" if settings.form == SENTINEL else cause
    if isinstance(error, exceptions.AuthenticationError) and settings.password is None:
        return _CODES["NOAUTH"]
    for kind, words in _CLASSES:
        if isinstance(error, kind):
            return words
    if isinstance(error, exceptions.ResponseError):
        if "cluster support disabled" in str(error):
            return "is no cluster, and the URL says +cluster"
        found = _CODE.search(str(error))
        return _CODES[found[1]] if found else f"refuses a command ({_first_word(error)})"
    return f"cannot be reached: {_reason(error)}"


def _first_word(error: BaseException) -> str:
    # Of the rest of its message, nobody knows what it repeats of the command.
    word = str(error).partition(" ")[0]
    return word if word.isupper() else "ERR"


def _reason(error: BaseException) -> str:
    """Gives what the system said. The message of redis-py has the host in it."""
    if "max number of clients" in str(error):
        return "it has as many clients as its maxclients allows"
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, OSError):
        seen = seen.__cause__ or seen.__context__
    if isinstance(seen, ssl.SSLCertVerificationError):
        return f"its certificate is refused, {seen.verify_message}"
    if isinstance(seen, ssl.SSLError):
        return f"no TLS with it, {seen.reason}"
    if isinstance(seen, socket.gaierror):
        return "nobody knows its name"
    if isinstance(seen, OSError):
        # The words of asyncio have the address in them.
        return os.strerror(seen.errno) if seen.errno else "none of its addresses answers"
    return "it closed the connection"
