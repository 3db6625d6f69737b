"""XAES-256-GCM (C2SP, https://c2sp.org/XAES-256-GCM): AES-256-GCM with nonces of 24 bytes.

Random nonces of 24 bytes never run out under one key (2^80 messages at a
collision risk of 2^-32), and the construction is AES alone.

XAES derives an AES key from the first 12 bytes of the nonce. `Sealer` draws
those once, keeps the AES-GCM object, and takes the other 12 fresh from the
operating system for each message: a message then costs one AES-GCM call, and
any implementation of XAES opens it. The bound that matters is AES-GCM's own,
2^32 random nonces under one derived key; `Sealer` draws a new prefix after 2^20
messages or an hour. A forked worker inherits the prefix and the key, and nothing
else: its nonces come from the operating system too.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

from coatcheck.core.confined import Confined

KEY_BYTES = 32
NONCE_BYTES = 24
TAG_BYTES = 16
_PREFIX_BYTES = 12

MESSAGES_PER_PREFIX = 2**20
SECONDS_PER_PREFIX = 3600
# Each holds an AES-GCM object of about 1 kB. A deployment makes one prefix an hour and worker.
DERIVED_KEPT = 512


def derive_aead(key: bytes, prefix: bytes) -> AESGCM:
    """Gives AES-GCM under the key that XAES derives for the first 12 bytes of a nonce (SP 800-108, CMAC, counter)."""
    derivation = KBKDFCMAC(
        algorithm=AES,
        mode=Mode.CounterMode,
        length=KEY_BYTES,
        rlen=2,
        llen=None,
        location=CounterLocation.BeforeFixed,
        label=None,
        context=None,
        fixed=b"X\x00" + prefix,
    )
    return AESGCM(derivation.derive(key))


class Sealer(Confined):
    """Seals and opens under one key and one head: the bytes before the nonce, which are authenticated too.

    Threads may share it.
    """

    __slots__ = ("_derived", "_head", "_kept", "_key", "_left", "_random", "_until")

    def __init__(self, key: bytes, head: bytes, random: Callable[[int], bytes]) -> None:
        self._key = key
        self._head = head
        self._random = random
        self._derived: dict[bytes, AESGCM] = {}
        self._kept: tuple[bytes, AESGCM]
        self._left = 0
        self._until = 0.0

    def __repr__(self) -> str:
        return f"<Sealer {self._head.hex()}>"

    def seal(self, plaintext: bytes, now: float) -> bytes:
        """Gives head, nonce, ciphertext and tag."""
        if self._left <= 0 or now >= self._until:
            self._renew(now)
        # Threads that race may count one message too few; 2^20 is far enough from 2^32.
        self._left -= 1
        start, aead = self._kept
        fresh = self._random(_PREFIX_BYTES)
        return start + fresh + aead.encrypt(fresh, plaintext, self._head)

    def _renew(self, now: float) -> None:
        prefix = self._random(_PREFIX_BYTES)
        self._kept = (self._head + prefix, derive_aead(self._key, prefix))
        self._until, self._left = now + SECONDS_PER_PREFIX, MESSAGES_PER_PREFIX

    def open(self, sealed: bytes) -> bytes:
        """Gives the plaintext of what begins with this sealer's head.

        Raises `cryptography.exceptions.InvalidTag` for anything that was not sealed so.
        """
        head = self._head
        middle = len(head) + _PREFIX_BYTES
        end = middle + _PREFIX_BYTES
        prefix = sealed[len(head) : middle]
        aead = self._derived.get(prefix)
        if aead is not None:
            return aead.decrypt(sealed[middle:end], sealed[end:], head)
        aead = derive_aead(self._key, prefix)
        plaintext = aead.decrypt(sealed[middle:end], sealed[end:], head)
        # Only now that the tag has verified: nobody without the key can fill this.
        # Emptied when full, which needs no order and no lock.
        if len(self._derived) >= DERIVED_KEPT:
            self._derived.clear()
        self._derived[prefix] = aead
        return plaintext
