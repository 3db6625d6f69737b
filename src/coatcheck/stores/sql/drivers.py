"""From the URL of a store to an engine of SQLAlchemy: which driver, with which limits of time, with TLS or without."""

from __future__ import annotations

import math
import ssl
from importlib import import_module
from typing import Any, TypeAlias

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from coatcheck.errors import UsageError
from coatcheck.stores.sql.table import DEFAULT_NAME
from coatcheck.stores.url import StoreURL

OPTIONS = (
    *("timeout", "connect_timeout", "pool", "tls", "tls_ca", "tls_cert", "tls_key", "sslmode"),
    *("table", "create", "sweep"),
)
_ByKind: TypeAlias = dict[str, tuple[str, ...]]
# The first is taken where the URL names none.
_DRIVERS: _ByKind = {"postgresql": ("psycopg",), "mysql": ("pymysql",), "mariadb": ("pymysql",)}
_ASYNC_DRIVERS: _ByKind = {"postgresql": ("psycopg", "asyncpg"), "mysql": ("asyncmy",), "mariadb": ("asyncmy",)}
_EXTRAS = {"psycopg": "postgresql", "asyncpg": "asyncpg", "pymysql": "mariadb", "asyncmy": "mariadb-async"}
_TIMEOUT = "coatcheck_timeout"
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def make_engine(url: StoreURL) -> Engine:
    """Gives an engine that connects when it is first used.

    Raises `UsageError` for a URL that cannot be right, and `ImportError`, with what to
    install, where the driver is missing.
    """
    target, driver = _target(url, _DRIVERS, _ASYNC_DRIVERS)
    engine = create_engine(target, connect_args=_arguments(url, driver), **_options(url))
    if driver == "psycopg":
        connect = import_module("coatcheck.stores.sql.bounded").connecting(url.seconds("timeout", 2))
        event.listen(engine, "do_connect", lambda _dialect, _record, given, named: connect(*given, **named))
    return engine


def make_async_engine(url: StoreURL) -> AsyncEngine:
    """As `make_engine`, for asyncio."""
    target, driver = _target(url, _ASYNC_DRIVERS, _DRIVERS)
    arguments = _arguments(url, driver)
    if driver == "psycopg":
        bounded = import_module("coatcheck.stores.sql.bounded")
        arguments["async_creator_fn"] = bounded.async_connecting(url.seconds("timeout", 2))
    return create_async_engine(target, connect_args=arguments, **_options(url))


def timeout_of(engine: Engine) -> float | None:
    """Gives how many seconds an operation may take, of an engine that was made here; None of another."""
    timeout: float | None = engine.get_execution_options().get(_TIMEOUT)
    return timeout


def choices(url: StoreURL) -> dict[str, Any]:
    """Gives what a store can be told beside its engine."""
    return {
        "table": url.text("table") or DEFAULT_NAME,
        "create": url.switch("create", default=True),
        "sweep": url.switch("sweep", default=True),
    }


def _target(url: StoreURL, drivers: _ByKind, others: _ByKind) -> tuple[URL, str]:
    kind, _, driver = url.scheme.partition("+")
    driver = driver or drivers[kind][0]
    if driver not in drivers[kind]:
        there_are = ", ".join(f"{kind}+{each}" for each in drivers[kind])
        why = "works the other way, sync or asyncio" if driver in others[kind] else "is not among those known here"
        raise UsageError(f"the driver {driver!r} {why}; there is {there_are}, or make an engine yourself")
    if len(url.hosts) > 1:
        raise UsageError("a store in a database has one host; for more, make an engine yourself")
    database = url.path.strip("/")
    if not database:
        raise UsageError(f"the URL of a store in a database names it: {url.scheme}://user:password@host/database")
    try:
        import_module(driver)
    except ImportError:
        raise ImportError(f"this store needs {driver}: pip install 'coatcheck[{_EXTRAS[driver]}]'") from None
    host, port = url.hosts[0] if url.hosts else (None, None)
    return URL.create(f"{kind}+{driver}", url.user, url.password, host, port, database), driver


def _options(url: StoreURL) -> dict[str, Any]:
    return {
        # Each statement is a transaction of its own, so one round trip does, and nothing is left to roll back.
        "isolation_level": "AUTOCOMMIT",
        "pool_reset_on_return": None,
        # A ping before each use would be a second round trip. Instead, an operation is done again on another
        # connection when the pool gave it one that had died.
        "pool_pre_ping": False,
        "pool_size": url.count("pool", 10),
        "max_overflow": 0,
        "pool_timeout": url.seconds("timeout", 2),
        "pool_use_lifo": True,
        "hide_parameters": True,
        "execution_options": {_TIMEOUT: url.seconds("timeout", 2)},
    }


def _arguments(url: StoreURL, driver: str) -> dict[str, Any]:
    timeout = url.seconds("timeout", 2)
    connect_timeout = url.seconds("connect_timeout", timeout)
    if driver in {"psycopg", "asyncpg"}:
        # The server gives up a little earlier: then the connection stays in use.
        settings = {"statement_timeout": f"{timeout * 900:.0f}", "default_transaction_isolation": "read committed"}
        if driver == "asyncpg":
            limits = {"timeout": connect_timeout, "command_timeout": timeout, "server_settings": settings}
        else:
            said = " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in settings.items())
            limits = {"connect_timeout": math.ceil(connect_timeout), "options": said}
        return limits | _postgresql_tls(url, driver)
    url.check({*url.options} - {"sslmode"})
    # What stands in the comment is for MariaDB, and unknown to MySQL.
    patience = f"innodb_lock_wait_timeout = {math.ceil(timeout)} /*M! , max_statement_time = {timeout * 0.9:.3f} */"
    arguments = {
        "connect_timeout": connect_timeout,
        "read_timeout": timeout,
        "init_command": f"SET SESSION {patience}",
    }
    if driver == "pymysql":
        arguments["write_timeout"] = timeout
    else:
        # Without, the server takes bytes for text and warns of them.
        arguments["binary_prefix"] = True
    context = _tls_context(url)
    return arguments | ({"ssl": context} if context else {})


def _postgresql_tls(url: StoreURL, driver: str) -> dict[str, Any]:
    mode, authority = url.text("sslmode"), url.text("tls_ca")
    if mode is not None and mode not in _SSL_MODES:
        raise UsageError(f"the option 'sslmode' of a store is one of {', '.join(_SSL_MODES)}")
    if driver == "asyncpg":
        if mode and not authority:
            return {"ssl": mode}
        context = _tls_context(url)
        if context:
            context.check_hostname = mode in {None, "verify-full"}
        return {"ssl": context} if context else {}
    if authority or url.switch("tls", default=False):
        mode, authority = mode or "verify-full", authority or "system"
    given = {
        "sslmode": mode,
        "sslrootcert": authority,
        "sslcert": url.text("tls_cert"),
        "sslkey": url.text("tls_key"),
    }
    return {name: value for name, value in given.items() if value is not None}


def _tls_context(url: StoreURL) -> ssl.SSLContext | None:
    """Gives what checks the server's certificate and its name, where TLS is wanted."""
    authority, certificate = url.text("tls_ca"), url.text("tls_cert")
    if not (authority or certificate or url.switch("tls", default=False)):
        return None
    try:
        context = ssl.create_default_context(cafile=authority)
        if certificate:
            context.load_cert_chain(certificate, url.text("tls_key"))
    except OSError:
        raise UsageError("the files of 'tls_ca', 'tls_cert' and 'tls_key' cannot be read") from None
    return context
