"""What is sealed: a session's content, and the facts about it that the content cannot change.

    shape, 1 byte 0x00 | sealed at, 5 bytes | created at, 5 bytes | id, 16 bytes | content, MessagePack | padding

The times are seconds since 1970, big-endian, good until the year 36812. The
facts have fixed places so that the packed content can be cut out and compared
without being decoded. A shape that this version does not know is refused: that
is the room for an owner and a device.
"""

from __future__ import annotations

from typing import NamedTuple

ID_BYTES = 16
_SHAPE = 0
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


class Record(NamedTuple):
    """A session as it is kept. A named tuple: one is made at each read, in a third of a frozen dataclass's time."""

    id: bytes
    created_at: int
    sealed_at: int
    packed: bytes

    def __repr__(self) -> str:
        return f"<Record {self.id.hex()}>"

    def to_bytes(self) -> bytes:
        """Gives the plaintext, a multiple of 32 bytes."""
        session_id, created_at, sealed_at, packed = self
        # One number of eleven bytes: the shape is the leading zero.
        times = (sealed_at << 40 | created_at).to_bytes(11, "big")
        return pad(times + session_id + packed)

    @classmethod
    def from_bytes(cls, plaintext: bytes) -> Record:
        """Gives the record of a plaintext; the content stays packed. Raises `ValueError` for any other bytes."""
        body = unpad(plaintext, _HEAD_BYTES + 1)
        if body[0] != _SHAPE:
            raise ValueError("not a record")
        times = int.from_bytes(body[1:11], "big")
        # What the generated `__new__` does, without its call: 0.2 us less.
        return tuple.__new__(cls, (body[11:_HEAD_BYTES], times & _TIME_MASK, times >> 40, body[_HEAD_BYTES:]))


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
