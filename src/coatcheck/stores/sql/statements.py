"""What is said to a database: each statement written once, and rendered once for a store."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Dialect, Table, bindparam, text

_READ = "SELECT content, used_at, expires_at, owner, version FROM {table} WHERE {key} = :key"
_INSERT = """INSERT INTO {table} ({key}, content, used_at, expires_at, owner, version)
    VALUES (:key, :content, :used_at, :expires_at, :owner, :version)"""
_REPLACE = """UPDATE {table}
    SET content = :content, used_at = :used_at, expires_at = :expires_at, owner = :owner, version = :version
    WHERE {key} = :key AND version = :seen AND expires_at > :now"""
_TOUCH = """UPDATE {table} SET used_at = :used_at, expires_at = :expires_at
    WHERE {key} = :key AND version = :seen AND expires_at > :now"""
_DELETE = "DELETE FROM {table} WHERE {key} = :key"
_VACATE = "DELETE FROM {table} WHERE {key} = :key AND expires_at <= :now"
_OWNED_BY = """SELECT {key}, content, used_at, expires_at, owner, version FROM {table}
    WHERE owner = :owner AND expires_at > :now ORDER BY used_at DESC"""

_INSERT_OVER_EXPIRED = f"""{_INSERT}
    ON CONFLICT ({{key}}) DO UPDATE SET content = excluded.content, used_at = excluded.used_at,
        expires_at = excluded.expires_at, owner = excluded.owner, version = excluded.version
    WHERE {{table}}.expires_at <= :now"""
# In PostgreSQL, two who sweep take different records. The array is gathered once: with IN, the planner may run the
# inner query several times, and more than the limit goes.
_SWEEP_POSTGRESQL = """DELETE FROM {table} WHERE {key} = ANY(ARRAY(
    SELECT {key} FROM {table} WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED))"""
_SWEEP_MYSQL = "DELETE FROM {table} WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit"

_PLACEHOLDER = re.compile(r":(\w+)")


class Statement(NamedTuple):
    """Text for a driver, and what makes its arguments out of values by name."""

    text: str
    arguments: Callable[[Mapping[str, Any]], Any]


class Statements(NamedTuple):
    """The values of a statement are named as the columns; beside them are `now`, `seen` and `limit`."""

    read: Statement
    """Gives content, used_at, expires_at, owner and version."""
    insert: Statement
    replace: Statement
    touch: Statement
    delete: Statement
    vacate: Statement | None
    """Removes the record of a key if it has expired. None where `insert` does."""
    sweep: Statement
    owned_by: Statement
    """Gives the key, and then the same as `read`."""


def statements(table: Table, dialect: Dialect) -> Statements:
    """Gives the statements for a table in the language of a dialect."""
    quote = dialect.identifier_preparer.quote
    names = {"table": quote(table.name), "key": quote("key")}
    types = {**{column.name: column.type for column in table.columns}, "seen": BigInteger(), "now": BigInteger()}

    def render(template: str) -> Statement:
        # With their types: PostgreSQL would otherwise guess them from the values, which differ in size.
        values = [bindparam(name, type_=types.get(name)) for name in _PLACEHOLDER.findall(template)]
        compiled = text(template.format(**names)).bindparams(*values).compile(dialect=dialect)
        order = getattr(compiled, "positiontup", None)
        return Statement(str(compiled), dict if order is None else _in_order(order))

    is_postgresql = dialect.name == "postgresql"
    return Statements(
        read=render(_READ),
        insert=render(_INSERT_OVER_EXPIRED if is_postgresql else _INSERT),
        replace=render(_REPLACE),
        touch=render(_TOUCH),
        delete=render(_DELETE),
        vacate=None if is_postgresql else render(_VACATE),
        sweep=render(_SWEEP_POSTGRESQL if is_postgresql else _SWEEP_MYSQL),
        owned_by=render(_OWNED_BY),
    )


def _in_order(names: list[str]) -> Callable[[Mapping[str, Any]], Any]:
    if len(names) == 1:
        return lambda values: (values[names[0]],)
    return itemgetter(*names)
