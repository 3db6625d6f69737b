"""Databases that are reached by TLS: who is trusted, and who is not."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.certificates import Authority
from servers.process import HOST
from servers.sql import USER, MariaDB, PostgreSQL, SQLServer

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError
from coatcheck.stores import open_async_store, open_store

# asyncpg leaves a connection whose certificate the server refuses to its loop, which a test ends first.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
SCHEMES = ["postgresql", "postgresql (asyncio)", "postgresql+asyncpg (asyncio)", "mariadb", "mariadb (asyncio)"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def databases(authority: Authority) -> Iterator[dict[str, SQLServer]]:
    servers: dict[str, SQLServer] = {"postgresql": PostgreSQL(authority), "mariadb": MariaDB(authority)}
    try:
        for server in servers.values():
            server.start()
        yield servers
    finally:
        for server in servers.values():
            server.discard()


class Side:
    """A way to a database."""

    def __init__(self, server: SQLServer, scheme: str) -> None:
        self.server = server
        self.kind = server.kind
        self._scheme, _, self._is_async = scheme.partition(" ")

    def use(self, host: str = HOST, **options: Any) -> None:
        """Writes and reads a record."""
        url = self.server.url(self._scheme, timeout=10, **options).replace(HOST, host)
        now, key = int(time.time()), os.urandom(32)
        record = StoredRecord(b"content", now, now + 60)

        async def use() -> None:
            store = open_async_store(url)
            try:
                assert await store.insert(key, record) is True
                assert await store.read(key) is not None
            finally:
                await store.close()  # type: ignore[attr-defined]

        if self._is_async:
            asyncio.run(use())
            return
        store = open_store(url)
        try:
            assert store.insert(key, record) is True
            assert store.read(key) is not None
        finally:
            store.close()  # type: ignore[attr-defined]

    def require(self, what: str) -> None:
        """Has the server refuse its user without TLS ("SSL"), or without a certificate ("X509")."""
        if self.kind == "mariadb":
            self.server.run(f"ALTER USER {USER}@'{HOST}' REQUIRE {what}")
            return
        access = {
            "NONE": f"host all {USER} {HOST}/32 scram-sha-256",
            "SSL": f"hostssl all {USER} {HOST}/32 scram-sha-256",
            "X509": f"hostssl all {USER} {HOST}/32 scram-sha-256 clientcert=verify-ca",
        }[what]
        lines = ["local all owner trust", f"host all owner {HOST}/32 trust", access, ""]
        (self.server.folder / "data" / "pg_hba.conf").write_text("\n".join(lines))
        self.server.run("SELECT pg_reload_conf()")


@pytest.fixture(autouse=True)
def _collect() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(params=SCHEMES)
def side(request: pytest.FixtureRequest, databases: dict[str, SQLServer]) -> Iterator[Side]:
    scheme = request.param
    side = Side(databases[scheme.split(" ")[0].split("+")[0]], scheme)
    side.require("SSL")
    yield side
    side.require("NONE")


def test_with_the_authority_that_signed_it_the_server_is_trusted(side: Side, authority: Authority) -> None:
    side.use(tls_ca=authority.path)


def test_a_server_that_another_authority_signed_is_refused(side: Side, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="its certificate is not trusted"):
        side.use(tls_ca=Authority(tmp_path, "stranger").path)


def test_a_server_that_the_system_does_not_know_is_refused(side: Side) -> None:
    with pytest.raises(StoreError, match="its certificate is not trusted"):
        side.use(tls="true")


def test_a_server_of_another_name_is_refused(side: Side, authority: Authority) -> None:
    with pytest.raises(StoreError, match="cannot be used: its certificate is not trusted"):
        side.use("localhost", tls_ca=authority.path)


def test_a_certificate_of_the_client_is_shown(side: Side, authority: Authority) -> None:
    certificate, key = authority.sign("client")
    key.chmod(0o600)
    side.require("X509")
    side.use(tls_ca=authority.path, tls_cert=certificate, tls_key=key)
    with pytest.raises(StoreError):
        side.use(tls_ca=authority.path)


def test_sslmode_says_how_much_is_checked(databases: dict[str, SQLServer], authority: Authority) -> None:
    for scheme in ("postgresql", "postgresql (asyncio)", "postgresql+asyncpg (asyncio)"):
        side = Side(databases["postgresql"], scheme)
        side.require("SSL")
        side.use(sslmode="require")
        side.use("localhost", sslmode="verify-ca", tls_ca=authority.path)
        with pytest.raises(StoreError):
            side.use(sslmode="disable")
        with pytest.raises(StoreError, match="its certificate is not trusted"):
            side.use("localhost", sslmode="verify-full", tls_ca=authority.path)
