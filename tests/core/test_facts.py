"""What is sealed beside the content: it comes back as it was, and nothing else is taken for it."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck import UsageError
from coatcheck.core.facts import Facts, UserId, check_user_id

FAMILY = bytes(range(16))
clients = st.just(b"") | st.binary(min_size=8, max_size=8)
longs = st.integers(0, 2**64 - 1)
user_ids: st.SearchStrategy[UserId] = st.text(min_size=1, max_size=256) | st.integers() | st.uuids()
facts = st.builds(Facts, longs, st.binary(min_size=16, max_size=16), longs, longs, longs, st.none() | user_ids, clients)
UNICODE_ID = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


class Role(IntEnum):
    ADMIN = 7


class Name(StrEnum):
    ADA = "ada"


class Shown(str):
    """As an enumeration of texts before Python 3.11: it shows itself as something else."""

    __slots__ = ()

    def __str__(self) -> str:
        return "Name.ADA"


@given(facts)
def test_facts_come_back_with_the_type_of_their_user_id(known: Facts) -> None:
    again = Facts.from_bytes(known.to_bytes())
    assert again == known
    assert type(again) is Facts
    assert type(again.user_id) is type(known.user_id)


@given(st.binary(max_size=120))
def test_other_bytes_are_refused_or_are_facts_in_their_one_spelling(packed: bytes) -> None:
    try:
        known = Facts.from_bytes(packed)
    except ValueError:
        return
    assert known.to_bytes() == packed


@given(facts, st.data())
def test_a_changed_byte_is_refused_or_makes_other_facts(known: Facts, data: st.DataObject) -> None:
    packed = bytearray(known.to_bytes())
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        changed = Facts.from_bytes(bytes(packed))
    except ValueError:
        return
    assert (changed, type(changed.user_id)) != (known, type(known.user_id))
    assert changed.to_bytes() == bytes(packed)


HEAD = Facts(1, FAMILY, 2, 3, 4).to_bytes()


def test_the_places_are_those_of_the_documentation() -> None:
    assert HEAD.hex() == f"{1:016x}" + FAMILY.hex() + f"{2:016x}{3:016x}{4:016x}"
    known = Facts(1, FAMILY, 2, 3, 4)
    assert known._replace(user_id="ada").to_bytes() == HEAD + b"sada"
    assert known._replace(user_id=-7).to_bytes() == HEAD + b"i-7"
    assert known._replace(user_id=UNICODE_ID).to_bytes() == HEAD + b"u" + UNICODE_ID.bytes
    assert known._replace(user_id="ada", client=b"12345678").to_bytes() == HEAD + b"b12345678sada"


@pytest.mark.parametrize("length", range(len(HEAD)))
def test_fewer_bytes_are_no_facts(length: int) -> None:
    with pytest.raises(ValueError, match="^no facts$"):
        Facts.from_bytes(HEAD[:length])


@pytest.mark.parametrize(
    "user_id",
    [
        *(b"i", b"i ", b"i 7", b"i7 ", b"i+7", b"i07", b"i-0", b"i7_0", b"i7.0", b"iada", b"i\xd9\xa7"),
        *(b"s\xff", b"s\xed\xa0\x80", b"u", b"u" + bytes(15), b"u" + bytes(17)),
        *(b"\x00", b"x7", b"S7", b"7", b"i" + b"9" * 5000),
    ],
    ids=repr,
)
def test_a_user_id_in_another_spelling_is_refused(user_id: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of `int`, of `UUID`, of the decoder, or our own
        Facts.from_bytes(HEAD + user_id)


@pytest.mark.parametrize("length", range(8))
def test_a_client_of_fewer_bytes_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="no client"):
        Facts.from_bytes(HEAD + b"b" + b"1" * length)


def test_its_repr_says_nothing_of_the_user() -> None:
    known = Facts(1, FAMILY, 2, 3, 4, "ada lovelace")
    assert repr(known) == f"<Facts {FAMILY.hex()}>" == str(known)


# What an application gives


@given(user_ids)
def test_every_text_number_and_uuid_is_a_user_id_as_it_is(user_id: UserId) -> None:
    if len(str(user_id)) <= 256:
        assert check_user_id(user_id) == user_id
        assert type(check_user_id(user_id)) is type(user_id)


@pytest.mark.parametrize(
    ("given_id", "kept"),
    [(Role.ADMIN, 7), (Name.ADA, "ada"), (Shown("ada"), "ada"), (0, 0), (-1, -1), ("\u59d3", "\u59d3")],
)
def test_of_a_subclass_the_plain_value_is_kept(given_id: Any, kept: UserId) -> None:
    plain = check_user_id(given_id)
    assert plain == kept
    assert type(plain) in (str, int)
    assert Facts.from_bytes(Facts(0, FAMILY, user_id=plain).to_bytes()).user_id == kept


def test_of_a_uuid_of_another_class_the_plain_one_is_kept() -> None:
    class DatabaseId(UUID):
        pass

    plain = check_user_id(DatabaseId(str(UNICODE_ID)))
    assert type(plain) is UUID
    assert plain == UNICODE_ID


@pytest.mark.parametrize("user_id", ["a" * 256, 10**255, -(10**254)])
def test_a_user_id_has_up_to_256_characters(user_id: UserId) -> None:
    assert check_user_id(user_id) == user_id


@pytest.mark.parametrize("user_id", ["", Shown(""), "a" * 257, 10**256, -(10**255), "\u00e9" * 257])
def test_a_user_id_of_another_length_is_refused(user_id: UserId) -> None:
    with pytest.raises(UsageError, match="^a user id has 1 to 256 characters$"):
        check_user_id(user_id)


@pytest.mark.parametrize("user_id", ["\ud800", "ada\udfff"])
def test_a_lone_surrogate_is_refused(user_id: str) -> None:
    with pytest.raises(UsageError, match="lone surrogate"):
        check_user_id(user_id)


@pytest.mark.parametrize("user_id", [None, True, False, 7.0, b"ada", ["ada"], ("ada",), {}, object()], ids=repr)
def test_what_is_no_user_id_is_refused_by_its_type(user_id: object) -> None:
    with pytest.raises(UsageError, match=f"not {type(user_id).__name__}$") as caught:
        check_user_id(user_id)
    assert "ada" not in str(caught.value)
