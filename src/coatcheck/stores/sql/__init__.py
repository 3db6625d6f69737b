"""`postgresql://`, `mysql://`, `mariadb://`: sessions in a table of a database, through SQLAlchemy."""

from __future__ import annotations

try:
    import sqlalchemy as sqlalchemy
except ImportError as _error:
    raise ImportError(
        "a store in a database needs SQLAlchemy and a driver:"
        " pip install 'coatcheck[postgresql]' or 'coatcheck[mariadb]'"
    ) from _error

from coatcheck.stores.sql.asynchronous import AsyncSQLStore
from coatcheck.stores.sql.store import SQLStore
from coatcheck.stores.sql.table import ddl, sessions_table

__all__ = [
    # The stores
    "SQLStore",
    "AsyncSQLStore",
    # For migrations
    "sessions_table",
    "ddl",
]
