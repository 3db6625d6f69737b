"""E: the sealed bytes, changed in every way.

Absent on purpose:
    E13, the half where a store is configured: this version has none.
    E12's commitment: XAES-256-GCM has none; the nonce takes its part.
    E16 for spawn and greenlets: a spawned process inherits nothing, and greenlets share a thread's calls.
"""

from __future__ import annotations

import json
import marshal
import multiprocessing
import os
import pickle
import random
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from attacks.harness import (
    CIPHERTEXT_AT,
    CONTENT,
    EARLIER_SECRET,
    FOREIGN_SECRET,
    HEAD_BYTES,
    ID,
    NOW,
    SECRET,
    TAG_BYTES,
    Desk,
    Site,
)
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer

from coatcheck import Keyring, Reason
from coatcheck.core.codec import pack
from coatcheck.core.record import Record
from coatcheck.core.seal import derive_aead
from coatcheck.core.text import decode, encode
from coatcheck.core.token import TokenSealer

Check = Callable[..., None]


@pytest.fixture
def token(desk: Desk) -> str:
    return desk.seal()


@pytest.fixture
def raw(token: str) -> bytes:
    return decode(token)


def flipped(raw: bytes, bit: int) -> bytes:
    return (int.from_bytes(raw, "big") ^ 1 << bit).to_bytes(len(raw), "big")


def parts(raw: bytes) -> dict[str, bytes]:
    """The fields of a token, in their order."""
    return {
        "head": raw[:HEAD_BYTES],
        "prefix": raw[HEAD_BYTES : HEAD_BYTES + 12],
        "fresh": raw[HEAD_BYTES + 12 : CIPHERTEXT_AT],
        "ciphertext": raw[CIPHERTEXT_AT:-TAG_BYTES],
        "tag": raw[-TAG_BYTES:],
    }


def test_the_token_that_is_attacked_opens(desk: Desk, token: str, raw: bytes) -> None:
    loaded = desk.load(f"session={token}")
    assert (loaded.content, desk.events) == (CONTENT, [])
    assert b"".join(parts(raw).values()) == raw


def test_e1_every_flipped_bit_gives_an_empty_session(desk: Desk, raw: bytes) -> None:
    for byte in range(len(raw)):
        reason = Reason.UNKNOWN_KIND if byte == 0 else Reason.UNKNOWN_KEY if byte < HEAD_BYTES else Reason.FORGED
        bits = range(8 * (len(raw) - byte - 1), 8 * (len(raw) - byte))
        assert desk.refusals(flipped(raw, bit) for bit in bits) == {reason}, byte


def test_e1_every_flipped_bit_of_the_text_gives_an_empty_session(desk: Desk, token: str) -> None:
    for at, character in enumerate(token):
        for bit in range(8):
            changed = token[:at] + chr(ord(character) ^ 1 << bit) + token[at + 1 :]
            loaded = desk.load(f"session={changed}")
            assert (loaded.record, loaded.content) == (None, {})
            assert len(desk.events) == 1


def test_e1_several_flipped_bits_give_an_empty_session(desk: Desk, raw: bytes) -> None:
    dice = random.Random(1)
    for _ in range(2000):
        changed = raw
        for bit in dice.sample(range(8 * len(raw)), dice.randint(2, 16)):
            changed = flipped(changed, bit)
        assert desk.refusal(encode(changed))


def test_e1_a_flipped_bit_in_a_whole_application(site: Site, raw: bytes, gives_an_empty_session: Check) -> None:
    for bit in range(0, 8 * (len(raw) - HEAD_BYTES), 61):
        gives_an_empty_session(site, f"session={encode(flipped(raw, bit))}", Reason.FORGED)


def test_e2_every_truncation_gives_an_empty_session(desk: Desk, token: str, raw: bytes) -> None:
    assert desk.refusals(raw[:end] for end in range(len(raw))) == {Reason.MALFORMED, Reason.FORGED}
    assert desk.refusals(raw[start:] for start in range(1, len(raw))) <= {
        Reason.MALFORMED,
        Reason.UNKNOWN_KIND,
        Reason.UNKNOWN_KEY,
    }
    for end in range(len(token)):
        assert desk.refusal(token[:end])
        assert desk.refusal(token[end + 1 :])


def test_e2_a_shortened_tag_gives_an_empty_session(desk: Desk, raw: bytes) -> None:
    assert desk.refusals(raw[:-cut] for cut in range(1, TAG_BYTES + 1)) == {Reason.FORGED}


def test_e2_a_truncation_in_a_whole_application(site: Site, token: str, gives_an_empty_session: Check) -> None:
    for end in (0, 1, 4, 20, 100):
        gives_an_empty_session(site, f"session={token[:end]}", Reason.MALFORMED)


def test_e3_appended_bytes_give_an_empty_session(desk: Desk, raw: bytes) -> None:
    for count in range(1, 65):
        assert desk.refusals([raw + bytes(count), raw + os.urandom(count), raw + raw[:count]]) == {Reason.FORGED}


def test_e3_prepended_bytes_give_an_empty_session(desk: Desk, raw: bytes) -> None:
    for count in range(1, 65):
        assert desk.refusals([bytes(count) + raw]) == {Reason.UNKNOWN_KIND}
        assert desk.refusals([raw[:HEAD_BYTES] + bytes(count) + raw[HEAD_BYTES:]]) == {Reason.FORGED}
        assert desk.refusals([b"\x01" * count + raw]) == {Reason.UNKNOWN_KEY}


def test_e4_every_deleted_or_doubled_byte_gives_an_empty_session(desk: Desk, token: str, raw: bytes) -> None:
    for at in range(len(raw)):
        assert None not in desk.refusals([raw[:at] + raw[at + 1 :], raw[: at + 1] + raw[at:]])
    for at in range(len(token)):
        assert desk.refusal(token[:at] + token[at + 1 :])
        assert desk.refusal(token[: at + 1] + token[at:])


def test_e4_two_neighbours_that_change_places_give_an_empty_session(desk: Desk, raw: bytes) -> None:
    for at in range(len(raw) - 1):
        swapped = raw[:at] + raw[at + 1 : at + 2] + raw[at : at + 1] + raw[at + 2 :]
        assert swapped == raw or desk.refusal(encode(swapped))


@pytest.mark.parametrize(
    "fields", [{"prefix"}, {"fresh"}, {"prefix", "fresh"}, {"ciphertext"}, {"tag"}, {"fresh", "tag"}]
)
def test_e5_parts_of_two_valid_tokens_make_no_third(desk: Desk, raw: bytes, fields: set[str]) -> None:
    others = [
        desk.seal(),
        desk.seal(CONTENT | {"user_id": 99999}),
        desk.seal(session_id=bytes(16)),
    ]
    for other in map(decode, others):
        mine, theirs = parts(raw), parts(other)
        assert len(raw) == len(other)
        mixed = b"".join(theirs[field] if field in fields else mine[field] for field in mine)
        assert desk.refusals([mixed]) == {Reason.FORGED}


def test_e5_ciphertexts_spliced_at_every_byte_make_no_third(desk: Desk, raw: bytes) -> None:
    other = decode(desk.seal())
    spliced = {raw[:at] + other[at:] for at in range(HEAD_BYTES + 1, len(raw))}
    # Where both begin or end with the same byte by chance, it is one of the two.
    assert desk.refusals(spliced - {raw, other}) == {Reason.FORGED}


def test_e6_every_other_version_byte_gives_an_empty_session(desk: Desk, raw: bytes) -> None:
    versions = set(range(256)) - {0x01}
    assert desk.refusals(bytes([version]) + raw[1:] for version in versions) == {Reason.UNKNOWN_KIND}


def test_e7_the_id_of_another_key_of_the_ring_gives_an_empty_session(raw: bytes) -> None:
    ring = Keyring(SECRET, [EARLIER_SECRET])
    desk = Desk(ring)
    for other in set(ring.keys) - {ring.primary.id}:
        assert desk.refusals([raw[:1] + other + raw[HEAD_BYTES:]]) == {Reason.FORGED}
    assert desk.refusals([raw]) == {None}


def test_e8_a_time_moved_by_a_second_either_way_gives_an_empty_session(desk: Desk, raw: bytes) -> None:
    """GCM encrypts by exclusive or: who knows the plaintext can put another in its place, but not fit the tag."""
    for first, last in ((1, 6), (6, 11)):
        for delta in (-1, +1):
            pattern = (NOW ^ (NOW + delta)).to_bytes(last - first, "big")
            start = CIPHERTEXT_AT + first
            moved = bytes(old ^ change for old, change in zip(raw[start:], pattern, strict=False))
            assert desk.refusals([raw[:start] + moved + raw[start + len(moved) :]]) == {Reason.FORGED}


def test_e9_an_empty_ciphertext_with_another_tag_gives_an_empty_session(desk: Desk, raw: bytes) -> None:
    other = parts(decode(desk.seal()))["tag"]
    start = raw[:CIPHERTEXT_AT]
    assert desk.refusals([start + other, start + parts(raw)["tag"], start]) == {Reason.MALFORMED}
    assert desk.refusals([start + bytes(32) + other]) == {Reason.FORGED}


def test_e9_a_genuine_seal_of_nothing_gives_an_empty_session(desk: Desk) -> None:
    assert desk.refusal(desk.seal_plaintext(b"")) is Reason.MALFORMED


def test_e10_only_zeros_or_only_ones_of_every_length_give_an_empty_session(desk: Desk) -> None:
    for length in range(201):
        assert desk.refusals([bytes(length), b"\xff" * length]) <= {Reason.MALFORMED, Reason.UNKNOWN_KIND}
        assert desk.refusal("A" * length) in (Reason.MALFORMED, Reason.UNKNOWN_KIND)
        assert desk.refusal("_" * length) in (Reason.MALFORMED, Reason.UNKNOWN_KIND)


def test_e10_zeros_under_a_genuine_head_give_an_empty_session(desk: Desk, raw: bytes) -> None:
    for length in range(201):
        for filling in (b"\x00", b"\xff"):
            assert desk.refusal(encode(raw[:HEAD_BYTES] + filling * length)) in (Reason.MALFORMED, Reason.FORGED)


@pytest.mark.parametrize("tag", [bytes(TAG_BYTES), b"\xff" * TAG_BYTES])
def test_e11_a_blank_tag_gives_an_empty_session(
    site: Site, desk: Desk, raw: bytes, tag: bytes, gives_an_empty_session: Check
) -> None:
    for forged in (raw[:-TAG_BYTES] + tag, raw[:HEAD_BYTES] + bytes(24) + raw[CIPHERTEXT_AT:-TAG_BYTES] + tag):
        assert desk.refusals([forged]) == {Reason.FORGED}
        gives_an_empty_session(site, f"session={encode(forged)}", Reason.FORGED)


def test_e12_a_wrong_tag_and_a_wrong_nonce_get_the_same_response(site: Site, raw: bytes) -> None:
    wrong_tag = encode(raw[:-TAG_BYTES] + os.urandom(TAG_BYTES))
    wrong_nonce = encode(raw[:HEAD_BYTES] + os.urandom(24) + raw[CIPHERTEXT_AT:])
    answers = {site.get("/look", f"session={value}") for value in (wrong_tag, wrong_nonce, "x")}
    assert answers == {site.get("/look")}


def test_e13_a_token_of_the_other_kind_gives_an_empty_session(
    site: Site, raw: bytes, gives_an_empty_session: Check
) -> None:
    """0x02 begins the token of a session that is kept in a store."""
    for body in (raw[1:], os.urandom(32), raw[1:33]):
        reason = Reason.UNKNOWN_KIND if len(body) >= 76 else Reason.MALFORMED
        gives_an_empty_session(site, f"session={encode(bytes([0x02]) + body)}", reason)


def foreign_tokens() -> Iterator[tuple[str, str]]:
    """Sessions as others write them, for the same secret where they have one."""

    def url(data: bytes) -> str:
        return urlsafe_b64encode(data).decode().rstrip("=")

    claims = {"user": "mallory"}
    text = json.dumps(claims).encode()
    yield "plain JSON", text.decode()
    yield "JSON in base64url", url(text)
    yield "MessagePack in base64url", url(pack(claims))
    yield "itsdangerous", str(URLSafeTimedSerializer(SECRET, salt="cookie-session").dumps(claims))
    key = urlsafe_b64encode(bytes.fromhex(SECRET))
    yield "Fernet", Fernet(key).encrypt(text).decode()
    yield "JWT with alg none", url(b'{"alg":"none","typ":"JWT"}') + "." + url(text) + "."
    yield "PASETO", "v4.local." + url(os.urandom(32) + text + os.urandom(32))
    yield (
        "Iron",
        "Fe26.2**" + os.urandom(32).hex() + "*" + url(os.urandom(16)) + "*" + url(text) + "**" + url(os.urandom(32)),
    )
    yield "pickle in base64url", url(pickle.dumps(claims))
    yield "pickle in base64", b64encode(pickle.dumps(claims)).decode()
    yield "Python's marshal", url(marshal.dumps(claims))
    yield "Ruby's Marshal", url(b'\x04\x08{\x06I"\x09user\x06:\x06EFI"\x0cmallory\x06;\x00T')
    yield "PHP's serialize", url(b'a:1:{s:4:"user";s:7:"mallory";}')


FOREIGN_TOKENS = dict(foreign_tokens())


@pytest.mark.parametrize("maker", FOREIGN_TOKENS)
def test_e14_a_session_of_another_format_gives_an_empty_session(
    site: Site, maker: str, gives_an_empty_session: Check
) -> None:
    value = FOREIGN_TOKENS[maker]
    site.get("/read", f"session={value}")
    (reason,) = site.reasons
    assert reason in (Reason.MALFORMED, Reason.UNKNOWN_KIND)
    gives_an_empty_session(site, f"session={value}", reason)


def test_e14_the_session_of_a_plain_flask_application_gives_an_empty_session(
    site: Site, gives_an_empty_session: Check
) -> None:
    site.app.secret_key = SECRET
    serializer = SecureCookieSessionInterface().get_signing_serializer(site.app)
    assert serializer is not None
    gives_an_empty_session(site, f"session={serializer.dumps({'user': 'mallory'})}", Reason.MALFORMED)


def test_e14_an_open_payload_behind_a_genuine_head_gives_an_empty_session(desk: Desk, raw: bytes) -> None:
    """A decoder to fall back on would find its format here."""
    plain = Record(ID, NOW, NOW, pack({"user": "mallory"})).to_bytes()
    bodies = [
        plain,
        pack({"user": "mallory"}),
        json.dumps({"user": "mallory"}).encode(),
        pickle.dumps({"user": "mallory"}),
    ]
    for body in bodies:
        padded = body.ljust(96, b"\x00")
        assert desk.refusals([raw[:HEAD_BYTES] + padded, raw[:CIPHERTEXT_AT] + padded]) == {Reason.FORGED}


def test_e14_plain_aes_gcm_under_the_right_key_gives_an_empty_session(desk: Desk) -> None:
    """The key for the purpose seals nothing by itself; only what XAES derives from it does."""
    key = desk.keyring.primary
    head = b"\x01" + key.id
    plain = Record(ID, NOW, NOW, pack(CONTENT)).to_bytes()
    purpose = key.derive("cookie", "", "session")
    nonce = os.urandom(24)

    direct = AESGCM(purpose).encrypt(nonce[12:], plain, head)
    assert desk.refusals([head + nonce + direct]) == {Reason.FORGED}
    without_head = derive_aead(purpose, nonce[:12]).encrypt(nonce[12:], plain, None)
    assert desk.refusals([head + nonce + without_head]) == {Reason.FORGED}
    proper = derive_aead(purpose, nonce[:12]).encrypt(nonce[12:], plain, head)
    assert desk.refusals([head + nonce + proper]) == {None}


def test_e14_keys_for_another_kind_name_audience_or_secret_give_an_empty_session(desk: Desk) -> None:
    head = b"\x01" + desk.keyring.primary.id
    plain = Record(ID, NOW, NOW, pack(CONTENT)).to_bytes()
    purposes = [
        ("cookie", "", "other"),
        ("cookie", "other", "session"),
        ("record", "", "session"),
        ("", "cookie", "session"),
    ]
    # The same text with its parts divided otherwise.
    purposes += [("cookie", "s", "ession"), ("cookiesession", "", ""), ("cookie", "session", "")]
    keys = [desk.keyring.primary.derive(*purpose) for purpose in purposes]
    keys += [Keyring(FOREIGN_SECRET).primary.derive("cookie", "", "session"), bytes.fromhex(SECRET), bytes(32)]
    for key in keys:
        nonce = os.urandom(24)
        sealed = derive_aead(key, nonce[:12]).encrypt(nonce[12:], plain, head)
        assert desk.refusals([head + nonce + sealed]) == {Reason.FORGED}


def _send_nonces(sealer: TokenSealer, count: int, pipe: Connection) -> None:
    found: list[list[bytes]] = [[], []]

    def seal(into: list[bytes]) -> None:
        record = Record(ID, NOW, NOW, b"\x80")
        into += [decode(sealer.seal(record, NOW))[HEAD_BYTES:CIPHERTEXT_AT] for _ in range(count // 2)]

    threads = [Thread(target=seal, args=(into,)) for into in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.send_bytes(b"".join(found[0] + found[1]))
    pipe.close()


# A thread of an earlier test may just end, and newer Pythons warn of a fork beside any.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_e16_nonces_never_repeat_across_forked_processes_and_threads() -> None:
    """The sealer has sealed before the fork, so that all inherit the same prefix and key."""
    each, workers = 50_000, 4
    sealer = TokenSealer(Keyring(SECRET), "", "session", os.urandom)
    first = decode(sealer.seal(Record(ID, NOW, NOW, b"\x80"), NOW))[HEAD_BYTES:CIPHERTEXT_AT]
    fork = multiprocessing.get_context("fork")
    children = []
    for _ in range(workers):
        mine, theirs = fork.Pipe(duplex=False)
        child = fork.Process(target=_send_nonces, args=(sealer, each, theirs))
        child.start()
        theirs.close()
        children.append((child, mine))
    nonces = {first}
    for child, pipe in children:
        sent = pipe.recv_bytes()
        child.join()
        nonces |= {sent[at : at + 24] for at in range(0, len(sent), 24)}
    assert len(nonces) == 1 + workers * each
    assert {nonce[:12] for nonce in nonces} == {first[:12]}


VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "format_v1.json").read_text())["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["title"])
def test_e17_a_frozen_token_of_format_v1_opens_to_its_frozen_payload(vector: dict[str, Any]) -> None:
    ring = Keyring(bytes.fromhex(vector["secret"]), allow_weak=True)
    desk = Desk(ring, audience=vector["audience"], cookie_name=vector["cookie_name"], cookie_secure=True)
    record = desk.load(f"{desk.name}={vector['token']}", vector["sealed_at"]).record
    assert desk.events == []
    assert record == Record(
        bytes.fromhex(vector["id"]), vector["created_at"], vector["sealed_at"], bytes.fromhex(vector["packed"])
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["title"])
def test_e17_a_frozen_token_with_one_bit_changed_opens_to_nothing(vector: dict[str, Any]) -> None:
    ring = Keyring(bytes.fromhex(vector["secret"]), allow_weak=True)
    desk = Desk(ring, audience=vector["audience"], cookie_name=vector["cookie_name"], cookie_secure=True)
    raw = decode(vector["token"])
    for bit in range(0, 8 * len(raw), 7):
        assert desk.refusal(encode(flipped(raw, bit)), vector["sealed_at"])
