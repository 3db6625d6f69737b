"""What stands for a user where others can read: in a store, and in the list of revocations.

A keyed hash of the user id, one under each key of the ring: it says nothing to whoever has
the store alone, and what was kept under an earlier key is found while that is in the ring.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

from coatcheck.core.confined import Confined
from coatcheck.core.facts import UserId
from coatcheck.core.keys import Keyring

# A hash under each key takes some microseconds. Filled by sessions of ours only.
_KEPT = 4096
SUBJECT_BYTES = 16


class Owner(NamedTuple):
    """One user, as stores know them; the hash under the primary key comes first."""

    keys: tuple[bytes, ...]
    """32 bytes each: under which the user's roster stands."""
    subjects: tuple[bytes, ...]
    """16 bytes each: what the list of revocations says of the user."""


class Owners(Confined):
    """Hashes the users of one audience. User ids are compared as text: 7 and "7" are one user."""

    __slots__ = ("_keys", "_known", "everyone")

    def __init__(self, keyring: Keyring, audience: str) -> None:
        ring = [keyring.primary, *(key for key in keyring.keys.values() if key is not keyring.primary)]
        self._keys = [key.derive("owner", audience, "") for key in ring]
        self.everyone: tuple[bytes, ...] = tuple(self._hash(key, b"everyone")[:SUBJECT_BYTES] for key in self._keys)
        """What the list says of all users, 16 bytes for each key."""
        self._known: dict[UserId, Owner] = {}

    @staticmethod
    def _hash(key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, "sha256")

    def find(self, user_id: UserId) -> Owner:
        """Gives what stands for a user."""
        known = self._known.get(user_id)
        if known is None:
            name = str(user_id).encode()
            known = Owner(
                tuple(self._hash(key, b"roster " + name) for key in self._keys),
                tuple(self._hash(key, b"user " + name)[:SUBJECT_BYTES] for key in self._keys),
            )
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[user_id] = known
        return known
