"""The id of a session on the server, and the record that only it and the secret key together can open."""

from __future__ import annotations

import os
import pickle
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st
from kit import NOON, OTHER_SECRET, SECRET, Script

from coatcheck import Keyring, Reason
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
    record_key,
    write_token,
)
from coatcheck.core.record import pad
from coatcheck.core.seal import DERIVED_KEPT
from coatcheck.core.text import encode
from coatcheck.core.token import TokenSealer

NAME = "session"
T = bytes(range(32))
ID = make_id(NAME, T)
PACKED = b"\x81\xa1a\x01"
ENTRY = Entry(LIVE, NOON - 5, 0, PACKED)
ENTRIES = [
    ENTRY,
    Entry(LIVE, NOON, NOON + 100, b"\x80"),
    Entry(ENDED, NOON, 0, b"\x80"),
    Entry(REPLACED, NOON, 0, PACKED, NOON + 10, os.urandom(32)),
    Entry(REPLACED, NOON, NOON + 5, b"\x80", 0, NOBODY),
]
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=repr)
times = st.integers(0, 2**40 - 1)


def sealer(secret: str = SECRET, audience: str = "", fallbacks: tuple[Any, ...] = ()) -> RecordSealer:
    return RecordSealer(Keyring(secret, fallbacks), audience, (NAME, "other"), os.urandom)


def refusal(content: bytes, id_: Id = ID, opener: RecordSealer | None = None, now: float = NOON) -> Reason:
    with pytest.raises(Rejected) as caught:
        (opener or sealer()).open(id_, content, now)
    return caught.value.reason


# Ids


@given(st.binary(min_size=32, max_size=32))
def test_a_secret_comes_back_from_its_token_of_44_characters(secret: bytes) -> None:
    token = write_token(secret)
    assert len(token) == 44
    assert read_token(token) == secret


@pytest.mark.parametrize("length", [length for length in range(80) if length != 32])
def test_a_token_of_another_length_is_no_id(length: int) -> None:
    with pytest.raises(Rejected) as caught:
        read_token(encode(b"\x02" + bytes(length)))
    assert caught.value.reason is Reason.UNKNOWN_KIND


@pytest.mark.parametrize("kind", [0, 1, *range(3, 256)])
def test_a_token_of_another_kind_is_no_id(kind: int) -> None:
    with pytest.raises(Rejected) as caught:
        read_token(encode(bytes([kind]) + T))
    assert caught.value.reason is Reason.UNKNOWN_KIND


@given(st.text(max_size=50))
def test_a_text_that_is_taken_is_the_one_token_of_its_secret(text: str) -> None:
    try:
        secret = read_token(text)
    except Rejected:
        return
    assert write_token(secret) == text


@given(st.binary(max_size=64))
def test_the_key_of_a_record_is_the_hash_of_the_secret(secret: bytes) -> None:
    assert record_key(secret) == sha256(secret).digest()
    assert make_id(NAME, secret) == (NAME, secret, sha256(secret).digest())


def test_what_is_shown_of_an_id_is_its_handle() -> None:
    assert repr(ID) == f"<Id {ID.key.hex()}>"
    assert T.hex() not in f"{ID}" and write_token(T) not in f"{ID}"


# Entries


@given(st.sampled_from([LIVE, ENDED]), times, times, st.binary(min_size=1, max_size=100))
def test_an_entry_comes_back_from_its_bytes(state: int, created_at: int, moved_until: int, packed: bytes) -> None:
    entry = Entry(state, created_at, moved_until, packed)
    assert Entry.from_bytes(entry.to_bytes()) == entry


@given(times, times, st.binary(min_size=1, max_size=100), times, st.binary(min_size=32, max_size=32))
def test_a_replaced_entry_names_its_successor_and_until_when_it_is_read(
    created_at: int, moved_until: int, packed: bytes, readable_until: int, successor: bytes
) -> None:
    entry = Entry(REPLACED, created_at, moved_until, packed, readable_until, successor)
    assert Entry.from_bytes(entry.to_bytes()) == entry


@each_entry
def test_the_length_of_an_entry_comes_in_steps(entry: Entry) -> None:
    lengths = {len(entry._replace(packed=bytes(size + 1)).to_bytes()) for size in range(64)}
    assert len(lengths) <= 3 and not [length for length in lengths if length % 32]


@given(st.binary(max_size=200))
def test_other_bytes_are_no_entry(plaintext: bytes) -> None:
    try:
        entry = Entry.from_bytes(plaintext)
    except ValueError:
        return
    assert entry.to_bytes() == plaintext


@pytest.mark.parametrize("state", [state for state in range(256) if state & ~0x10 not in (LIVE, REPLACED, ENDED)])
def test_a_state_that_this_version_does_not_know_is_refused(state: int) -> None:
    for body in (bytes([state]) + bytes(10) + PACKED, bytes([state]) + bytes(80)):
        with pytest.raises(ValueError, match="^not an entry$"):
            Entry.from_bytes(pad(body))


@pytest.mark.parametrize("length", range(11, 49))
def test_a_replaced_entry_without_its_facts_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="^not a"):
        Entry.from_bytes(pad(bytes([REPLACED]) + bytes(length - 1)))


# Records


@each_entry
def test_an_entry_comes_back_from_its_record(entry: Entry) -> None:
    opened, current, _ = sealer().open(ID, sealer().seal(ID, entry), NOON)
    assert (opened, current) == (entry, True)


@each_entry
def test_a_record_opens_by_its_description_alone(entry: Entry) -> None:
    """HKDF and AES-256-GCM of the library below, put together from what the documentation says."""
    content = sealer().seal(ID, entry)
    key = Keyring(SECRET).primary
    assert content[:5] == b"\x02" + key.id
    secret_key = HKDFExpand(SHA256(), 32, T).derive(key.derive("record", "", NAME))
    plaintext = AESGCM(secret_key).decrypt(content[5:17], content[17:], content[:5] + sha256(T).digest())
    assert Entry.from_bytes(plaintext) == entry


def test_a_record_holds_neither_content_nor_secret_nor_successor() -> None:
    entry = Entry(REPLACED, NOON, 0, b"\x81\xa1a\xb0" + b"a phrase in full", NOON, os.urandom(32))
    content = sealer().seal(ID, entry)
    assert b"phrase" not in content
    assert T not in content and ID.key not in content and entry.successor not in content


def test_two_records_of_one_session_have_nothing_in_common() -> None:
    contents = {sealer().seal(ID, ENTRY)[5:] for _ in range(100)}
    assert len({content[at : at + 8] for content in contents for at in range(len(content) - 8)}) == sum(
        len(content) - 8 for content in contents
    )


def test_every_changed_bit_is_refused() -> None:
    content = sealer().seal(ID, ENTRY)
    seen: set[Reason] = set()
    for bit in range(len(content) * 8):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        seen.add(refusal(bytes(changed)))
    assert seen == {Reason.MALFORMED, Reason.UNKNOWN_KEY, Reason.FORGED}


def test_every_shortened_or_lengthened_record_is_refused() -> None:
    content = sealer().seal(ID, ENTRY)
    least = 5 + 12 + 32 + 16
    assert len(content) == least
    assert {refusal(content[:length]) for length in range(least)} == {Reason.MALFORMED}
    assert {refusal(content + bytes(length)) for length in range(1, 65)} == {Reason.FORGED}


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    head = b"\x02" + Keyring(SECRET).primary.id
    assert refusal(content) in (Reason.MALFORMED, Reason.UNKNOWN_KEY)
    assert refusal(head + content) in (Reason.MALFORMED, Reason.FORGED)


def test_a_record_opens_for_no_other_key_secret_name_audience_or_ring() -> None:
    content = sealer().seal(ID, ENTRY)
    moved = Id(NAME, T, record_key(b"another"))
    assert refusal(content, moved) is Reason.FORGED
    assert refusal(content, Id(NAME, bytes(32), ID.key)) is Reason.FORGED
    assert refusal(content, make_id(NAME, bytes(32))) is Reason.FORGED
    assert refusal(content, make_id("other", T)) is Reason.FORGED
    assert refusal(content, opener=sealer(audience="shop")) is Reason.FORGED
    assert refusal(content, opener=sealer(OTHER_SECRET)) is Reason.UNKNOWN_KEY
    forged = b"\x02" + Keyring(OTHER_SECRET).primary.id + content[5:]
    assert refusal(forged, opener=sealer(OTHER_SECRET, fallbacks=(SECRET,))) is Reason.FORGED


def test_a_name_that_is_none_of_ours_has_no_key() -> None:
    assert refusal(sealer().seal(ID, ENTRY), make_id("third", T)) is Reason.UNKNOWN_KEY


def test_a_fallback_opens_and_says_so_and_the_primary_key_seals() -> None:
    rotated = sealer(OTHER_SECRET, fallbacks=(SECRET,))
    entry, current, _ = rotated.open(ID, sealer().seal(ID, ENTRY), NOON)
    assert (entry, current) == (ENTRY, False)
    anew = rotated.seal(ID, entry)
    assert sealer(OTHER_SECRET).open(ID, anew, NOON)[:2] == (ENTRY, True)
    assert refusal(anew) is Reason.UNKNOWN_KEY


def test_a_fallback_opens_until_its_end_and_no_longer() -> None:
    rotated = sealer(OTHER_SECRET, fallbacks=((SECRET, datetime.fromtimestamp(NOON, UTC)),))
    content = sealer().seal(ID, ENTRY)
    assert rotated.open(ID, content, NOON)[0] == ENTRY
    assert refusal(content, opener=rotated, now=NOON + 1) is Reason.KEY_EXPIRED
    assert rotated.open(ID, rotated.seal(ID, ENTRY), NOON + 1)[1]


@pytest.mark.parametrize("plaintext", [bytes(32), bytes([LIVE]) + bytes(31), pad(b"\x04" + bytes(20)), b"\x80" * 33])
def test_what_is_no_entry_under_a_good_seal_is_unreadable(plaintext: bytes) -> None:
    key = Keyring(SECRET).primary
    head, nonce = b"\x02" + key.id, bytes(12)
    aead = AESGCM(HKDFExpand(SHA256(), 32, T).derive(key.derive("record", "", NAME)))
    content = head + nonce + aead.encrypt(nonce, plaintext, head + ID.key)
    assert refusal(content) is Reason.UNREADABLE


def test_a_token_is_no_record_and_a_record_no_token() -> None:
    content = sealer().seal(ID, ENTRY)
    tokens = TokenSealer(Keyring(SECRET), "", NAME, os.urandom)
    with pytest.raises(Rejected) as caught:
        tokens.open(encode(content + bytes(12)), NOON)
    assert caught.value.reason is Reason.UNKNOWN_KIND


# What is drawn and what is kept


def test_a_seal_draws_twelve_bytes_and_no_more() -> None:
    one = RecordSealer(Keyring(SECRET), "", (NAME,), Script(b"N" * 12))
    assert one.seal(ID, ENTRY)[5:17] == b"N" * 12


def test_what_opened_a_record_seals_the_next_one() -> None:
    one = sealer()
    _, _, aead = one.open(ID, one.seal(ID, ENTRY), NOON)
    assert sealer().open(ID, one.seal(ID, ENTRIES[1], aead), NOON)[0] == ENTRIES[1]


def derived(one: RecordSealer) -> int:
    return len(one._derived)  # noqa: SLF001  # what is kept shows nowhere else


def test_derived_keys_are_kept_in_bounds_and_only_of_what_was_opened() -> None:
    one = sealer()
    for number in range(2 * DERIVED_KEPT + 3):
        id_ = make_id(NAME, number.to_bytes(32, "big"))
        content = one.seal(id_, ENTRY)
        before = derived(one)
        refusal(content[:-1] + bytes([content[-1] ^ 1]), id_, one)
        assert derived(one) == before
        for _ in range(2):
            assert one.open(id_, content, NOON)[0] == ENTRY
            assert derived(one) == number % DERIVED_KEPT + 1


def test_a_sealer_is_not_pickled_and_shows_no_key() -> None:
    with pytest.raises(TypeError, match="is not pickled"):
        pickle.dumps(sealer())
    assert "RecordSealer object" in repr(sealer())


# Homes


def test_the_home_of_a_token_is_the_same_each_time_and_for_each_token_its_own() -> None:
    tokens = [b"\x01" + Keyring(SECRET).primary.id + os.urandom(80), b"\x02" + os.urandom(32), b"\x02" + T]
    homes = [sealer().secret_after(name, token) for name in (NAME, "other") for token in tokens]
    assert [sealer().secret_after(name, token) for name in (NAME, "other") for token in tokens] == homes
    assert len({*homes, *(sealer(audience="shop").secret_after(NAME, token) for token in tokens)}) == 9
    assert {len(home) for home in homes} == {32}


def test_the_home_of_a_sealed_token_follows_from_the_key_that_sealed_it() -> None:
    token = b"\x01" + Keyring(SECRET).primary.id + bytes(80)
    rotated = sealer(OTHER_SECRET, fallbacks=(SECRET,))
    assert rotated.secret_after(NAME, token) == sealer().secret_after(NAME, token)


def test_nobody_finds_a_home_without_the_secret_key() -> None:
    token = b"\x02" + T
    homes = {sealer(secret).secret_after(NAME, token) for secret in (SECRET, OTHER_SECRET)}
    assert len(homes) == 2
    assert not homes & {T, record_key(T), sha256(token).digest()}
