from __future__ import annotations

import pytest
from servers.process import PATIENCE
from servers.redis import Cluster, RedisServer, Sentinels, TLSServer

from coatcheck.stores import AsyncStore, Store
from coatcheck.stores.redis import AsyncRedisStore, RedisStore
from coatcheck.stores.url import StoreURL
from coatcheck.testing import AsyncStoreContract, Clock, StoreContract


class _Sync(StoreContract):
    url: str

    def make_store(self, clock: Clock) -> Store:
        return RedisStore.from_url(StoreURL.parse(self.url, timeout=PATIENCE), clock=clock)


class _Async(AsyncStoreContract):
    url: str

    async def make_async_store(self, clock: Clock) -> AsyncStore:
        return AsyncRedisStore.from_url(StoreURL.parse(self.url, timeout=PATIENCE), clock=clock)


class TestAlone(_Sync):
    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.url = redis_server.url()


class TestAloneAsync(_Async):
    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.url = redis_server.url()


class TestFewConnections(_Sync):
    """Eight threads share two connections."""

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.url = redis_server.url("valkey", "?pool=2")


class TestFewConnectionsAsync(_Async):
    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.url = redis_server.url("valkey", "?pool=2")


class TestTLS(_Sync):
    @pytest.fixture(autouse=True)
    def _server(self, redis_tls_server: TLSServer) -> None:
        self.url = redis_tls_server.url()


class TestTLSAsync(_Async):
    @pytest.fixture(autouse=True)
    def _server(self, redis_tls_server: TLSServer) -> None:
        self.url = redis_tls_server.url("valkeys")


class TestSentinel(_Sync):
    @pytest.fixture(autouse=True)
    def _server(self, redis_sentinels: Sentinels) -> None:
        self.url = redis_sentinels.url()


class TestSentinelAsync(_Async):
    @pytest.fixture(autouse=True)
    def _server(self, redis_sentinels: Sentinels) -> None:
        self.url = redis_sentinels.url("valkey+sentinel")


class TestCluster(_Sync):
    @pytest.fixture(autouse=True)
    def _server(self, redis_cluster: Cluster) -> None:
        self.url = redis_cluster.url()


class TestClusterAsync(_Async):
    @pytest.fixture(autouse=True)
    def _server(self, redis_cluster: Cluster) -> None:
        self.url = redis_cluster.url("valkey+cluster")
