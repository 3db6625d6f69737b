"""What the URL of a memcached store says."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from coatcheck.errors import UsageError
from coatcheck.stores.url import StoreURL

_PORT = 11211
# A key has at most 250 bytes and no spaces (memcached's doc/protocol.txt); 64 of them are the key of the record.
_PREFIX = re.compile(r"[!-~]{0,186}")


class MemcachedSettings(NamedTuple):
    """Where the servers are, and how long an operation waits for them."""

    hosts: tuple[tuple[str, int], ...]
    """Each has its share of the keys."""
    prefix: bytes = b"session:"
    """What each key begins with."""
    timeout: float = 2
    """Seconds in which a server answers."""
    connect_timeout: float = 2
    """Seconds in which it accepts a connection."""
    pool: int = 50
    """The most connections of one process to each server."""

    @classmethod
    def from_url(cls, url: StoreURL) -> Self:
        """Reads it. Raises `UsageError` for what cannot be right."""
        url.check(("connect_timeout", "pool", "prefix", "timeout"))
        if not url.hosts or url.path.strip("/"):
            raise UsageError(
                "the URL of a memcached store names its servers and no path: memcached://host1,host2:11212"
            )
        if url.user or url.password:
            raise UsageError("a memcached store signs in nowhere: leave user and password out of its URL")
        hosts = tuple((name, port or _PORT) for name, port in url.hosts)
        if len(set(hosts)) < len(hosts):
            raise UsageError("the URL of a memcached store names a server twice")
        prefix = url.text("prefix", "session:") or ""
        if not _PREFIX.fullmatch(prefix):
            raise UsageError(
                "the option 'prefix' of a memcached store is at most 186 characters of ASCII, with no spaces"
            )
        timeout = url.seconds("timeout", 2)
        return cls(
            hosts=hosts,
            prefix=prefix.encode(),
            timeout=timeout,
            connect_timeout=url.seconds("connect_timeout", timeout),
            pool=url.count("pool", 50),
        )

    @property
    def place(self) -> str:
        """Says where the store is, for people."""
        return ",".join(map(place, self.hosts))

    def labelled(self) -> list[tuple[tuple[str, int], str]]:
        """Gives each server with what errors call it."""
        if len(self.hosts) == 1:
            return [(self.hosts[0], "memcached")]
        count = len(self.hosts)
        return [(address, f"memcached server {number} of {count}") for number, address in enumerate(self.hosts, 1)]


def place(address: tuple[str, int]) -> str:
    """Says where a server is, for people. It also places the server among others, so it must never change."""
    name, port = address
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
