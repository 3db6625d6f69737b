"""Which of several servers has a key.

By rendezvous hashing: each server scores each key, and the highest score has it. Another
order of the servers changes nothing; one server more takes its share from all the others
and moves no other key. A server that is down keeps its keys: its sessions are not to be
had until it is back. If another server took them over meanwhile, a session could be on
both, and the older one would be there again after a logout.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Ring(Generic[_T]):
    """Finds the server of a key.

    Args:
        servers: by their names, which never change.
    """

    def __init__(self, servers: Mapping[str, _T]) -> None:
        self._servers = [(name.encode(), server) for name, server in servers.items()]

    def of(self, key: bytes) -> _T:
        """Gives the server."""
        servers = self._servers
        if len(servers) == 1:
            return servers[0][1]
        return max(servers, key=lambda server: sha256(key + server[0]).digest())[1]
