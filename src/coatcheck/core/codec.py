"""Python values as bytes and back, exactly.

MessagePack, written by `ormsgpack`, with extension types for what MessagePack
lacks. What would not come back equal and of the same type raises
`Unserializable`: nothing is changed in silence, and reading never runs code.

One value has one encoding. `unpack` packs again what it has read and compares,
which refuses in one step whatever a lenient reader lets through: trailing
bytes, doubled keys, long forms of short numbers, odd spellings in an extension.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from ormsgpack import (
    OPT_PASSTHROUGH_DATACLASS,
    OPT_PASSTHROUGH_DATETIME,
    OPT_PASSTHROUGH_ENUM,
    OPT_PASSTHROUGH_SUBCLASS,
    OPT_PASSTHROUGH_TUPLE,
    OPT_PASSTHROUGH_UUID,
    Ext,
    Fragment,
    packb,
    unpackb,
)

from coatcheck.core.extensions import EXTENSIONS
from coatcheck.errors import Unserializable

_OPTIONS = (
    OPT_PASSTHROUGH_DATACLASS
    | OPT_PASSTHROUGH_DATETIME
    | OPT_PASSTHROUGH_ENUM
    | OPT_PASSTHROUGH_SUBCLASS
    | OPT_PASSTHROUGH_TUPLE
    | OPT_PASSTHROUGH_UUID
)
_BY_KIND = {extension.kind: extension for extension in EXTENSIONS}
_BY_NUMBER = {extension.number: extension for extension in EXTENSIONS}

# The deepest nesting that ormsgpack writes; the walk below keeps the same bound.
_DEPTH = 254
EMPTY = b"\x80"
"""The encoding of an empty dict."""
# Extensions within extensions call back and forth between C and Python, which a thread with
# a small stack survives this often.
_EXTENSION_DEPTH = 32


def pack(value: object) -> bytes:
    """Gives the one encoding of a value.

    Raises `Unserializable`, with the path of the value, for a type that is not
    supported, an integer of more than 64 bits, a float that is not finite, text
    with a lone surrogate, and nesting deeper than 254 levels (32 of tuples, sets and dicts with other keys than text).
    """
    try:
        packed = packb(value, _extend, _OPTIONS)
    except (TypeError, ValueError, RecursionError):
        return _pack_by_walk(value)
    # The fast path is blind in two places: it writes bytearray and memoryview as
    # bytes (0xc4 to 0xc6) and takes nan and inf (0xcb 0x7f, 0xcb 0xff). Where those
    # bytes are absent, so are they; where not, the walk looks. Searching for a
    # number is ten times faster than for bytes: 0.13 us here, and a walk takes 7.
    if (
        0xC4 in packed
        or 0xC5 in packed
        or 0xC6 in packed
        or (0xCB in packed and (b"\xcb\x7f" in packed or b"\xcb\xff" in packed))
    ):
        return _pack_by_walk(value)
    return packed


def unpack(packed: bytes) -> object:
    """Gives the value whose encoding this is.

    Raises `ValueError` for bytes that `pack` would not have written.
    """
    try:
        value = unpackb(packed, ext_hook=_restore)
        if pack(value) == packed:
            return value
    except (ValueError, TypeError, ArithmeticError, AssertionError, LookupError, OSError, RecursionError):
        # All that a hostile body makes the readers of the extensions raise:
        # unhashable members, dates out of range, unknown zones and numbers.
        pass
    raise ValueError("not an encoding that this codec writes")


def sizes(content: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """Gives the three largest keys of a content with the bytes that each takes, largest first."""
    found = [(str(key), len(pack({key: value})) - 1) for key, value in content.items()]
    return tuple(sorted(found, key=lambda entry: -entry[1])[:3])


def _extend(value: object, level: int = 1) -> Ext:
    number, kind, write, _ = _BY_KIND[type(value)]
    if level > _EXTENSION_DEPTH:
        raise ValueError

    def extend(member: object) -> Ext:
        return _extend(member, level + 1)

    if kind is set or kind is frozenset:
        # Equal sets iterate in different orders; their encodings must be equal.
        members = sorted(packb(member, extend, _OPTIONS) for member in value)  # type: ignore[attr-defined]
        return Ext(number, packb([Fragment(member) for member in members]))
    return Ext(number, packb(write(value), extend, _OPTIONS))


def _restore(number: int, body: bytes, level: int = 1) -> object:
    if level > _EXTENSION_DEPTH:
        raise ValueError
    return _BY_NUMBER[number].read(unpackb(body, ext_hook=lambda inner, part: _restore(inner, part, level + 1)))


def _pack_by_walk(value: object) -> bytes:
    """As `pack`, slower: it sees every value, and knows the path of the one that cannot be kept."""
    try:
        return packb(_plain(value, ()), None, _OPTIONS)
    except RecursionError:
        raise Unserializable("session", f"is nested deeper than {_DEPTH} levels") from None


def _plain(value: Any, path: tuple[object, ...], level: int = 0) -> object:
    """Gives the value in the types that `packb` writes exactly."""
    kind = type(value)
    if value is None or kind is bool or kind is bytes:
        return value
    if kind is str:
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Unserializable(_spell(path), "is text with a lone surrogate, which is not Unicode") from None
        return value
    if kind is int:
        if not -(2**63) <= value < 2**64:
            raise Unserializable(_spell(path), "is an integer of more than 64 bits; keep it as text")
        return value
    if kind is float:
        if not isfinite(value):
            raise Unserializable(_spell(path), "is a float that is not finite (nan or inf)")
        return value
    if len(path) >= _DEPTH:
        raise Unserializable(_spell(path[:3]) + "[...]", f"is nested deeper than {_DEPTH} levels")
    if kind is list:
        return [_plain(item, (*path, index), level) for index, item in enumerate(value)]
    if kind is dict and all(type(key) is str for key in value):
        return {_plain(key, (*path, key)): _plain(item, (*path, key), level) for key, item in value.items()}
    return _plain_extension(value, path, level + 1)


def _plain_extension(value: Any, path: tuple[object, ...], level: int) -> Ext:
    kind = type(value)
    extension = _BY_KIND.get(kind)
    if extension is None:
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        raise Unserializable(_spell(path), f"is of a type that a session cannot keep: {name}")
    if level > _EXTENSION_DEPTH:
        depth = f"is nested deeper than {_EXTENSION_DEPTH} levels of tuples, sets and dicts with other keys than text"
        raise Unserializable(_spell(path[:3]) + "[...]", depth)
    if kind is dict:
        body: object = [_plain(each, (*path, key), level) for key, item in value.items() for each in (key, item)]
    elif kind is tuple:
        body = [_plain(item, (*path, index), level) for index, item in enumerate(value)]
    elif kind in (set, frozenset):
        members = [_plain(item, (*path, ...), level) for item in value]
        body = sorted(members, key=lambda member: packb(member, None, _OPTIONS))
    else:
        try:
            body = _plain(extension.write(value), path, level)
        except ValueError as error:
            raise Unserializable(_spell(path), str(error)) from None
    return Ext(extension.number, packb(body, None, _OPTIONS))


def _spell(path: tuple[object, ...]) -> str:
    """Writes a path as Python would: the keys, which the program chose, and never a value."""
    return "session" + "".join(f"[{step!r}]" if type(step) in (str, int) else "[...]" for step in path)
