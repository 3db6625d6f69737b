"""The published vectors of XAES-256-GCM: what `Sealer` seals, every other implementation opens."""

from __future__ import annotations

import json
from hashlib import shake_128
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from kit import Script

from coatcheck.core.seal import Sealer, derive_aead

PUBLISHED = json.loads(Path(__file__).with_name("xaes_256_gcm.json").read_text())
VECTORS: list[dict[str, Any]] = PUBLISHED["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"AAD of {len(vector['aad_ascii'])} bytes")
def test_a_vector_is_derived_as_published(vector: dict[str, Any]) -> None:
    key, nonce = bytes.fromhex(vector["key"]), vector["nonce_ascii"].encode()
    plaintext, aad = vector["plaintext_ascii"].encode(), vector["aad_ascii"].encode()
    aead = derive_aead(key, nonce[:12])
    assert aead.encrypt(nonce[12:], plaintext, aad).hex() == vector["ciphertext"]
    assert aead.decrypt(nonce[12:], bytes.fromhex(vector["ciphertext"]), aad) == plaintext


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"AAD of {len(vector['aad_ascii'])} bytes")
def test_a_vector_is_sealed_and_opened_as_published(vector: dict[str, Any]) -> None:
    key, nonce = bytes.fromhex(vector["key"]), vector["nonce_ascii"].encode()
    plaintext, head = vector["plaintext_ascii"].encode(), vector["aad_ascii"].encode()
    sealed = head + nonce + bytes.fromhex(vector["ciphertext"])
    assert Sealer(key, head, Script(nonce)).seal(plaintext, 0) == sealed
    assert Sealer(key, head, Script()).open(sealed) == plaintext


def test_a_message_after_the_first_is_sealed_as_published_too() -> None:
    # It has the prefix of its nonce, and the derived key, from the message before.
    for vector in VECTORS:
        key, nonce, head = bytes.fromhex(vector["key"]), vector["nonce_ascii"].encode(), vector["aad_ascii"].encode()
        sealer = Sealer(key, head, Script(nonce[:12], b"another one!", nonce[12:]))
        sealer.seal(b"before", 0)
        assert sealer.seal(vector["plaintext_ascii"].encode(), 0).hex().endswith(nonce.hex() + vector["ciphertext"])


def test_the_accumulated_vector_is_sealed_as_published() -> None:
    """Ten thousand random messages of up to 255 bytes with up to 255 bytes of AAD, each opened again."""
    accumulated = PUBLISHED["accumulated"]
    stream = Script(shake_128(b"").digest(accumulated["iterations"] * (32 + 24 + 1 + 255 + 1 + 255)))
    ciphertexts = shake_128()
    for _ in range(accumulated["iterations"]):
        key, nonce = stream(32), stream(24)
        plaintext = stream(stream(1)[0])
        head = stream(stream(1)[0])
        sealed = Sealer(key, head, Script(nonce)).seal(plaintext, 0)
        assert sealed.startswith(head + nonce)
        ciphertexts.update(sealed[len(head) + 24 :])
        assert Sealer(key, head, Script()).open(sealed) == plaintext
    assert ciphertexts.hexdigest(32) == accumulated["digest"]


@pytest.mark.parametrize("place", range(28))
def test_a_changed_byte_of_a_vector_does_not_open(place: int) -> None:
    vector = VECTORS[0]
    sealed = bytearray(vector["nonce_ascii"].encode() + bytes.fromhex(vector["ciphertext"]))
    for index in (place, place + 24):
        changed = bytearray(sealed)
        changed[index] ^= 1
        with pytest.raises(InvalidTag):
            Sealer(bytes.fromhex(vector["key"]), b"", Script()).open(bytes(changed))
