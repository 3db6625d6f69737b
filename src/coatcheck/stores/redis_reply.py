"""The one reply to one command, read off a socket.

redis-py's own way of sending and reading takes 9 us more of the 46 that a `GET` takes,
and does not see that more has come than was asked for.
"""

from __future__ import annotations

from collections.abc import Callable

from redis import exceptions

from coatcheck.stores.redis_record import LARGEST

_CHUNK_BYTES = 65536


class OversizedError(Exception):
    """The answer is longer than any value of ours; nobody has read it."""


def read_reply(receive: Callable[[int], bytes]) -> bytes | int | None:
    """Gives the reply that is to come: a string, a number, or None.

    Raises `ResponseError` with what Redis refuses; `ConnectionError` of redis-py where the
    reply ends too early. `InvalidResponse` is raised for what is no reply, and where
    more than one has come: then none of them is known to be the answer. After any
    of these but the first, and after `OversizedError`, the connection is of no use.
    """
    data = receive(_CHUNK_BYTES)
    while (line_end := data.find(b"\r\n")) < 0:
        if len(data) > _CHUNK_BYTES:
            raise exceptions.InvalidResponse
        data += _more(receive, _CHUNK_BYTES)
    sign, line, end = data[:1], data[1:line_end], line_end + 2
    reply: bytes | int | None
    if sign == b"$":
        length = _number(line)
        if length < 0:
            reply = None
        else:
            if length > LARGEST:
                raise OversizedError
            start, end = end, end + length + 2
            if len(data) < end:
                data = _filled(data, end, receive)
            reply = data[start : end - 2]
    elif sign == b":":
        reply = _number(line)
    elif sign in {b"+", b"-"}:
        reply = line
    else:
        raise exceptions.InvalidResponse
    if len(data) != end:
        raise exceptions.InvalidResponse
    if sign == b"-":
        raise _refusal(line.decode(errors="replace"))
    return reply


def _more(receive: Callable[[int], bytes], size: int) -> bytes:
    data = receive(size)
    if not data:
        raise exceptions.ConnectionError
    return data


def _filled(data: bytes, size: int, receive: Callable[[int], bytes]) -> bytes:
    parts, missing = [data], size - len(data)
    while missing > 0:
        part = _more(receive, missing)
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _number(line: bytes) -> int:
    try:
        return int(line)
    except ValueError:
        raise exceptions.InvalidResponse from None


def _refusal(text: str) -> exceptions.ResponseError:
    code, _, rest = text.partition(" ")
    if code == "NOSCRIPT":
        return exceptions.NoScriptError(text)
    if code == "READONLY":
        return exceptions.ReadOnlyError(text)
    if code == "MOVED":
        return exceptions.MovedError(rest)
    if code == "ASK":
        return exceptions.AskError(rest)
    return exceptions.ResponseError(text)
