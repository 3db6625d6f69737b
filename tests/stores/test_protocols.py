from __future__ import annotations

from typing import Any

import pytest

from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.protocols import AsyncIndex, AsyncStore, AsyncSweeping, Index, Store, Sweeping, provides
from coatcheck.stores.threaded import ThreadedStore


class Wrapper:
    """A store that counts, and hands everything on."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.reads = 0

    def read(self, key: bytes) -> Any:
        self.reads += 1
        return self.store.read(key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


class NoSweeping:
    """What there is in some stores and not in others, as no store has it."""

    sweep = None
    owned_by = 5


def test_a_store_that_hands_its_methods_on_to_another_is_a_store_on_every_python() -> None:
    assert all(provides(Wrapper(MemoryStore()), each) for each in (Store, Sweeping, Index))
    assert all(
        provides(Wrapper(ThreadedStore(MemoryStore())), each) for each in (AsyncStore, AsyncSweeping, AsyncIndex)
    )


@pytest.mark.parametrize("nothing", [object(), NoSweeping(), Wrapper(object()), None, "memory:"])
@pytest.mark.parametrize("protocol", [Store, Sweeping, Index])
def test_what_has_not_the_methods_or_has_something_else_by_their_names_provides_nothing(
    nothing: object, protocol: type
) -> None:
    assert not provides(nothing, protocol)
