"""What a store must do, edge by edge, and what some can do beside.

Every method raises `StoreError`, and nothing else, when the store cannot be asked
or does not answer in time. Whether the operation took place is then unknown.

A record whose `expires_at` has come is not there: for every method, at once, by the
clock of the store. Removing it can wait.

Threads may share a `Store`, and tasks of one event loop an `AsyncStore`. Both may be
made before a process forks: they connect at the first operation.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from coatcheck.core.record import StoredRecord


def provides(store: object, protocol: type) -> bool:
    """Says whether a store has the methods of one of these, its own or some that it hands on by `__getattr__`.

    `isinstance` does not see the latter from Python 3.12 on, and a store that wraps another is a store.
    """
    return all(callable(getattr(store, name, None)) for name in vars(protocol) if not name.startswith("_"))


@runtime_checkable
class Store(Protocol):
    """Keeps records for sync programs."""

    def read(self, key: bytes) -> StoredRecord | None:
        """Gives the record, with its version; None where there is none."""
        ...

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        """Keeps a new record. Gives False, and changes nothing, where there is one already."""
        ...

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        """Keeps this record in the place of the one whose version was seen, in one step.

        Gives False, and changes nothing, if that record has been replaced or is gone,
        even where another has been inserted since.
        """
        ...

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        """Changes the times of the record whose version was seen and leaves its content alone, in one step.

        Gives False, and changes nothing, if that record has been replaced or is gone.
        Whether the version changes is up to the store.
        """
        ...

    def delete(self, key: bytes) -> None:
        """Removes the record, whatever its version. It is no error if there is none."""
        ...


@runtime_checkable
class AsyncStore(Protocol):
    """As `Store`, for asyncio."""

    async def read(self, key: bytes) -> StoredRecord | None:
        """As `Store.read`."""
        ...

    async def insert(self, key: bytes, record: StoredRecord) -> bool:
        """As `Store.insert`."""
        ...

    async def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        """As `Store.replace`."""
        ...

    async def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        """As `Store.touch`."""
        ...

    async def delete(self, key: bytes) -> None:
        """As `Store.delete`."""
        ...


@runtime_checkable
class Sweeping(Protocol):
    """A store that does not forget expired records by itself."""

    def sweep(self, limit: int = 1000) -> int:
        """Removes at most so many expired records and gives their number; less than `limit` means that none is left.

        The cost grows with what is removed, not with what is stored.
        """
        ...


@runtime_checkable
class AsyncSweeping(Protocol):
    """As `Sweeping`, for asyncio."""

    async def sweep(self, limit: int = 1000) -> int:
        """As `Sweeping.sweep`."""
        ...


@runtime_checkable
class Index(Protocol):
    """A store that finds the records of an owner."""

    def owned_by(self, owner: bytes) -> list[tuple[bytes, StoredRecord]]:
        """Gives the keys and the records of an owner, those last used first.

        The cost grows with what is found, not with what is stored.
        """
        ...


@runtime_checkable
class AsyncIndex(Protocol):
    """As `Index`, for asyncio."""

    async def owned_by(self, owner: bytes) -> list[tuple[bytes, StoredRecord]]:
        """As `Index.owned_by`."""
        ...
