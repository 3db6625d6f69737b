"""The fields of a form, out of what a browser or somebody else sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from coatcheck.pages.forms import read_form

FORM = "application/x-www-form-urlencoded"


def read(*parts: bytes, kind: str = FORM) -> tuple[dict[str, str], int]:
    """Gives the fields, and how many parts of the body were taken."""
    taken = []

    async def body() -> AsyncIterator[bytes]:
        for part in parts:
            taken.append(part)
            yield part

    return asyncio.run(read_form(kind, body())), len(taken)


def test_a_form_may_come_in_pieces() -> None:
    assert read(b"csrf=a%2", b"0b&en", b"d=others") == ({"csrf": "a b", "end": "others"}, 3)


@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=utf-8", FORM.upper()])
def test_a_form_says_what_it_is(kind: str) -> None:
    assert read(b"end=1", kind=kind)[0] == {"end": "1"}


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data; boundary=x", f"x{FORM}"])
def test_the_body_of_anything_else_is_not_read(kind: str) -> None:
    assert read(b"end=1", kind=kind) == ({}, 0)


def test_the_first_field_of_a_name_counts() -> None:
    assert read(b"end=1&end=2&END=3")[0] == {"end": "1", "END": "3"}


def test_no_more_is_read_than_the_page_could_have_sent() -> None:
    assert read(b"end=1&filler=", *[b"x" * 1000] * 1000) == ({}, 18)


@pytest.mark.parametrize("body", [b"&".join([b"a=1"] * 51), b"a;b", b"%", b"\xff\xfe=%ff", b"=", b"&&&", b"\x00"])
def test_whatever_is_sent_is_no_error(body: bytes) -> None:
    fields, _ = read(body)
    assert "end" not in fields
