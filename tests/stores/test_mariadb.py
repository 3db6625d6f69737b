from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from servers.process import PATIENCE
from servers.sql import MariaDB
from sqlalchemy import Engine, create_engine
from stores.sql_cases import SQLCases

from coatcheck.stores import AsyncStore, Store
from coatcheck.stores.sql import AsyncSQLStore, SQLStore
from coatcheck.stores.url import StoreURL
from coatcheck.testing import AsyncStoreContract, Clock, StoreContract


class TestWithPyMySQL(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, mariadb: MariaDB) -> None:
        self.url = mariadb.url("mariadb+pymysql")

    def make_store(self, clock: Clock) -> Store:
        return SQLStore.from_url(StoreURL.parse(self.url, timeout=PATIENCE), clock=clock)


class TestWithAnEngineOfYours(StoreContract):
    @pytest.fixture(autouse=True)
    def _engine(self, mariadb: MariaDB) -> Iterator[None]:
        self.engine: Engine = create_engine(mariadb.url("mysql+pymysql"))
        yield
        self.engine.dispose()

    def make_store(self, clock: Clock) -> Store:
        return SQLStore(self.engine, clock=clock)


class TestWithAsyncmy(AsyncStoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, mariadb: MariaDB) -> None:
        self.url = mariadb.url("mysql+asyncmy")

    async def make_async_store(self, clock: Clock) -> AsyncStore:
        return AsyncSQLStore.from_url(StoreURL.parse(self.url, timeout=PATIENCE), clock=clock)


class TestMariaDB(SQLCases):
    scheme = "mariadb"
    alchemy_scheme = "mariadb+pymysql"
    fixture = "mariadb"
    async_schemes = ("mariadb+asyncmy",)

    @contextmanager
    def listening(self) -> Iterator[None]:
        self.server.run("SET GLOBAL log_output = 'TABLE'")
        self.server.run("SET GLOBAL general_log = ON")
        yield
        self.server.run("SET GLOBAL general_log = OFF")

    def heard(self) -> list[str]:
        log = "SELECT argument FROM mysql.general_log WHERE user_host LIKE 'visitor%' AND command_type = 'Query'"
        return [str(note) for (note,) in self.server.run(f"{log} ORDER BY event_time")]

    def sessions(self) -> int:
        ((found,),) = self.server.run("SELECT count(*) FROM information_schema.processlist WHERE user = 'visitor'")
        return int(found)

    def plan(self, store: SQLStore, name: str, values: dict[str, Any]) -> str:
        self.server.run(f"ANALYZE TABLE {self.table}")
        return str(self.explained(store, name, values)).lower()
