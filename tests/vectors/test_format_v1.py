"""Frozen tokens of format v1. They open for ever: a change that breaks one of these logs every visitor out.

A reader of its own, written from the description of the format alone, opens them too.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from kit import OTHER_SECRET, SECRET, Script, Site
from markupsafe import Markup
from values import describe

from coatcheck import Keyring
from coatcheck.core.codec import pack, unpack
from coatcheck.core.record import Record
from coatcheck.core.text import decode
from coatcheck.core.token import TokenSealer
from coatcheck.testing import Clock

PATH = Path(__file__).with_name("format_v1.json")
CONTENTS: dict[str, dict[str, Any]] = {
    "the smallest content": {"": None},
    "the reference session": {
        "username": "xiaoming",
        "user_id": 12345,
        "_fresh": True,
        "_permanent": True,
        "csrf_token": "a" * 40,
        "cart": [{"sku": "A-100", "qty": 2}, {"sku": "B-7", "qty": 1}],
    },
    "all types": {
        "none": None,
        "bools": [False, True],
        "ints": [0, 127, 128, -1, -33, 2**64 - 1, -(2**63)],
        "floats": [0.0, -0.0, 1.5, 5e-324],
        "str": "text",
        "bytes": b"\x00\xff",
        "dict": {"nested": {}},
        "keys": {1: "a", None: "b", (2, b"x"): "c", "d": "d"},
        "tuple": (1, (), "a"),
        "set": {3, 1, "b", "a"},
        "frozenset": frozenset({2, 1}),
        "datetime": datetime(2030, 2, 3, 4, 5, 6, 7),
        "utc": datetime(2030, 2, 3, tzinfo=UTC),
        "offset": datetime(2030, 2, 3, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
        "named offset": datetime(2030, 2, 3, tzinfo=timezone(timedelta(hours=1), "CET")),
        "zone": datetime(2030, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        "date": date(2030, 2, 3),
        "time": time(23, 59, 59, 999_999),
        "timedelta": timedelta(days=-1, seconds=2, microseconds=3),
        "uuid": UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        "decimals": [Decimal("-1.50"), Decimal("1E+3"), Decimal("NaN"), Decimal("-Infinity")],
        "markup": Markup("<b>"),
    },
    "another cookie name": {"user_id": 1},
    "an audience": {"user_id": 1},
    "a key that is a fallback now": {"user_id": 1},
    "text beyond ASCII": {"\u59d3\u540d": "\u5c0f\u660e \U0001f36a \u00fc\u2028\x00"},
    "times after 2106": {"user_id": 1},
}
VECTORS: list[dict[str, Any]] = json.loads(PATH.read_text())["vectors"]
every_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["title"])


def record_of(vector: dict[str, Any]) -> Record:
    return Record(
        id=bytes.fromhex(vector["id"]),
        created_at=vector["created_at"],
        sealed_at=vector["sealed_at"],
        packed=bytes.fromhex(vector["packed"]),
    )


def sealer_of(vector: dict[str, Any], ring: Keyring | None = None, random: Script | None = None) -> TokenSealer:
    keyring = ring or Keyring(bytes.fromhex(vector["secret"]))
    return TokenSealer(keyring, vector["audience"], vector["cookie_name"], random or Script())


def test_there_is_a_vector_for_each_content() -> None:
    assert [vector["title"] for vector in VECTORS] == list(CONTENTS)


@every_vector
def test_the_token_opens_to_exactly_its_record(vector: dict[str, Any]) -> None:
    assert sealer_of(vector).open(vector["token"], vector["sealed_at"]) == (record_of(vector), True)


@every_vector
def test_the_token_opens_where_its_key_is_a_fallback(vector: dict[str, Any]) -> None:
    ring = Keyring(SECRET, [OTHER_SECRET, bytes.fromhex(vector["secret"])])
    assert sealer_of(vector, ring).open(vector["token"], vector["sealed_at"]) == (record_of(vector), False)


@every_vector
def test_the_record_is_sealed_to_exactly_this_token(vector: dict[str, Any]) -> None:
    sealer = sealer_of(vector, random=Script(bytes.fromhex(vector["nonce"])))
    assert sealer.seal(record_of(vector), vector["sealed_at"]) == vector["token"]


@every_vector
def test_the_content_is_packed_to_exactly_these_bytes(vector: dict[str, Any]) -> None:
    packed = bytes.fromhex(vector["packed"])
    assert pack(CONTENTS[vector["title"]]) == packed
    assert describe(unpack(packed)) == describe(CONTENTS[vector["title"]])


@every_vector
def test_the_record_has_exactly_this_plaintext(vector: dict[str, Any]) -> None:
    assert record_of(vector).to_bytes().hex() == vector["plaintext"]
    assert Record.from_bytes(bytes.fromhex(vector["plaintext"])) == record_of(vector)


@every_vector
def test_the_secret_has_exactly_this_id_and_key(vector: dict[str, Any]) -> None:
    key = Keyring(bytes.fromhex(vector["secret"])).primary
    assert key.id.hex() == vector["key_id"]
    assert key.derive("cookie", vector["audience"], vector["cookie_name"]).hex() == vector["key"]


@every_vector
def test_a_session_is_read_from_the_token(vector: dict[str, Any]) -> None:
    clock = Clock(vector["sealed_at"])
    options: dict[str, Any] = {
        "cookie_name": vector["cookie_name"],
        "audience": vector["audience"],
        "cookie_secure": True,
    }
    site = Site(SECRET, [bytes.fromhex(vector["secret"])], clock=clock, **options)
    session = site.open(f"{vector['cookie_name']}={vector['token']}")
    assert describe(dict(session)) == describe(CONTENTS[vector["title"]])
    assert session.handle == vector["id"]
    assert session.created_at == datetime.fromtimestamp(vector["created_at"], UTC)


# A reader of its own


def hkdf(secret: bytes, length: int, *purpose: str) -> bytes:
    """RFC 5869 with SHA-256, no salt, and one block of output."""
    info = b"coatcheck v1" + b"".join(len(part.encode()).to_bytes(2, "big") + part.encode() for part in purpose)
    return hmac.digest(hmac.digest(bytes(32), secret, "sha256"), info + b"\x01", "sha256")[:length]


def xaes_256_gcm(key: bytes, nonce: bytes) -> AESGCM:
    """The derivation as the specification writes it: CMAC of two blocks, out of AES alone."""
    block = Cipher(AES(key), ECB()).encryptor().update
    doubled = int.from_bytes(block(bytes(16)), "big") << 1
    subkey = (doubled ^ (doubled >> 128) * 0x87) & (1 << 128) - 1
    halves = []
    for counter in (1, 2):
        message = int.from_bytes(bytes([0, counter]) + b"X\x00" + nonce[:12], "big")
        halves.append(block((message ^ subkey).to_bytes(16, "big")))
    return AESGCM(b"".join(halves))


@every_vector
def test_a_reader_of_its_own_opens_the_token(vector: dict[str, Any]) -> None:
    secret = bytes.fromhex(vector["secret"])
    raw = urlsafe_b64decode(vector["token"] + "=" * (-len(vector["token"]) % 4))
    assert raw == decode(vector["token"])
    head, nonce, sealed = raw[:5], raw[5:29], raw[29:]
    assert head == b"\x01" + hkdf(secret, 4, "key id")
    assert nonce.hex() == vector["nonce"]
    key = hkdf(secret, 32, "cookie", vector["audience"], vector["cookie_name"])
    assert key.hex() == vector["key"]
    plaintext = xaes_256_gcm(key, nonce).decrypt(nonce[12:], sealed, head)
    assert plaintext.hex() == vector["plaintext"]
    assert plaintext[0] == 0
    assert int.from_bytes(plaintext[1:6], "big") == vector["sealed_at"]
    assert int.from_bytes(plaintext[6:11], "big") == vector["created_at"]
    assert plaintext[11:27].hex() == vector["id"]
    assert plaintext[27:].rstrip(b"\x00") == bytes.fromhex(vector["packed"]) + b"\x80"
    assert len(plaintext) % 32 == 0
