"""Whose session it is, and since when: what is sealed beside the content, and what the content cannot change.

    seen, 8 bytes | family, 16 bytes | signed in at, 8 | rotated at, 8 | noted at, 8 | client | user id

Times are seconds since 1970, big-endian; `seen` is an instant of the list of
revocations. A client is the byte "b" and 8 bytes, or nothing. A user id is one byte
for its type and then the text, the decimal digits or the 16 bytes of a UUID; a guest
has none.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple, TypeAlias
from uuid import UUID

from coatcheck.errors import UsageError

UserId: TypeAlias = str | int | UUID

FAMILY_BYTES = 16
CLIENT_BYTES = 8
# An index over users is made of hashes, and a cookie has 4096 bytes for all.
_USER_ID_CHARS = 256
_TEXT, _NUMBER, _UUID = b"siu"
_CLIENT = b"b"
_HEAD = Struct(">Q16sQQQ")


class Facts(NamedTuple):
    """A named tuple, for the same reason as `Record`."""

    seen: int
    """The last instant of the list of revocations that was known when it began: what is ended later ends it."""
    family: bytes
    """What all ids have in common that a session gets one after the other, 16 bytes."""
    authenticated_at: int = 0
    rotated_at: int = 0
    noted_at: int = 0
    """When the roster was last told that the session is in use."""
    user_id: UserId | None = None
    """None for a guest."""
    client: bytes = b""
    """What `bind` gave when the user signed in, hashed; empty for nothing."""

    def __repr__(self) -> str:
        return f"<Facts {self.family.hex()}>"

    def to_bytes(self) -> bytes:
        *head, user_id, client = self
        return _HEAD.pack(*head) + (_CLIENT + client if client else b"") + _user_bytes(user_id)

    @classmethod
    def from_bytes(cls, packed: bytes) -> Facts:
        """Gives the facts of these bytes. Raises `ValueError` for any others."""
        if len(packed) < _HEAD.size:
            raise ValueError("no facts")
        rest, client = packed[_HEAD.size :], b""
        if rest.startswith(_CLIENT):
            client, rest = rest[1 : 1 + CLIENT_BYTES], rest[1 + CLIENT_BYTES :]
            if len(client) != CLIENT_BYTES:
                raise ValueError("no client")
        # As in `Record.from_bytes`.
        return tuple.__new__(cls, (*_HEAD.unpack_from(packed), _user(rest), client))


def _user_bytes(user_id: UserId | None) -> bytes:
    if user_id is None:
        return b""
    if isinstance(user_id, UUID):
        return bytes([_UUID]) + user_id.bytes
    return bytes([_TEXT if isinstance(user_id, str) else _NUMBER]) + str(user_id).encode()


def _user(packed: bytes) -> UserId | None:
    if not packed:
        return None
    kind, value = packed[0], packed[1:]
    if kind == _TEXT:
        return value.decode()
    if kind == _UUID:
        return UUID(bytes=value)
    number = int(value)
    # One spelling, as everything else that is sealed: `int` takes spaces and underscores too.
    if kind != _NUMBER or b"%d" % number != value:
        raise ValueError("no user id")
    return number


def check_user_id(user_id: object) -> UserId:
    """Gives a user id that can be kept. Raises `UsageError` for any other value.

    None and "" are what a failed look-up gives, and True is what a comparison gives: nobody is signed in as that.
    """
    if isinstance(user_id, bool) or not isinstance(user_id, (str, int, UUID)):
        raise UsageError(f"a user id is text, a number or a UUID, not {type(user_id).__name__}")
    # Of a subclass, such as an enumeration, what it stands for, and not how it shows itself.
    plain: UserId
    if isinstance(user_id, UUID):
        plain = UUID(bytes=user_id.bytes)
    else:
        plain = int(user_id) if isinstance(user_id, int) else str.__str__(user_id)
    text = str(plain)
    if not 0 < len(text) <= _USER_ID_CHARS:
        raise UsageError(f"a user id has 1 to {_USER_ID_CHARS} characters")
    if text.encode(errors="replace").decode() != text:
        raise UsageError("a user id holds a lone surrogate, which is not Unicode")
    return plain
