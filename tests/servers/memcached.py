"""Real memcached servers, and stores on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from pymemcache.client.base import Client
from stores.blocking import Blocking

from coatcheck.core.record import StoredRecord
from coatcheck.stores.memcached import AsyncMemcachedStore, MemcachedStore
from coatcheck.stores.url import StoreURL
from coatcheck.testing import Clock

from .process import HOST, Server, free_port, new_folder, program


class MemcachedServer(Server):
    """One server.

    Args:
        largest: the most bytes of a value, as its option -I has it.
        host: the address at which it listens.
    """

    def __init__(self, *, largest: str = "1m", host: str = HOST) -> None:
        port, user = free_port(), "nobody"
        command = [program("memcached"), "-l", host, "-p", str(port), "-U", "0", "-I", largest]
        super().__init__(command, port, folder=new_folder(user), user=user)

    def url(self, query: str = "") -> str:
        """Gives the URL of the store."""
        return f"memcached://{HOST}:{self.port}/{query}"

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Gives a client that looks at what is there."""
        client = Client((HOST, self.port), timeout=10, default_noreply=False)
        try:
            yield client
        finally:
            client.close()

    def commands(self) -> dict[str, int]:
        """Gives how often each command has come so far."""
        with self.client() as client:
            stats = client.stats()
        return {
            "gets": stats[b"cmd_get"],
            "add or cas": stats[b"cmd_set"],
            "delete": stats[b"delete_hits"] + stats[b"delete_misses"],
            "touch": stats[b"cmd_touch"],
        }


@contextmanager
def running(*servers: MemcachedServer) -> Iterator[None]:
    """Starts servers, and discards them afterwards."""
    try:
        for server in servers:
            server.start()
        yield
    finally:
        for server in servers:
            server.discard()


@pytest.fixture(scope="session")
def memcached() -> Iterator[MemcachedServer]:
    """Gives a memcached that runs."""
    server = MemcachedServer()
    with running(server):
        yield server


@pytest.fixture(scope="session")
def two_memcacheds() -> Iterator[tuple[MemcachedServer, MemcachedServer]]:
    """Gives two memcacheds that run."""
    servers = MemcachedServer(), MemcachedServer()
    with running(*servers):
        yield servers


@pytest.fixture
def own_memcached() -> Iterator[MemcachedServer]:
    """Gives a memcached that runs, for a test that ends it."""
    server = MemcachedServer()
    with running(server):
        yield server


def several(*servers: MemcachedServer) -> str:
    """Gives the URL of a store on several servers."""
    return f"memcached://{','.join(f'{HOST}:{server.port}' for server in servers)}"


def record(content: bytes, life: int = 3600) -> StoredRecord:
    """Gives a record that begins when a `Clock` does."""
    now = int(Clock().now)
    return StoredRecord(content, now, now + life)


class MemcachedStores(ExitStack):
    """Opens stores that take the time from one clock, and closes them in the end.

    Args:
        kind: "sync" or "async". An async store stands here as a sync one.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.clock = Clock()
        self._kind = kind

    def open(self, url: str) -> Any:
        """Gives a store."""
        parsed = StoreURL.parse(url)
        store: MemcachedStore | Blocking
        if self._kind == "sync":
            store = MemcachedStore.from_url(parsed, clock=self.clock)
        else:
            store = Blocking(AsyncMemcachedStore.from_url(parsed, clock=self.clock))
        self.callback(store.close)
        return store
