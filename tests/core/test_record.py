"""The plaintext that is sealed: facts at fixed places, the packed content, padding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.core.facts import Facts
from coatcheck.core.record import Record

ID = bytes(range(16))
times = st.integers(0, 2**40 - 1)
longs = st.integers(0, 2**64 - 1)
ids = st.binary(min_size=16, max_size=16)
user_ids = st.none() | st.text(max_size=256) | st.integers() | st.uuids()
facts = st.builds(Facts, longs, ids, longs, longs, longs, user_ids, st.just(b"") | st.binary(min_size=8, max_size=8))
records = st.builds(Record, ids, times, times, st.binary(min_size=1, max_size=300), st.none() | facts)


@given(records)
def test_a_record_comes_back_and_fills_whole_blocks(record: Record) -> None:
    plaintext = record.to_bytes()
    assert len(plaintext) % 32 == 0
    assert Record.from_bytes(plaintext) == record
    assert type(Record.from_bytes(plaintext)) is Record


def test_the_places_are_those_of_format_v1() -> None:
    plaintext = Record(id=ID, created_at=0x0102030405, sealed_at=0x060708090A, packed=b"\x81\xa1a\x01").to_bytes()
    assert plaintext.hex() == (
        "00" + "060708090a" + "0102030405" + "000102030405060708090a0b0c0d0e0f" + "81a16101" + "80"
    )


@pytest.mark.parametrize(("content", "blocks"), [(1, 1), (4, 1), (5, 2), (36, 2), (37, 3), (68, 3), (69, 4)])
def test_content_grows_in_steps_of_32_bytes(content: int, blocks: int) -> None:
    assert len(Record(ID, 0, 0, b"\x90" * content).to_bytes()) == 32 * blocks


@pytest.mark.parametrize("tail", [b"\x00", b"\x80", b"\x80\x00", b"\x00\x80\x00", bytes(40), b"\x80" + bytes(40)])
def test_content_that_looks_like_padding_stays_whole(tail: bytes) -> None:
    record = Record(ID, 1, 2, b"\x01" + tail)
    assert Record.from_bytes(record.to_bytes()) == record


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_with_value_error(plaintext: bytes) -> None:
    try:
        record = Record.from_bytes(plaintext)
    except ValueError:
        return
    assert record.to_bytes() == plaintext


@given(records, st.data())
def test_a_changed_plaintext_is_refused_or_is_another_record_s_own(record: Record, data: st.DataObject) -> None:
    plaintext = bytearray(record.to_bytes())
    plaintext[data.draw(st.integers(0, len(plaintext) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        changed = Record.from_bytes(bytes(plaintext))
    except ValueError:
        return
    assert changed != record
    assert changed.to_bytes() == bytes(plaintext)


WHOLE = Record(ID, 1, 2, b"\x81\xa1a\x01" + bytes(20) + b"\x01").to_bytes()


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        bytes(32),
        bytes(64),
        b"\x80" + bytes(31),
        bytes(26) + b"\x80" + bytes(5),
        bytes(27) + b"\x80" + bytes(4),
        WHOLE[:-1],
        WHOLE[1:],
        WHOLE + b"\x00",
        WHOLE + bytes(32),
        b"\x01" + WHOLE[1:],
        b"\xff" + WHOLE[1:],
        WHOLE.rstrip(b"\x00")[:-1] + b"\x81" + bytes(len(WHOLE) - len(WHOLE.rstrip(b"\x00"))),
        WHOLE[:-1] + b"\x01",
    ],
    ids=lambda plaintext: f"{len(plaintext)} bytes, {plaintext[:1].hex()} to {plaintext[-1:].hex()}",
)
def test_a_plaintext_of_another_form_is_refused(plaintext: bytes) -> None:
    with pytest.raises(ValueError, match="^not a record$"):
        Record.from_bytes(plaintext)


@pytest.mark.parametrize("instant", [0, 2**31, 2**32, 2**40 - 1])
def test_times_are_exact_beyond_2038_and_2106(instant: int) -> None:
    record = Record(ID, instant, instant, b"\x80")
    assert Record.from_bytes(record.to_bytes()) == record


def test_its_repr_names_the_session_and_shows_no_content() -> None:
    record = Record(ID, 1, 2, b"content")
    assert repr(record) == f"<Record {ID.hex()}>"
    assert f"{record}" == str(record) == repr(record)
