"""Which server of a cluster has which keys."""

from __future__ import annotations

from typing import Any

from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError

_SLOTS = 16384

ASKING = b"*1\r\n$6\r\nASKING\r\n"
"""Has a server take the next command although it is only about to become the owner of the slot."""

HOPS = 5
"""How often one question is sent on. A slot that moves takes two."""


class Slots:
    """The owners of the slots, as one server has told.

    Args:
        told: its answer to `CLUSTER SLOTS`.
        by: its address. A server that does not know its own name leaves it out.
    """

    def __init__(self, told: list[Any], by: tuple[str, int]) -> None:
        self._owners: list[tuple[str, int] | None] = [None] * _SLOTS
        self.owners: set[tuple[str, int]] = set()
        for first, last, master, *_ in told:
            owner = ((master[0] or b"").decode() or by[0], int(master[1]))
            self.owners.add(owner)
            self._owners[first : last + 1] = [owner] * (last + 1 - first)

    def owner(self, slot: int) -> tuple[str, int]:
        """Gives the server that has a slot. Raises `ClusterDownError` where none has."""
        owner = self._owners[slot]
        if owner is None:
            raise ClusterDownError("no server has this slot")
        return owner

    def move(self, slot: int, owner: tuple[str, int]) -> None:
        """Takes note that another server has a slot."""
        self._owners[slot] = owner
        self.owners.add(owner)


def slot_of(name: bytes) -> int:
    """Gives the slot of a key."""
    return int(key_slot(name))


def target(redirection: AskError, by: tuple[str, int]) -> tuple[str, int]:
    """Gives the server that another has named."""
    return redirection.host or by[0], redirection.port


def known(slots: Slots, hosts: tuple[tuple[str, int], ...]) -> list[tuple[str, int]]:
    """Gives the servers to ask for the slots the next time.

    Those of the URL are among them: the others may all have been replaced by then.
    """
    return [*slots.owners, *(host for host in hosts if host not in slots.owners)]
