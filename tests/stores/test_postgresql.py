from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from servers.process import PATIENCE
from servers.sql import PostgreSQL
from sqlalchemy import Engine, create_engine
from stores.sql_cases import SQLCases

from coatcheck.stores import AsyncStore, Store
from coatcheck.stores.sql import AsyncSQLStore, SQLStore
from coatcheck.stores.url import StoreURL
from coatcheck.testing import AsyncStoreContract, Clock, StoreContract


class TestWithPsycopg(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, postgresql: PostgreSQL) -> None:
        self.url = postgresql.url("postgresql+psycopg")

    def make_store(self, clock: Clock) -> Store:
        return SQLStore.from_url(StoreURL.parse(self.url, timeout=PATIENCE), clock=clock)


class TestWithAnEngineOfYours(StoreContract):
    @pytest.fixture(autouse=True)
    def _engine(self, postgresql: PostgreSQL) -> Iterator[None]:
        self.engine: Engine = create_engine(postgresql.url("postgresql+psycopg"), isolation_level="REPEATABLE READ")
        yield
        self.engine.dispose()

    def make_store(self, clock: Clock) -> Store:
        return SQLStore(self.engine, clock=clock)


class TestWithPsycopgForAsyncio(AsyncStoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, postgresql: PostgreSQL) -> None:
        self.url = postgresql.url("postgresql+psycopg")

    async def make_async_store(self, clock: Clock) -> AsyncStore:
        return AsyncSQLStore.from_url(StoreURL.parse(self.url, timeout=PATIENCE), clock=clock)


class TestWithAsyncpg(AsyncStoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, postgresql: PostgreSQL) -> None:
        self.url = postgresql.url("postgresql+asyncpg")

    async def make_async_store(self, clock: Clock) -> AsyncStore:
        return AsyncSQLStore.from_url(StoreURL.parse(self.url, timeout=PATIENCE), clock=clock)


class TestPostgreSQL(SQLCases):
    scheme = "postgresql"
    alchemy_scheme = "postgresql+psycopg"
    fixture = "postgresql"
    async_schemes = ("postgresql+psycopg", "postgresql+asyncpg")

    @contextmanager
    def listening(self) -> Iterator[None]:
        self.server.run("ALTER ROLE visitor SET log_statement = 'all'")
        yield
        self.server.run("ALTER ROLE visitor RESET log_statement")

    def heard(self) -> list[str]:
        lines = (self.server.folder / "output").read_text().splitlines()
        notes = (re.search(r"LOG:  (?:execute \S+|statement): (.*)", line) for line in lines)
        return [note[1] for note in notes if note]

    def sessions(self) -> int:
        ((found,),) = self.server.run("SELECT count(*) FROM pg_stat_activity WHERE usename = 'visitor'")
        return int(found)

    def plan(self, store: SQLStore, name: str, values: dict[str, Any]) -> str:
        self.server.run(f"ANALYZE {self.table}")
        # A few hundred records fit into memory, where looking at all is cheap.
        lines = self.explained(store, name, values, "SET enable_seqscan = off")
        return "\n".join(line for (line,) in lines).lower().replace(f"{self.table}_pkey", "primary")
