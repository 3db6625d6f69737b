"""The id in the cookie of a session that is kept on the server, and what is kept there.

    token    = base64url ( 0x02 | T, 32 random bytes )
    key      = SHA-256 ( T )
    content  = 0x02 | key id, 4 bytes | nonce, 12 bytes | ciphertext | tag, 16 bytes

The store has the key and the content and never T, so that nothing in it works as a
cookie. The content is sealed with AES-256-GCM under HKDF (secret, T): it takes the
secret, T and the record to read it, any two of them say nothing. A key seals the few
versions of one record, for which random nonces of 12 bytes are enough. What
authenticates them also names the record, so that one moved to another key opens for nobody.

What is sealed:

    0x01 live      | created at, 5 bytes | moved until, 5 bytes | packed content | padding
    0x02 replaced  | as above, and before the content: readable until, 5 bytes | successor, 32 bytes
    0x03 ended     | as live

Where 0x10 is added to the first byte, facts (`facts`) stand before the content, and
the length of these before them, 2 bytes. Times are seconds since 1970, big-endian.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from coatcheck.core.confined import Confined
from coatcheck.core.events import Reason, Rejected
from coatcheck.core.facts import Facts
from coatcheck.core.keys import KEY_ID_BYTES, Keyring
from coatcheck.core.record import pad, read_facts, unpad, write_facts
from coatcheck.core.seal import DERIVED_KEPT, TAG_BYTES
from coatcheck.core.text import decode, encode

OPAQUE = 0x02
SECRET_BYTES = 32
# 33 bytes fill 44 characters, and no sealed token is that short.
TOKEN_CHARS = 44

# The states of a record.
LIVE = 0x01
REPLACED = 0x02
ENDED = 0x03
_WITH_FACTS = 0x10
# A time that is long past: what was replaced then cannot be read, and nothing is handed on from there.
DEAD = 1

_DIGEST = sha256()
NOBODY = bytes(SECRET_BYTES)
_TIME_MASK = 2**40 - 1
_HEAD_BYTES = 1 + KEY_ID_BYTES
_NONCE_BYTES = 12
_START = _HEAD_BYTES + _NONCE_BYTES
_MIN_BYTES = _HEAD_BYTES + _NONCE_BYTES + 32 + TAG_BYTES
_HEAD_OF_ENTRY = 1 + 5 + 5
_REPLACED_BYTES = _HEAD_OF_ENTRY + 5 + SECRET_BYTES


def write_token(secret: bytes) -> str:
    """Gives the text for the cookie."""
    return encode(bytes([OPAQUE]) + secret)


def read_token(text: str) -> bytes:
    """Gives T. Raises `Rejected` for every text that `write_token` does not give."""
    raw = decode(text)
    if raw[0] != OPAQUE or len(raw) != 1 + SECRET_BYTES:
        raise Rejected(Reason.UNKNOWN_KIND)
    return raw[1:]


def record_key(secret: bytes) -> bytes:
    """Gives the key of the record in the store; it is the session's handle too. 32 bytes."""
    # A copy of one that has begun takes 1 us; to begin takes 4, in which OpenSSL looks the algorithm up.
    digest = _DIGEST.copy()
    digest.update(secret)
    return digest.digest()


class Entry(NamedTuple):
    """What a record says. A named tuple, for the same reason as `Record`."""

    state: int
    """LIVE, REPLACED by another id, or ENDED."""
    created_at: int
    moved_until: int
    """Until when the sealed cookie may come that this session was moved from; 0 if it was not moved."""
    packed: bytes
    readable_until: int = 0
    """REPLACED: how long the content, as it was then, may still be read. 0 if the session came home from here."""
    successor: bytes = NOBODY
    """REPLACED: the secret of the id that took its place, or `NOBODY`."""
    facts: Facts | None = None
    """As those of a `Record`."""

    def __repr__(self) -> str:
        return f"<Entry, state {self.state}>"

    def to_bytes(self) -> bytes:
        state, created_at, moved_until, packed, readable_until, successor, about = self
        shape = state if about is None else state | _WITH_FACTS
        head = (shape << 80 | created_at << 40 | moved_until).to_bytes(11, "big")
        if state == REPLACED:
            head += readable_until.to_bytes(5, "big") + successor
        if about is not None:
            head += write_facts(about)
        return pad(head + packed)

    @classmethod
    def from_bytes(cls, plaintext: bytes) -> Entry:
        """Gives the entry of a plaintext; the content stays packed. Raises `ValueError` for any other bytes."""
        body = unpad(plaintext, _HEAD_OF_ENTRY + 1)
        head = int.from_bytes(body[:_HEAD_OF_ENTRY], "big")
        shape, created_at, moved_until = head >> 80, head >> 40 & _TIME_MASK, head & _TIME_MASK
        state = shape & ~_WITH_FACTS
        start = _REPLACED_BYTES if state == REPLACED else _HEAD_OF_ENTRY
        if not LIVE <= state <= ENDED or len(body) <= start:
            raise ValueError("not an entry")
        about, end = read_facts(body, start) if shape != state else (None, start)
        if state != REPLACED:
            return cls(state, created_at, moved_until, body[end:], facts=about)
        readable_until = int.from_bytes(body[_HEAD_OF_ENTRY : _HEAD_OF_ENTRY + 5], "big")
        successor = body[_HEAD_OF_ENTRY + 5 : _REPLACED_BYTES]
        return cls(state, created_at, moved_until, body[end:], readable_until, successor, about)


class Id(NamedTuple):
    """A session's id on the server: what the browser has, and what the store has instead."""

    name: str
    """The cookie name that its record is sealed for."""
    secret: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"<Id {self.key.hex()}>"


def make_id(name: str, secret: bytes) -> Id:
    """Gives the id that a secret stands for."""
    return Id(name, secret, record_key(secret))


class Kept(NamedTuple):
    """A session on the server, as it was read. A named tuple, for the same reason as `Record`."""

    id: Id
    place: int
    """Which store has it."""
    entry: Entry
    used_at: int
    version: object
    current: bool
    """Whether the primary key had sealed it."""
    aead: AESGCM
    """What opened it. Deriving it again to seal a change takes 4 us."""
    content: bytes
    """As the store had it, sealed."""

    def __repr__(self) -> str:
        return f"<Kept {self.id.key.hex()}>"


class RecordSealer(Confined):
    """Seals and opens records of one audience, each for the cookie name of its id, under each key of the ring."""

    __slots__ = ("_bases", "_derived", "_moves", "_not_after", "_primary", "_random")

    def __init__(self, keyring: Keyring, audience: str, names: Iterable[str], random: Callable[[int], bytes]) -> None:
        self._random = random
        self._derived: dict[tuple[str, bytes, bytes], AESGCM] = {}
        self._bases: dict[tuple[str, bytes], HMAC] = {}
        self._moves: dict[tuple[str, bytes], HMAC] = {}
        self._not_after: dict[bytes, float] = {}
        for key in keyring.keys.values():
            head = bytes([OPAQUE]) + key.id
            for name in names:
                self._bases[name, head] = HMAC(key.derive("record", audience, name), SHA256())
                self._moves[name, key.id] = HMAC(key.derive("move", audience, name), SHA256())
            if key.not_after is not None:
                self._not_after[head] = key.not_after
        self._primary = bytes([OPAQUE]) + keyring.primary.id

    def seal(self, id_: Id, entry: Entry, aead: AESGCM | None = None) -> bytes:
        """Gives the content for the store, sealed with the primary key; `aead` is what `open` gave for that key."""
        head, nonce = self._primary, self._random(_NONCE_BYTES)
        aead = aead or self._aead(head, id_)
        return head + nonce + aead.encrypt(nonce, entry.to_bytes(), head + id_.key)

    def open(self, id_: Id, content: bytes, now: float) -> tuple[Entry, bool, AESGCM]:
        """Gives the entry, whether the primary key had sealed it, and what opened it.

        Raises `Rejected` with the reason.
        """
        head = content[:_HEAD_BYTES]
        if len(content) < _MIN_BYTES or head[0] != OPAQUE:
            raise Rejected(Reason.MALFORMED)
        if (id_.name, head) not in self._bases:
            raise Rejected(Reason.UNKNOWN_KEY)
        if self._not_after and now > self._not_after.get(head, now):
            raise Rejected(Reason.KEY_EXPIRED)
        # A browser comes several times in a row. Deriving the key takes 11 us in a request.
        known = (id_.name, head, id_.key)
        aead = self._derived.get(known) or self._aead(head, id_)
        try:
            plaintext = aead.decrypt(content[_HEAD_BYTES:_START], content[_START:], head + id_.key)
            entry = Entry.from_bytes(plaintext)
        except InvalidTag:
            raise Rejected(Reason.FORGED) from None
        except ValueError:
            raise Rejected(Reason.UNREADABLE) from None
        # As in `Sealer`: only now that the tag has verified, and emptied when full.
        if known not in self._derived:
            if len(self._derived) >= DERIVED_KEPT:
                self._derived.clear()
            self._derived[known] = aead
        return entry, head == self._primary, aead

    def _aead(self, head: bytes, id_: Id) -> AESGCM:
        return AESGCM(_expand(self._bases[id_.name, head], id_.secret))

    def secret_after(self, name: str, token: bytes) -> bytes:
        """Gives the secret of the home of what a token stands for, of either kind.

        Requests that come with one token at the same time so meet at one record. It takes
        the whole token to find it, of which logs and the store know nothing.
        """
        # A sealed token names its key, and a secret has none.
        key_id = token[1:_HEAD_BYTES] if token[0] != OPAQUE else self._primary[1:]
        return _expand(self._moves[name, key_id], token)


def _expand(base: HMAC, info: bytes) -> bytes:
    """HKDF-Expand (RFC 5869, section 2.3) to 32 bytes, which is one block.

    With a copy of the keyed HMAC: `HKDFExpand` of the library below takes 13 us in a request, and this takes 6.
    """
    block = base.copy()
    block.update(info + b"\x01")
    return block.finalize()
