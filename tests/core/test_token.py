"""The text in the cookie: one spelling, and one reason for each way in which it can be wrong."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import NOON, OTHER_SECRET, SECRET

from coatcheck import Keyring, Reason
from coatcheck.core.events import Rejected
from coatcheck.core.record import Record
from coatcheck.core.seal import Sealer
from coatcheck.core.text import decode, encode
from coatcheck.core.token import TokenSealer

ALPHABET = ascii_letters + digits + "-_"
RECORD = Record(bytes(range(16)), NOON - 5, NOON, b"\x81\xa1a\x01")


def sealer(
    secret: str = SECRET, audience: str = "", name: str = "session", fallbacks: tuple[object, ...] = ()
) -> TokenSealer:
    return TokenSealer(Keyring(secret, fallbacks), audience, name, os.urandom)  # type: ignore[arg-type]


def refusal(text: str, opener: TokenSealer | None = None, now: float = NOON) -> Reason:
    with pytest.raises(Rejected) as caught:
        (opener or sealer()).open(text, now)
    return caught.value.reason


def sealed_as(plaintext: bytes, head: bytes | None = None) -> str:
    """Gives the token of any plaintext, as whoever has the secret can make it."""
    key = Keyring(SECRET).primary
    head = bytes([1]) + key.id if head is None else head
    return encode(Sealer(key.derive("cookie", "", "session"), head, os.urandom).seal(plaintext, NOON))


# Tokens


@given(
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**40 - 1),
    st.integers(0, 2**40 - 1),
    st.binary(min_size=1, max_size=200),
)
def test_a_record_comes_back_from_its_token(session_id: bytes, created_at: int, sealed_at: int, packed: bytes) -> None:
    record = Record(session_id, created_at, sealed_at, packed)
    one = sealer()
    assert one.open(one.seal(record, NOON), NOON) == (record, True)
    assert sealer().open(one.seal(record, NOON), NOON) == (record, True)


def test_the_head_names_version_and_key() -> None:
    raw = decode(sealer().seal(RECORD, NOON))
    assert raw[:5] == b"\x01" + Keyring(SECRET).primary.id
    assert len(raw) == 5 + 24 + 32 + 16


def test_a_token_holds_no_plaintext() -> None:
    record = RECORD._replace(packed=b"\x81\xa1a\xb0" + b"a phrase in full")
    raw = decode(sealer().seal(record, NOON))
    assert b"phrase" not in raw and record.id not in raw


def test_two_seals_of_one_record_are_two_tokens() -> None:
    one = sealer()
    assert one.seal(RECORD, NOON) != one.seal(RECORD, NOON)


def test_every_changed_bit_is_refused() -> None:
    one = sealer()
    raw = decode(one.seal(RECORD, NOON))
    reasons = []
    for place in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[place // 8] ^= 1 << place % 8
        reasons.append(refusal(encode(bytes(changed)), one))
    assert reasons[:8] == [Reason.UNKNOWN_KIND] * 8
    assert reasons[8:40] == [Reason.UNKNOWN_KEY] * 32
    assert set(reasons[40:]) == {Reason.FORGED}


def test_every_shortened_or_lengthened_token_is_refused() -> None:
    one = sealer()
    raw = decode(one.seal(RECORD, NOON))
    for length in range(1, len(raw)):
        assert refusal(encode(raw[:length]), one) is Reason.MALFORMED
    longer = decode(one.seal(RECORD._replace(packed=bytes(40)), NOON))
    for length in range(len(raw), len(longer)):
        assert refusal(encode(longer[:length]), one) is Reason.FORGED
    for count in range(1, 65):
        assert refusal(encode(raw + bytes(count)), one) is Reason.FORGED


@pytest.mark.parametrize("kind", [0, *range(2, 256)])
def test_a_first_byte_of_no_known_kind_is_told(kind: int) -> None:
    raw = decode(sealer().seal(RECORD, NOON))
    assert refusal(encode(bytes([kind]) + raw[1:])) is Reason.UNKNOWN_KIND


def test_an_unknown_key_is_told() -> None:
    assert refusal(sealer(OTHER_SECRET).seal(RECORD, NOON)) is Reason.UNKNOWN_KEY


def test_the_id_of_another_key_of_the_ring_is_no_way_in() -> None:
    ring = sealer(SECRET, fallbacks=(OTHER_SECRET,))
    raw = decode(ring.seal(RECORD, NOON))
    assert refusal(encode(raw[:1] + Keyring(OTHER_SECRET).primary.id + raw[5:]), ring) is Reason.FORGED


@pytest.mark.parametrize(
    ("sealed_for", "opened_for"),
    [
        (("", "session"), ("", "other")),
        (("", "session"), ("", "Session")),
        (("a", "session"), ("", "session")),
        (("", "session"), ("a", "session")),
        (("a", "session"), ("b", "session")),
        (("a", "b"), ("b", "a")),
        (("as", "ession"), ("a", "session")),
    ],
)
def test_a_token_for_another_audience_or_name_is_refused(
    sealed_for: tuple[str, str], opened_for: tuple[str, str]
) -> None:
    assert refusal(sealer(SECRET, *sealed_for).seal(RECORD, NOON), sealer(SECRET, *opened_for)) is Reason.FORGED


def test_a_fallback_opens_and_says_so_and_the_primary_key_seals() -> None:
    before, after = sealer(OTHER_SECRET), sealer(SECRET, fallbacks=(OTHER_SECRET,))
    assert after.open(before.seal(RECORD, NOON), NOON) == (RECORD, False)
    assert after.open(after.seal(RECORD, NOON), NOON) == (RECORD, True)
    assert sealer(SECRET).open(after.seal(RECORD, NOON), NOON) == (RECORD, True)
    assert refusal(after.seal(RECORD, NOON), before) is Reason.UNKNOWN_KEY


def test_a_fallback_opens_until_its_end_and_no_longer() -> None:
    end = datetime.fromtimestamp(NOON, UTC)
    ring = sealer(SECRET, fallbacks=((OTHER_SECRET, end),))
    text = sealer(OTHER_SECRET).seal(RECORD, NOON)
    assert ring.open(text, NOON - 1) == ring.open(text, NOON) == (RECORD, False)
    assert refusal(text, ring, NOON + 0.5) is Reason.KEY_EXPIRED
    assert ring.open(ring.seal(RECORD, NOON), NOON + 10**6) == (RECORD, True)


def test_what_is_no_record_under_a_good_seal_is_unreadable() -> None:
    for plaintext in (
        bytes(32),
        bytes(64),
        b"\x01" + RECORD.to_bytes()[1:],
        RECORD.to_bytes() + b"\x00",
        os.urandom(48),
    ):
        assert refusal(sealed_as(plaintext)) is Reason.UNREADABLE
    assert sealer().open(sealed_as(RECORD.to_bytes()), NOON) == (RECORD, True)


@pytest.mark.parametrize("plaintext", [b"", b"\x80", bytes(31)])
def test_less_than_a_block_under_a_good_seal_is_malformed(plaintext: bytes) -> None:
    assert refusal(sealed_as(plaintext)) is Reason.MALFORMED


@pytest.mark.parametrize("byte", [0, 255])
def test_a_token_of_equal_bytes_is_refused_at_each_length(byte: int) -> None:
    expected = {Reason.MALFORMED, Reason.UNKNOWN_KIND}
    assert {refusal(encode(bytes([byte]) * length)) for length in range(1, 201)} == expected


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    key_id = Keyring(SECRET).primary.id
    for each in (raw, b"\x01" + raw, b"\x01" + key_id + raw):
        assert refusal(encode(each)) in (Reason.MALFORMED, Reason.UNKNOWN_KIND, Reason.UNKNOWN_KEY, Reason.FORGED)


@given(st.text(max_size=300))
def test_no_text_raises_anything_else(text: str) -> None:
    assert isinstance(refusal(text), Reason)


@pytest.mark.parametrize(
    "text",
    [
        '{"user_id":1}',
        "eyJ1c2VyX2lkIjoxfQ.ZzJ-2g.5c6yC0YyqgYgm3J4fV0wYJ1yK3s",
        ".eJyrViotTi1SslIqKEpMKUktLlGqBQBGpwbk.ZzJ-2g.5c6yC0YyqgYgm3J4fV0wYJ1yK3s",
        "eyJ1c2VyX2lkIjogMX0=.ZzJ+2g==.5c6yC0YyqgYgm3J4fV0wYJ1yK3s=",
        "gAAAAABnMn7aAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-Pw==",
        "eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoxfQ.",
        "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA",
        "v4.local.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "Fe26.2**0cdd607945dd1dffb7da0b0bf5f1a7daa6218cbae14cac51dcbd91fb077aeb5b*aOZLCKLhCt0D5IU1qLTtYw",
        "gASVEQAAAAAAAAB9lIwHdXNlcl9pZJRLAXMu",
        "BAhJIg1zZXNzaW9uBjoGRVQ",
    ],
)
def test_a_token_of_another_format_is_refused(text: str) -> None:
    assert refusal(text) in (Reason.MALFORMED, Reason.UNKNOWN_KIND)


def test_refusing_says_the_reason_and_quotes_nothing() -> None:
    text = sealer(OTHER_SECRET).seal(RECORD, NOON)
    with pytest.raises(Rejected) as caught:
        sealer().open(text, NOON)
    assert str(caught.value) == "unknown_key"
    assert caught.value.args == ("unknown_key",)
