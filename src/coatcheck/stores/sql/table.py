"""The table that sessions are kept in, for the stores, for migration tools, and as text."""

from __future__ import annotations

import re

from sqlalchemy import BigInteger, Column, Dialect, Index, LargeBinary, MetaData, Table, text
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from coatcheck.errors import UsageError

DEFAULT_NAME = "coatcheck_sessions"
KINDS = {"postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}
"""The databases by the names of their dialects."""

# The names of the indexes are longer, and PostgreSQL cuts names at 63 bytes.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}")


def sessions_table(name: str = DEFAULT_NAME, metadata: MetaData | None = None) -> Table:
    """Gives the table, for a migration tool: with the metadata of your models, Alembic finds it there.

    Raises `UsageError` for a name that is no plain identifier.
    """
    if not _NAME.fullmatch(name):
        raise UsageError("the name of a table is made of letters, digits and underscores, at most 50")
    return Table(
        name,
        MetaData() if metadata is None else metadata,
        Column("key", _binary(32), primary_key=True),
        Column("content", LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb"), nullable=False),
        Column("used_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        Column("owner", _binary(64)),
        Column("version", BigInteger, nullable=False),
        Index(f"{name}_expires_at", "expires_at"),
        Index(f"{name}_owner", "owner", postgresql_where=text("owner IS NOT NULL")),
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
    )


def ddl(kind: str = "postgresql", table: str = DEFAULT_NAME) -> str:
    """Gives the statements that make the table, as text: of "postgresql", "mysql" or "mariadb"."""
    if kind not in KINDS:
        raise UsageError(f"there is DDL for {', '.join(KINDS)}")
    dialect: Dialect = (postgresql if kind == "postgresql" else mysql).dialect()
    return "".join(f"{statement};\n" for statement in create_statements(sessions_table(table), dialect))


def create_statements(table: Table, dialect: Dialect) -> list[str]:
    """Gives the statements that make a table unless it is there."""
    create = str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)).strip()
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    if dialect.name == "postgresql":
        return [create, *(str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect)) for index in indexes)]
    # MySQL ends a transaction with each of these statements: the indexes must come with the table or could be missing.
    body, _, end = create.rpartition("\n)")
    inside = "".join(f", \n\tINDEX {index.name} ({index.columns[0].name})" for index in indexes)
    return [f"{body}{inside}\n){end}"]


def _binary(length: int) -> LargeBinary:
    return LargeBinary(length).with_variant(mysql.VARBINARY(length), "mysql", "mariadb")
