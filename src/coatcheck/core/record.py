"""What is sealed: a session's content, and the facts about it that the content cannot change.

    0x00 | sealed at, 5 bytes | created at, 5 bytes | id, 16 bytes | content, MessagePack | padding
    0x01 | sealed at | created at | id | length of the facts, 2 bytes | facts | content, MessagePack | padding

The times are seconds since 1970, big-endian, good until the year 36812. All
stands in fixed places so that the packed content can be cut out and compared
without being decoded. The first byte is the shape; one that this version does not
know is refused. What the facts are stands in `facts`.
"""

from __future__ import annotations

from typing import NamedTuple

from coatcheck.core.facts import Facts

ID_BYTES = 16
_PLAIN = 0
_WITH_FACTS = 1
_TIME_MASK = 2**40 - 1
_HEAD_BYTES = 1 + 5 + 5 + ID_BYTES
_BLOCK_BYTES = 32
# One 0x80 and zeros (ISO/IEC 7816-4), so that lengths come in steps of 32 and say less about the content.
_PADDING = [b"\x80" + bytes(_BLOCK_BYTES - 1 - filled) for filled in range(_BLOCK_BYTES)]


def pad(body: bytes) -> bytes:
    """Gives a body with its padding, a multiple of 32 bytes."""
    return body + _PADDING[len(body) % _BLOCK_BYTES]


def unpad(plaintext: bytes, least: int) -> bytes:
    """Gives the body of a plaintext. Raises `ValueError` for what is not padded so, or shorter than `least` bytes."""
    body = plaintext.rstrip(b"\x00")
    length = len(plaintext)
    if not least < len(body) > length - _BLOCK_BYTES or length % _BLOCK_BYTES or body[-1] != 0x80:
        raise ValueError("not a record")
    return body[:-1]


def write_facts(facts: Facts) -> bytes:
    """Gives facts with their length before them."""
    packed = facts.to_bytes()
    return len(packed).to_bytes(2, "big") + packed


def read_facts(body: bytes, start: int) -> tuple[Facts, int]:
    """Gives the facts that stand here, and where they end. Raises `ValueError` for others, or where nothing follows."""
    begin = start + 2
    end = begin + int.from_bytes(body[start:begin], "big")
    if end >= len(body):
        raise ValueError("not a record")
    return Facts.from_bytes(body[begin:end]), end


class Record(NamedTuple):
    """A session as it is kept. A named tuple: one is made at each read, in a third of a frozen dataclass's time."""

    id: bytes
    created_at: int
    sealed_at: int
    packed: bytes
    facts: Facts | None = None
    """None for a session that nothing is known of but its times."""

    def __repr__(self) -> str:
        return f"<Record {self.id.hex()}>"

    def to_bytes(self) -> bytes:
        """Gives the plaintext, a multiple of 32 bytes."""
        session_id, created_at, sealed_at, packed, facts = self
        # One number of eleven bytes: the shape is the leading one.
        if facts is None:
            return pad((sealed_at << 40 | created_at).to_bytes(11, "big") + session_id + packed)
        times = (_WITH_FACTS << 80 | sealed_at << 40 | created_at).to_bytes(11, "big")
        return pad(times + session_id + write_facts(facts) + packed)

    @classmethod
    def from_bytes(cls, plaintext: bytes) -> Record:
        """Gives the record of a plaintext; the content stays packed. Raises `ValueError` for any other bytes."""
        body = unpad(plaintext, _HEAD_BYTES + 1)
        shape, facts, start = body[0], None, _HEAD_BYTES
        if shape == _WITH_FACTS:
            facts, start = read_facts(body, start)
        elif shape != _PLAIN:
            raise ValueError("not a record")
        times = int.from_bytes(body[1:11], "big")
        # What the generated `__new__` does, without its call: 0.2 us less.
        return tuple.__new__(cls, (body[11:_HEAD_BYTES], times & _TIME_MASK, times >> 40, body[start:], facts))


class StoredRecord(NamedTuple):
    """What a store keeps under a key. It can make nothing of the content, and nobody can who has the store alone.

    Times are seconds since 1970.
    """

    content: bytes
    """The sealed session."""
    used_at: int
    """When the session was last used. `touch` changes it, so it stands outside of the seal."""
    expires_at: int
    """From when on the store is to act as if the record were not there."""
    owner: bytes = b""
    """Whose session it is, where the application says so: a hash that only it can make. Empty for nobody."""
    version: object = None
    """What the store gives with `read` and wants back with `replace` and `touch`. Nobody else looks at it."""
