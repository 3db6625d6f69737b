"""Secrets, and the keys that are derived from them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from coatcheck.core.confined import Confined
from coatcheck.core.strength import weakness
from coatcheck.errors import UsageError

KEY_ID_BYTES = 4

Secret: TypeAlias = str | bytes
Fallback: TypeAlias = "Secret | tuple[Secret, datetime]"

_ADVICE = "make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
_WAY_OUT = "SESSION_ALLOW_WEAK_KEY = True takes it with a warning"


def _derive(secret: bytes, length: int, *purpose: str) -> bytes:
    """HKDF-SHA256 (RFC 5869). Each part has its length before it, so that no two purposes run together."""
    info = b"coatcheck v1"
    for part in purpose:
        encoded = part.encode()
        info += len(encoded).to_bytes(2, "big") + encoded
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(secret)


class Key(Confined):
    """One secret, its id, and until when it may open."""

    __slots__ = ("_secret", "id", "not_after")

    def __init__(self, secret: bytes, not_after: float | None) -> None:
        self._secret = secret
        self.id: bytes = _derive(secret, KEY_ID_BYTES, "key id")
        self.not_after: float | None = not_after

    def __repr__(self) -> str:
        return f"<Key {self.id.hex()}>"

    def derive(self, kind: str, audience: str, name: str) -> bytes:
        """Gives the key for one purpose, 32 bytes."""
        return _derive(self._secret, 32, kind, audience, name)


class Keyring(Confined):
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
        try:
            self.primary: Key = self._add("the secret key", secret, None, allow_weak)
            self._add_fallbacks(fallbacks, allow_weak)
        except UsageError as error:
            # An error reporter shows the variables of the frames, and these are secrets.
            del secret, fallbacks
            raise error.with_traceback(None) from None

    def _add_fallbacks(self, fallbacks: Iterable[Fallback], allow_weak: bool) -> None:
        if not isinstance(fallbacks, (list, tuple, set, frozenset)):
            raise UsageError("the fallback secret keys must be a list of secrets")
        for index, fallback in enumerate(fallbacks):
            label = f"fallback secret key {index}"
            secret, not_after = fallback if isinstance(fallback, tuple) and len(fallback) == 2 else (fallback, None)
            if not_after is not None and not (isinstance(not_after, datetime) and not_after.tzinfo):
                raise UsageError(f"{label} must be a secret, or a pair of a secret and an aware datetime")
            self._add(label, secret, not_after, allow_weak)

    def _add(self, label: str, secret: Secret, not_after: datetime | None, allow_weak: bool) -> Key:
        if not isinstance(secret, (str, bytes)):
            raise UsageError(f"{label} must be text or bytes, not {type(secret).__name__}")
        encoded = secret if isinstance(secret, bytes) else secret.encode(errors="replace")
        if isinstance(secret, str) and encoded.decode() != secret:
            raise UsageError(f"{label} holds a lone surrogate, which is not Unicode")
        if not encoded:
            raise UsageError(f"{label} is empty; {_ADVICE}")
        problem = weakness(encoded)
        if problem and not allow_weak:
            raise UsageError(f"{label} {problem}; {_ADVICE}. On a development machine, {_WAY_OUT}")
        key = Key(encoded, None if not_after is None else not_after.timestamp())
        if key.id in self.keys:
            raise UsageError(f"{label} is in the key ring twice, or has the id of another key; take it out")
        if problem:
            self.weaknesses += (f"{label} {problem}",)
        self.keys[key.id] = key
        return key

    def __repr__(self) -> str:
        return f"<Keyring {' '.join(key_id.hex() for key_id in self.keys)}>"
