"""How expired records are removed where the store does not forget by itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from coatcheck.errors import StoreError

# One insert in 64 removes up to 128 expired records: twice as fast as new ones come. The choice is by the key, which is
# a hash, so that programs sweep too that end after a few requests.
_KEYS = 4
_BY_THE_WAY = 128
# A longer statement would keep other writers waiting.
_BATCH = 1000


def sweep_in_batches(sweep: Callable[[int], int], limit: int) -> int:
    """Removes at most so many expired records, in several statements, and gives their number."""
    removed = 0
    while removed < limit:
        batch = min(limit - removed, _BATCH)
        count = sweep(batch)
        removed += count
        if count < batch:
            break
    return removed


def sweep_by_the_way(sweep: Callable[[int], int], key: bytes) -> None:
    """Removes some expired records when it is the turn of this key, which was inserted just now."""
    if key[0] < _KEYS:
        # The new record is kept, whether or not others can be removed now.
        with suppress(StoreError):
            sweep(_BY_THE_WAY)
