"""Secrets, and the keys that are derived from them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from coatcheck.core.strength import weakness
from coatcheck.errors import UsageError

KEY_ID_BYTES = 4

Secret: TypeAlias = str | bytes
Fallback: TypeAlias = "Secret | tuple[Secret, datetime]"

_ADVICE = "make one with: python -c 'import secrets; print(secrets.token_hex(32))'"


def _derive(secret: bytes, length: int, *purpose: str) -> bytes:
    """HKDF-SHA256 (RFC 5869). Each part of the purpose has its length before it, so that no two purposes run together."""
    info = b"coatcheck v1"
    for part in purpose:
        encoded = part.encode()
        info += len(encoded).to_bytes(2, "big") + encoded
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(secret)


class Key:
    """One secret, its id, and until when it may open."""

    __slots__ = ("_secret", "id", "not_after")

    def __init__(self, secret: bytes, not_after: float | None) -> None:
        self._secret = secret
        self.id = _derive(secret, KEY_ID_BYTES, "key id")
        self.not_after = not_after

    def __repr__(self) -> str:
        return f"<Key {self.id.hex()}>"

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled: build the key ring anew from the configuration")

    def derive(self, kind: str, audience: str, name: str) -> bytes:
        """Gives the key for one purpose, 32 bytes."""
        return _derive(self._secret, 32, kind, audience, name)


class Keyring:
    """The secrets of an application: one seals, all open.

    A token names its key, so there is no trial decryption, and the order of the
    fallbacks means nothing.

    Args:
        secret: text or bytes, at least 16 bytes, made by a machine.
        fallbacks: earlier secrets, or pairs of a secret and the aware datetime
            until which it opens.
        allow_weak: take weak secrets; `weaknesses` then says what is wrong with them.

    Raises `UsageError` for a secret that is missing, weak or in the ring twice.
    """

    __slots__ = ("keys", "primary", "weaknesses")

    def __init__(self, secret: Secret, fallbacks: Iterable[Fallback] = (), *, allow_weak: bool = False) -> None:
        self.weaknesses: tuple[str, ...] = ()
        self.keys: dict[bytes, Key] = {}
        self.primary = self._add("the secret key", secret, None, allow_weak)
        for index, fallback in enumerate(fallbacks):
            entry = fallback if isinstance(fallback, tuple) else (fallback, None)
            self._add(f"fallback secret key {index}", entry[0], entry[1], allow_weak)

    def _add(self, label: str, secret: Secret, not_after: datetime | None, allow_weak: bool) -> Key:
        if not isinstance(secret, (str, bytes)):
            raise UsageError(f"{label} must be text or bytes, not {type(secret).__name__}")
        encoded = secret.encode() if isinstance(secret, str) else secret
        problem = weakness(encoded) if encoded else "is empty"
        expiry = None if not_after is None else not_after.timestamp()
        key = Key(encoded, expiry) if encoded else None
        # Whoever prints this frame's variables with the error must not print the secret.
        del secret, encoded
        if key is None or (problem and not allow_weak):
            raise UsageError(f"{label} {problem}; {_ADVICE}")
        if key.id in self.keys:
            raise UsageError(f"{label} is in the key ring twice; take it out of the fallbacks")
        if problem:
            self.weaknesses += (f"{label} {problem}",)
        self.keys[key.id] = key
        return key

    def __repr__(self) -> str:
        return f"<Keyring {self.primary.id.hex()}, {len(self.keys) - 1} fallbacks>"
