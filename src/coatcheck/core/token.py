"""The text in the cookie: format v1 of a sealed token.

    base64url without padding ( 0x01 | key id, 4 bytes | nonce, 24 bytes | ciphertext | tag, 16 bytes )

The bytes before the nonce are authenticated with the ciphertext. A token has
one spelling: anything else that a lenient base64 reader would take is refused.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable

from cryptography.exceptions import InvalidTag

from coatcheck.core.confined import Confined
from coatcheck.core.events import Reason, Rejected
from coatcheck.core.keys import KEY_ID_BYTES, Keyring
from coatcheck.core.record import Record
from coatcheck.core.seal import NONCE_BYTES, TAG_BYTES, Sealer

SEALED = 0x01
_HEAD_BYTES = 1 + KEY_ID_BYTES
_MIN_BYTES = _HEAD_BYTES + NONCE_BYTES + 32 + TAG_BYTES

_TO_URL = bytes.maketrans(b"+/", b"-_")
# The letters of the other alphabet, and the padding, become a byte that no alphabet has.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")
# By the length modulo 4: the padding, and the characters a text may end in. A
# group that is not full has bits left over, which must be zero.
_PADDING = (b"", b"", b"==", b"=")
_ENDS = (
    frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
    frozenset(""),
    frozenset("AQgw"),
    frozenset("AEIMQUYcgkosw048"),
)


def encode(raw: bytes) -> str:
    """Gives base64url (RFC 4648, section 5) without padding."""
    return b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Gives the bytes of which `encode` made this text. Raises `Rejected` for every other text."""
    over = len(text) % 4
    if text[-1:] in _ENDS[over]:
        try:
            return a2b_base64(text.encode("ascii").translate(_FROM_URL) + _PADDING[over], strict_mode=True)
        except ValueError:  # binascii.Error and UnicodeEncodeError are
            pass
    raise Rejected(Reason.MALFORMED)


class TokenSealer(Confined):
    """Makes and reads sealed tokens for one purpose: an audience and a cookie name, under each key of the ring."""

    __slots__ = ("_not_after", "_primary", "_sealers")

    def __init__(self, keyring: Keyring, audience: str, name: str, random: Callable[[int], bytes]) -> None:
        self._sealers: dict[bytes, Sealer] = {}
        self._not_after: dict[bytes, float] = {}
        for key in keyring.keys.values():
            head = bytes([SEALED]) + key.id
            self._sealers[head] = Sealer(key.derive("cookie", audience, name), head, random)
            if key.not_after is not None:
                self._not_after[head] = key.not_after
        self._primary = self._sealers[bytes([SEALED]) + keyring.primary.id]

    def seal(self, record: Record, now: float) -> str:
        """Gives the token of a record, sealed with the primary key."""
        return encode(self._primary.seal(record.to_bytes(), now))

    def open(self, text: str, now: float) -> tuple[Record, bool]:
        """Gives the record, and whether the primary key had sealed it. Raises `Rejected` with the reason."""
        raw = decode(text)
        head = raw[:_HEAD_BYTES]
        sealer = self._sealers.get(head)
        if len(raw) < _MIN_BYTES:
            raise Rejected(Reason.MALFORMED)
        if sealer is None:
            raise Rejected(Reason.UNKNOWN_KEY if head[0] == SEALED else Reason.UNKNOWN_KIND)
        if self._not_after and now > self._not_after.get(head, now):
            raise Rejected(Reason.KEY_EXPIRED)
        try:
            record = Record.from_bytes(sealer.open(raw))
        except InvalidTag:
            raise Rejected(Reason.FORGED) from None
        except ValueError:
            raise Rejected(Reason.UNREADABLE) from None
        return record, sealer is self._primary
