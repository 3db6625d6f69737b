from __future__ import annotations

from collections.abc import Callable

import pytest
from redis import exceptions

from coatcheck.stores.redis_record import LARGEST, Command
from coatcheck.stores.redis_reply import OversizedError, read_reply

REPLIES = [
    (b"$5\r\nhello\r\n", b"hello"),
    (b"$0\r\n\r\n", b""),
    (b"$13\r\n\r\n$3\r\nabc\r\n\r\n\r\n", b"\r\n$3\r\nabc\r\n\r\n"),
    (b"$-1\r\n", None),
    (b":1\r\n", 1),
    (b":-12\r\n", -12),
    (b"+OK\r\n", b"OK"),
]


@pytest.mark.parametrize(("sent", "reply"), REPLIES)
def test_a_reply_is_read_in_whatever_pieces_it_comes(sent: bytes, reply: bytes | int | None) -> None:
    assert read_reply(_pieces(sent)) == reply
    assert read_reply(_pieces(*(bytes([byte]) for byte in sent))) == reply
    for cut in range(1, len(sent)):
        assert read_reply(_pieces(sent[:cut], sent[cut:])) == reply


@pytest.mark.parametrize(("sent", "_reply"), REPLIES)
def test_a_reply_that_ends_too_early_is_no_reply(sent: bytes, _reply: object) -> None:
    for cut in range(len(sent)):
        with pytest.raises(exceptions.ConnectionError):
            read_reply(_pieces(sent[:cut]))


@pytest.mark.parametrize(("sent", "_reply"), [*REPLIES, (b"-ERR no\r\n", None)])
def test_more_than_one_reply_is_none(sent: bytes, _reply: object) -> None:
    """Nobody knows which is the answer to the question."""
    with pytest.raises(exceptions.InvalidResponse):
        read_reply(_pieces(sent + b"$5\r\nother\r\n"))


def test_no_more_is_asked_for_than_is_missing() -> None:
    asked: list[int] = []
    pieces = [b"$100000\r\n", b"a" * 60000, b"b" * 40000 + b"\r\n"]

    def receive(size: int) -> bytes:
        asked.append(size)
        return pieces[len(asked) - 1]

    assert read_reply(receive) == b"a" * 60000 + b"b" * 40000
    assert asked[1:] == [100_002, 40_002]


@pytest.mark.parametrize("code", ["NOSCRIPT", "READONLY", "WRONGTYPE", "ERR"])
def test_a_refusal_is_raised_with_its_code(code: str) -> None:
    kinds = {"NOSCRIPT": exceptions.NoScriptError, "READONLY": exceptions.ReadOnlyError}
    with pytest.raises(kinds.get(code, exceptions.ResponseError), match=f"^{code} why"):
        read_reply(_pieces(f"-{code} why\r\n".encode()))


@pytest.mark.parametrize(
    "sent",
    [b"HTTP/1.1 400\r\n", b"*1\r\n$1\r\na\r\n", b">3\r\n", b"$x\r\n", b":\r\n", b"$\r\n", b"\r\n", b"\x15\x03\r\n"],
)
def test_anything_else_is_nonsense(sent: bytes) -> None:
    with pytest.raises(exceptions.InvalidResponse):
        read_reply(_pieces(sent))


def test_a_line_without_an_end_is_nonsense() -> None:
    with pytest.raises(exceptions.InvalidResponse):
        read_reply(lambda _: b"$" * 50_000)


def test_what_is_larger_than_any_value_is_not_read() -> None:
    with pytest.raises(OversizedError):
        read_reply(_pieces(b"$%d\r\n" % (LARGEST + 1)))


def test_a_command_is_packed_with_the_length_of_each_word() -> None:
    assert Command("SET", "100%", operands=2).packed(b"key", b"\r\n") == (
        b"*4\r\n$3\r\nSET\r\n$4\r\n100%\r\n$3\r\nkey\r\n$2\r\n\r\n\r\n"
    )


def _pieces(*pieces: bytes) -> Callable[[int], bytes]:
    left = list(pieces)
    return lambda _: left.pop(0) if left else b""
