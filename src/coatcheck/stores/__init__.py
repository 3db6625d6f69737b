"""Where sessions are kept on the server.

A store keeps sealed records under keys of 32 bytes. It decides nothing, knows no
cookie and no session, and whoever reads all of it learns neither. `Store` says what
it must do, and `coatcheck.testing.StoreContract` proves that it does.
"""

from __future__ import annotations

from coatcheck.core.record import StoredRecord
from coatcheck.stores.opening import open_async_store, open_store
from coatcheck.stores.protocols import AsyncIndex, AsyncStore, AsyncSweeping, Index, Store, Sweeping

__all__ = [
    # What a store is
    "Store",
    "AsyncStore",
    "StoredRecord",
    # What some stores can do beside
    "Index",
    "AsyncIndex",
    "Sweeping",
    "AsyncSweeping",
    # By its URL
    "open_store",
    "open_async_store",
]
