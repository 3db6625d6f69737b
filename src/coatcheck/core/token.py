"""The text in the cookie: format v1 of a sealed token.

    base64url without padding ( 0x01 | key id, 4 bytes | nonce, 24 bytes | ciphertext | tag, 16 bytes )

The bytes before the nonce are authenticated with the ciphertext. A token has
one spelling: anything else that a lenient base64 reader would take is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag

from coatcheck.core.confined import Confined
from coatcheck.core.events import Reason, Rejected
from coatcheck.core.facts import Facts
from coatcheck.core.keys import KEY_ID_BYTES, Keyring
from coatcheck.core.record import ID_BYTES, Record
from coatcheck.core.seal import NONCE_BYTES, TAG_BYTES, Sealer
from coatcheck.core.text import decode, encode

SEALED = 0x01
_HEAD_BYTES = 1 + KEY_ID_BYTES
_MIN_BYTES = _HEAD_BYTES + NONCE_BYTES + 32 + TAG_BYTES


def token_chars(packed: bytes, facts: Facts | None = None) -> int:
    """Gives the length of the token that this packed content makes."""
    plaintext = len(Record(bytes(ID_BYTES), 0, 0, packed, facts).to_bytes())
    return -(-(_HEAD_BYTES + NONCE_BYTES + plaintext + TAG_BYTES) * 4 // 3)


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
