"""What a store in a database says before it has connected."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from servers.process import HOST, free_port
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from stores.sql_cases import engine_of

from coatcheck.errors import StoreError, UsageError
from coatcheck.stores import open_async_store, open_store
from coatcheck.stores.sql import AsyncSQLStore, SQLStore, ddl, failures, sessions_table


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://h/d", "postgresql+psycopg"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg"),
        ("mysql://h/d", "mysql+pymysql"),
        ("mariadb://h/d", "mariadb+pymysql"),
        ("mariadb+pymysql://h/d", "mariadb+pymysql"),
    ],
)
def test_a_url_without_a_driver_gets_one(url: str, driver: str) -> None:
    store = open_store(url)
    assert isinstance(store, SQLStore)
    assert engine_of(store).url.drivername == driver


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://h/d", "postgresql+psycopg"),
        ("postgresql+asyncpg://h/d", "postgresql+asyncpg"),
        ("mysql://h/d", "mysql+asyncmy"),
        ("mariadb+asyncmy://h/d", "mariadb+asyncmy"),
    ],
)
def test_for_asyncio_the_drivers_are_others(url: str, driver: str) -> None:
    store = open_async_store(url)
    assert isinstance(store, AsyncSQLStore)
    assert engine_of(store).url.drivername == driver


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql+asyncpg://h/d", "works the other way.*postgresql\\+psycopg"),
        ("mysql+asyncmy://h/d", "works the other way"),
        ("postgresql+pg8000://h/d", "not among those known here.*make an engine yourself"),
        ("postgresql://h", "names it"),
        ("mysql://h/", "names it"),
        ("postgresql://one,two/d", "one host"),
        ("postgresql://h/d?tabel=x", "did you mean 'table'"),
        ("postgresql://h/d?table=a b", "letters, digits and underscores"),
        ("postgresql://h/d?table=x;y", "letters, digits and underscores"),
        ("postgresql://h/d?timeout=0", "'timeout'"),
        ("postgresql://h/d?pool=0", "'pool'"),
        ("postgresql://h/d?sslmode=perhaps", "'sslmode'"),
        ("mysql://h/d?sslmode=require", "'sslmode'"),
        ("mysql://h/d?tls_ca=/nowhere/ca.pem", "'tls_ca'"),
    ],
)
def test_a_url_that_cannot_be_right_is_refused_with_the_reason(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_store(url)


def test_a_driver_for_sync_programs_is_refused_for_asyncio() -> None:
    with pytest.raises(UsageError, match="works the other way.*mysql\\+asyncmy"):
        open_async_store("mysql+pymysql://h/d")


def test_what_it_shows_of_itself_holds_no_user_no_password_and_no_host() -> None:
    for store in (
        open_store("postgresql://somebody:secret@host/d"),
        open_async_store("mysql://somebody:secret@host/d"),
    ):
        shown = f"{store!r} {store}"
        assert not any(word in shown for word in ("somebody", "secret", "host"))
    assert repr(open_store("postgresql://h/d")) == "<SQLStore in PostgreSQL, table coatcheck_sessions>"


def test_a_database_without_a_store_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no store in sqlite; there is one in PostgreSQL, MySQL, MariaDB"):
        SQLStore(create_engine("sqlite://"))
    with pytest.raises(UsageError, match="AsyncSQLStore takes an AsyncEngine"):
        AsyncSQLStore("postgresql://h/d")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="for an AsyncEngine there is AsyncSQLStore"):
        SQLStore(create_async_engine("postgresql+psycopg://h/d"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "1st", "a-b", "a.b", "ä", "x" * 51, 'a"b', "a`b"])
def test_a_table_has_a_plain_name(name: str) -> None:
    with pytest.raises(UsageError, match="letters, digits and underscores"):
        sessions_table(name)


def test_ddl_of_a_database_without_a_store_is_refused() -> None:
    with pytest.raises(UsageError, match="there is DDL for postgresql, mysql, mariadb"):
        ddl("oracle")


def test_the_ddl_for_postgresql_is_text_to_read() -> None:
    assert [line.split(" (")[0].strip() for line in ddl("postgresql").splitlines()] == [
        "CREATE TABLE IF NOT EXISTS coatcheck_sessions",
        "key BYTEA NOT NULL,",
        "content BYTEA NOT NULL,",
        "used_at BIGINT NOT NULL,",
        "expires_at BIGINT NOT NULL,",
        "owner BYTEA,",
        "version BIGINT NOT NULL,",
        "PRIMARY KEY",
        ");",
        "CREATE INDEX IF NOT EXISTS coatcheck_sessions_expires_at ON coatcheck_sessions",
        "CREATE INDEX IF NOT EXISTS coatcheck_sessions_owner ON coatcheck_sessions",
    ]


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_the_ddl_for_mysql_is_one_statement(kind: str) -> None:
    text = ddl(kind, "mine")
    assert text.count(";") == 1
    assert text.endswith("INDEX mine_expires_at (expires_at), \n\tINDEX mine_owner (owner)\n)ENGINE=InnoDB;\n")


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_the_page_of_a_store_shows_its_ddl(kind: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "stores" / f"{kind}.md").read_text()
    assert "\n".join(line.rstrip() for line in ddl(kind).splitlines()) in page


@pytest.mark.parametrize(
    ("missing", "url", "extra"),
    [
        ("sqlalchemy", "postgresql://h/d", r"coatcheck\[postgresql\]"),
        ("psycopg", "postgresql://h/d", r"coatcheck\[postgresql\]"),
        ("pymysql", "mysql://h/d", r"coatcheck\[mariadb\]"),
    ],
)
def test_a_missing_package_is_named_with_what_to_install(missing: str, url: str, extra: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\nfrom coatcheck.stores import open_store\n"
        f"try: open_store({url!r})\nexcept ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert extra.replace("\\", "") in done.stdout


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_where_nobody_listens_the_error_says_so(scheme: str) -> None:
    store = open_store(f"{scheme}://somebody:secret@{HOST}:{free_port()}/d")
    with pytest.raises(StoreError, match="cannot be used: nobody listens there"):
        store.read(bytes(32))


def test_a_host_that_is_unknown_is_said() -> None:
    assert failures.cause(socket.gaierror(-2, "Name or service not known")) == "its host is unknown"


def test_an_error_that_nobody_foresaw_is_named_by_its_kind_alone() -> None:
    error = RuntimeError("the password is secret")
    assert failures.cause(error) == "it reports RuntimeError"
    assert failures.cause(OSError(99, "at the address 10.0.0.1")) == "it reports OSError 99"
