"""Bytes as text in a cookie have one spelling."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Callable
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck import Reason
from coatcheck.core.events import Rejected
from coatcheck.core.text import decode, encode

ALPHABET = ascii_letters + digits + "-_"


@given(st.binary(min_size=1, max_size=300))
def test_the_spelling_is_base64url_without_padding(raw: bytes) -> None:
    assert encode(raw) == urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert decode(encode(raw)) == raw


@pytest.mark.parametrize("length", [1, 2, 3, 4, 76, 77, 78, 255, 256, 3000])
def test_no_other_last_character_is_taken(length: int) -> None:
    raw = os.urandom(length)
    text = encode(raw)
    taken = [last for last in ALPHABET if accepts(text[:-1] + last) == raw]
    assert taken == [text[-1]]
    # What differs in bits that no byte has is no second spelling of another text either.
    assert all(encode(decode(text[:-1] + last)) == text[:-1] + last for last in ALPHABET if accepts(text[:-1] + last))


def accepts(text: str) -> bytes | None:
    try:
        return decode(text)
    except Rejected:
        return None


@given(st.text(max_size=100) | st.text(ALPHABET + "+/= \n", max_size=100))
def test_a_text_that_is_taken_is_the_one_spelling_of_its_bytes(text: str) -> None:
    raw = accepts(text)
    assert raw is None or encode(raw) == text


@given(
    st.binary(min_size=1, max_size=60),
    st.integers(0, 81),
    st.characters(codec=None) | st.sampled_from('+/=\n\r\t \x00\x80\u00ff%"\\;,'),
)
def test_a_character_put_in_anywhere_is_refused(raw: bytes, place: int, character: str) -> None:
    text = encode(raw)
    place = min(place, len(text))
    changed = accepts(text[:place] + character + text[place:])
    assert changed != raw
    assert character in ALPHABET or changed is None


@pytest.mark.parametrize("raw", [b"\xfb\xffa", b"\xfb\xffab", b"\xfb\xffabc", b"\xfb\xff" * 50])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "=",
        lambda text: text + "==",
        lambda text: text + "===",
        lambda text: text + "=" * (-len(text) % 4 or 4),
        lambda text: text.replace("-", "+").replace("_", "/"),
        lambda text: text + "\n",
        lambda text: "\n" + text,
        lambda text: text[:2] + "\n" + text[2:],
        lambda text: text + " ",
        lambda text: " " + text,
        lambda text: text + "\x00",
        lambda text: text + "A",
        lambda text: text + "==" + text,
        lambda text: f'"{text}"',
        lambda text: text.replace("_", "%5F"),
        lambda text: text.replace("_", "%255F"),
        lambda text: text.replace("_", "\\137"),
        lambda text: text.replace("_", "\uff3f"),
        lambda text: text.replace("-", "\u2010"),
        lambda text: text + "\ud800",
        lambda text: text + "\u00ff",
        lambda text: text.swapcase(),
    ],
)
def test_a_second_spelling_is_refused(raw: bytes, change: Callable[[str], str]) -> None:
    text = encode(raw)
    changed = change(text)
    assert changed != text
    assert accepts(changed) != raw


def test_no_text_has_a_length_of_one_over_a_multiple_of_four() -> None:
    for length in (1, 5, 101, 105):
        assert accepts("A" * length) is None
    assert accepts("") is None


@pytest.mark.parametrize("text", ["", "A", "AB=", "a b", "\ud800", "\u00e9\u00e9", "AAAAA", "AAB"])
def test_whatever_is_wrong_the_reason_is_the_same_and_nothing_is_quoted(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        decode(text)
    assert caught.value.reason is Reason.MALFORMED
    assert str(caught.value) == "malformed"
    assert caught.value.__context__ is None


def test_no_bytes_have_no_text_that_is_taken() -> None:
    # An empty cookie is no session.
    assert encode(b"") == ""
    assert accepts("") is None
