"""Frozen records of format v1, in each of their states. They open for ever, as frozen tokens do.

A reader of its own, written from the description of the format alone, opens them too.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from kit import OTHER_SECRET, SECRET, Script, Site

from coatcheck import Keyring, Reason
from coatcheck.core.codec import pack, unpack
from coatcheck.core.events import Rejected
from coatcheck.core.opaque import (
    ENDED,
    LIVE,
    NOBODY,
    REPLACED,
    Entry,
    Id,
    RecordSealer,
    make_id,
    read_token,
    write_token,
)
from coatcheck.core.record import StoredRecord
from coatcheck.core.text import decode
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

PATH = Path(__file__).with_name("format_v1_records.json")
REFERENCE: dict[str, Any] = {
    "username": "xiaoming",
    "user_id": 12345,
    "_fresh": True,
    "_permanent": True,
    "csrf_token": "a" * 40,
    "cart": [{"sku": "A-100", "qty": 2}, {"sku": "B-7", "qty": 1}],
}
CONTENTS: dict[str, tuple[int, dict[str, Any]]] = {
    "live, the smallest content": (LIVE, {"": None}),
    "live, the reference session": (LIVE, REFERENCE),
    "live, without content": (LIVE, {}),
    "live, moved from a sealed cookie": (LIVE, {"user_id": 1}),
    "live, another cookie name": (LIVE, {"user_id": 1}),
    "live, an audience": (LIVE, {"user_id": 1}),
    "live, a key that is a fallback now": (LIVE, {"user_id": 1}),
    "live, times after 2106": (LIVE, {"user_id": 1}),
    "replaced, and readable for a while": (REPLACED, {"user_id": 1}),
    "replaced, for a cookie": (REPLACED, {"user_id": 1}),
    "replaced, for its home": (REPLACED, {}),
    "ended": (ENDED, {}),
    "ended, moved from a sealed cookie": (ENDED, {}),
}
FILE: dict[str, list[dict[str, Any]]] = json.loads(PATH.read_text())
VECTORS, HOMES = FILE["vectors"], FILE["homes"]
every_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["title"])
every_home = pytest.mark.parametrize("home", HOMES, ids=lambda home: home["title"])


def entry_of(vector: dict[str, Any]) -> Entry:
    return Entry(
        vector["state"],
        vector["created_at"],
        vector["moved_until"],
        bytes.fromhex(vector["packed"]),
        vector["readable_until"],
        bytes.fromhex(vector["successor"]),
    )


def id_of(vector: dict[str, Any]) -> Id:
    return make_id(vector["cookie_name"], bytes.fromhex(vector["T"]))


def sealer_of(vector: dict[str, Any], ring: Keyring | None = None, random: Script | None = None) -> RecordSealer:
    keyring = ring or Keyring(bytes.fromhex(vector["secret"]))
    return RecordSealer(keyring, vector["audience"], [vector["cookie_name"]], random or Script())


def test_there_is_a_vector_for_each_content_and_of_each_state() -> None:
    assert [(vector["title"], vector["state"]) for vector in VECTORS] == [
        (title, state) for title, (state, _) in CONTENTS.items()
    ]
    assert {vector["state"] for vector in VECTORS} == {LIVE, REPLACED, ENDED} == {1, 2, 3}


@every_vector
def test_the_token_stands_for_exactly_this_id(vector: dict[str, Any]) -> None:
    secret = bytes.fromhex(vector["T"])
    assert write_token(secret) == vector["token"]
    assert read_token(vector["token"]) == secret
    assert id_of(vector).key.hex() == vector["record_key"]


@every_vector
def test_the_content_opens_to_exactly_its_entry(vector: dict[str, Any]) -> None:
    content = bytes.fromhex(vector["content"])
    assert sealer_of(vector).open(id_of(vector), content, 0)[:2] == (entry_of(vector), True)


@every_vector
def test_the_content_opens_where_its_key_is_a_fallback(vector: dict[str, Any]) -> None:
    ring = Keyring(SECRET, [OTHER_SECRET, bytes.fromhex(vector["secret"])])
    content = bytes.fromhex(vector["content"])
    assert sealer_of(vector, ring).open(id_of(vector), content, 0)[:2] == (entry_of(vector), False)


@every_vector
def test_the_entry_is_sealed_to_exactly_this_content(vector: dict[str, Any]) -> None:
    sealer = sealer_of(vector, random=Script(bytes.fromhex(vector["nonce"])))
    assert sealer.seal(id_of(vector), entry_of(vector)).hex() == vector["content"]


@every_vector
def test_the_entry_has_exactly_this_plaintext(vector: dict[str, Any]) -> None:
    assert entry_of(vector).to_bytes().hex() == vector["plaintext"]
    assert Entry.from_bytes(bytes.fromhex(vector["plaintext"])) == entry_of(vector)


@every_vector
def test_what_was_packed_is_packed_to_exactly_these_bytes(vector: dict[str, Any]) -> None:
    packed = bytes.fromhex(vector["packed"])
    assert pack(CONTENTS[vector["title"]][1]) == packed
    assert unpack(packed) == CONTENTS[vector["title"]][1]


@every_vector
def test_a_session_is_read_from_the_record(vector: dict[str, Any]) -> None:
    """Live: the content. Replaced: for its few seconds, if its successor is there. Ended: nothing."""
    clock = Clock(vector["created_at"] + 100)
    store = MemoryStore(clock=clock)
    record = StoredRecord(bytes.fromhex(vector["content"]), int(clock()), int(clock()) + 1000)
    store.insert(bytes.fromhex(vector["record_key"]), record)
    site = Site(
        SECRET,
        [bytes.fromhex(vector["secret"])],
        clock=clock,
        store=store,
        cookie_name=vector["cookie_name"],
        audience=vector["audience"],
        cookie_secure=True,
    )
    session = site.open(f"{vector['cookie_name']}={vector['token']}")
    state, content = CONTENTS[vector["title"]]
    shown = state == LIVE or vector["title"] == "replaced, for a cookie"
    assert dict(session) == (content if shown else {})
    assert session.new is not shown
    if shown:
        assert session.handle == vector["record_key"]
        assert session.created_at == datetime.fromtimestamp(vector["created_at"], UTC)
    assert [event.reason for event in site.events] == ([] if shown else [Reason.ENDED])


@every_home
def test_a_token_from_elsewhere_has_exactly_this_home(home: dict[str, Any]) -> None:
    sealer = sealer_of(home)
    assert sealer.secret_after(home["cookie_name"], decode(home["token"])).hex() == home["T"]
    assert id_of(home).key.hex() == home["record_key"]


# A reader of its own


def hkdf(secret: bytes, length: int, *purpose: str) -> bytes:
    """RFC 5869 with SHA-256, no salt, and one block of output."""
    info = b"coatcheck v1" + b"".join(len(part.encode()).to_bytes(2, "big") + part.encode() for part in purpose)
    return hmac.digest(hmac.digest(bytes(32), secret, "sha256"), info + b"\x01", "sha256")[:length]


def expand(key: bytes, info: bytes) -> bytes:
    return hmac.digest(key, info + b"\x01", "sha256")


def raw(token: str) -> bytes:
    return urlsafe_b64decode(token + "=" * (-len(token) % 4))


@every_vector
def test_a_reader_of_its_own_opens_the_record(vector: dict[str, Any]) -> None:
    secret, token = bytes.fromhex(vector["secret"]), raw(vector["token"])
    assert len(vector["token"]) == 44 and token[0] == 2
    t = token[1:]
    assert sha256(t).hexdigest() == vector["record_key"]
    content = bytes.fromhex(vector["content"])
    head, nonce, sealed = content[:5], content[5:17], content[17:]
    assert head == b"\x02" + hkdf(secret, 4, "key id")
    assert nonce.hex() == vector["nonce"]
    key = expand(hkdf(secret, 32, "record", vector["audience"], vector["cookie_name"]), t)
    assert key.hex() == vector["key"]
    plaintext = AESGCM(key).decrypt(nonce, sealed, head + sha256(t).digest())
    assert plaintext.hex() == vector["plaintext"]
    assert plaintext[0] == vector["state"]
    assert int.from_bytes(plaintext[1:6], "big") == vector["created_at"]
    assert int.from_bytes(plaintext[6:11], "big") == vector["moved_until"]
    rest = plaintext[11:]
    if vector["state"] == 2:
        assert int.from_bytes(rest[:5], "big") == vector["readable_until"]
        assert rest[5:37].hex() == vector["successor"]
        rest = rest[37:]
    assert rest.rstrip(b"\x00") == bytes.fromhex(vector["packed"]) + b"\x80"
    assert len(plaintext) % 32 == 0


@every_home
def test_a_reader_of_its_own_finds_the_home(home: dict[str, Any]) -> None:
    base = hkdf(bytes.fromhex(home["secret"]), 32, "move", home["audience"], home["cookie_name"])
    assert expand(base, raw(home["token"])).hex() == home["T"]
    assert sha256(bytes.fromhex(home["T"])).hexdigest() == home["record_key"]


# What opens none


@every_vector
def test_each_bit_of_the_content_counts(vector: dict[str, Any]) -> None:
    content = bytes.fromhex(vector["content"])
    sealer, id_ = sealer_of(vector), id_of(vector)
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Rejected):
            sealer.open(id_, bytes(changed), 0)


@every_vector
def test_a_record_opens_under_no_other_key_of_the_store(vector: dict[str, Any]) -> None:
    id_ = id_of(vector)
    moved = id_._replace(key=sha256(b"another").digest())
    with pytest.raises(Rejected, match="forged"):
        sealer_of(vector).open(moved, bytes.fromhex(vector["content"]), 0)


@every_vector
def test_the_secret_key_and_the_record_open_nothing_without_the_token(vector: dict[str, Any]) -> None:
    """Whoever has both still lacks T, and what the store has instead is no substitute."""
    secret, content = bytes.fromhex(vector["secret"]), bytes.fromhex(vector["content"])
    base = hkdf(secret, 32, "record", vector["audience"], vector["cookie_name"])
    record_key = bytes.fromhex(vector["record_key"])
    for guess in (base, expand(base, record_key), expand(base, NOBODY), expand(base, b"")):
        with pytest.raises(InvalidTag):
            AESGCM(guess).decrypt(content[5:17], content[17:], content[:5] + record_key)
