"""Content that an attacker with the leaked key would seal, by name; the first word says the attack."""

from __future__ import annotations

import json
import marshal
import pickle
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from attacks.harness import CONTENT, ID, NOW
from markupsafe import Markup
from ormsgpack import Ext, packb

from coatcheck.core.codec import pack
from coatcheck.core.record import Record

# The types that are kept, one of each and some inside others.
EVERY_TYPE: dict[str, Any] = {
    "none": None,
    "bool": True,
    "int": [0, -1, 127, 128, -33, 65536, 2**63, -(2**63), 2**64 - 1],
    "float": [0.5, -0.0, 1e300],
    "str": ["", "é", "\x00", "\U0001f36a"],
    "bytes": b"\xc4\xcb\x7f",
    "tuple": (1, ("x", [])),
    "set": {1, "a", (2,)},
    "frozenset": frozenset({frozenset(), b"x"}),
    "datetime": [datetime(2024, 2, 29, 1, 2, 3, 4), datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)],
    "date": date(1, 1, 1),
    "time": time(23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-3), "here")),
    "timedelta": timedelta(days=-1, microseconds=1),
    "uuid": UUID(int=5),
    "decimal": [Decimal("1.10"), Decimal("-0"), Decimal("1E+5")],
    "markup": Markup("<b>"),
    "map": {1: {None: "x"}, (1, 2): Decimal(0)},
}


def in_a_map(value: bytes) -> bytes:
    """A session with one key, whose value is packed already."""
    return b"\x81\xa1k" + value


def ext(number: int, body: object, head: bytes = b"\xc8") -> bytes:
    packed = packb(body)
    return head + len(packed).to_bytes(2, "big") + number.to_bytes(1, "big", signed=True) + packed


def nested(opening: bytes, depth: int, inner: bytes) -> bytes:
    return opening * depth + inner


def nested_tuples(depth: int) -> bytes:
    packed = packb(Ext(1, packb([])))
    for _ in range(depth):
        packed = packb(Ext(1, b"\x91" + packed))
    return packed


def sessions_of_other_makers() -> Iterator[tuple[str, bytes]]:
    claims = {"user": "mallory"}
    text = json.dumps(claims)
    yield "p1 nested JSON", b"[" * 2900
    yield "p1 nested JSON objects", b'{"a":' * 500
    yield "p3 a number of 2900 digits", b"9" * 2900
    yield "p3 JSON with such a number", b'{"a":' + b"9" * 2900 + b"}"
    yield "p4 JSON NaN", b'{"a":NaN}'
    yield "p13 JSON", text.encode()
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig"):
        yield f"p13 JSON in {encoding}", text.encode(encoding)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield f"p14 pickle {protocol}", pickle.dumps(claims, protocol)
    yield "p14 marshal", marshal.dumps(claims)
    yield "p14 Ruby's Marshal", b'\x04\x08{\x06I"\x09user\x06:\x06EFI"\x0cmallory\x06;\x00T'
    yield "p14 YAML", b"!!python/object/apply:os.system ['true']\n"
    yield "p14 PHP", b'O:8:"stdClass":0:{}'
    yield "a compressed map", b"\x78\x9c\x9b\x05\x00\x02\x26\x01\x25"


def hostile_maps() -> Iterator[tuple[str, bytes]]:
    one = packb(1)
    for name, value in {
        "list": [1],
        "text": "x",
        "nil": None,
        "number": 5,
        "true": True,
        "float": 0.5,
        "bin": b"x",
    }.items():
        yield f"p7 {name}", packb(value)
    yield "p7 nothing", b""
    yield "p7 a tuple", pack(())
    yield "p7 a list of pairs", packb([["user", "mallory"]])
    yield "p6 a key twice", b"\x82" + 2 * (b"\xa4user" + one)
    yield "p6 a key twice with two values", b"\x82\xa1a\x01\xa1a\x02"
    yield "p6 a key twice inside", in_a_map(b"\x82\xa1a\x01\xa1a\x02")
    yield "p6 a key twice in a map of any keys", in_a_map(ext(11, [1, "x", 1, "y"]))
    yield "p6 1 and true in a map of any keys", in_a_map(ext(11, [1, "x", True, "y"]))
    keys: dict[str, object] = {"list": [1], "map": {}, "nil": None, "number": 1, "bin": b"k", "float": 0.5}
    for name, key in keys.items():
        yield f"p10 {name} as key", b"\x81" + packb(key) + one
    for name, key in {"list": [1], "map": {"a": 1}}.items():
        yield f"p10 {name} as key of a map of any keys", in_a_map(ext(11, [key, 1]))
        yield f"p10 {name} in a set", in_a_map(ext(2, [key]))
    yield "p10 a key of ill-formed text", b"\x81\xa2\xc3\x28\x01"
    yield "p5 a lone surrogate", in_a_map(b"\xa3\xed\xa0\x80")
    yield "p5 a lone surrogate in markup", in_a_map(b"\xc7\x04\x0a\xa3\xed\xa0\x80")
    for name, number in {"nan": "7ff8000000000000", "inf": "7ff0000000000000", "-inf": "fff0000000000000"}.items():
        yield f"p4 {name}", in_a_map(b"\xcb" + bytes.fromhex(number))
        yield f"p4 {name} in a tuple", in_a_map(b"\xc7\x0a\x01\x91\xcb" + bytes.fromhex(number))
    yield "p4 nan of four bytes", in_a_map(b"\xca\x7f\xc0\x00\x00")
    for end in (b"\x00", b"\x80", b"\xc0", b"\x81\xa1a\x01", b"\x80\x00\x80"):
        yield f"p12 trailing {end.hex()}", pack(CONTENT) + end
    for name, head in {"array": b"\xdd", "map": b"\xdf", "bin": b"\xc6", "text": b"\xdb", "ext": b"\xc9"}.items():
        yield f"p12 {name} of 2**32-1", head + b"\xff\xff\xff\xff"
        yield f"p12 {name} of 2**32-1 inside", in_a_map(head + b"\xff\xff\xff\xff" + b"\x01" * 100)
        yield f"p12 {name} of 2**31 inside a tuple", in_a_map(b"\xc7\x05\x01" + head + b"\x80\x00\x00\x00")
    for name, head in {"array": b"\xdc", "map": b"\xde", "bin": b"\xc5", "text": b"\xda", "ext": b"\xc8"}.items():
        yield f"p12 {name} of 2**16-1", in_a_map(head + b"\xff\xff")
    yield "p12 many arrays of 2**32-1", in_a_map(b"\xdd\xff\xff\xff\xff" * 500)
    yield "p2 nested arrays", in_a_map(nested(b"\x91", 2900, b"\xc0"))
    yield "p2 nested maps", nested(b"\x81\xa1a", 900, b"\xc0")
    yield "p2 nested tuples", in_a_map(nested_tuples(600))
    yield "p2 nested beyond what is written", in_a_map(nested(b"\x91", 300, b"\xc0"))
    yield "the byte that MessagePack reserves", in_a_map(b"\xc1")


def long_forms() -> Iterator[tuple[str, bytes]]:
    """What a lenient reader takes for the same value: a second encoding of one session."""
    yield "p12 a map with a long head", b"\xde\x00\x01\xa1k\x01"
    yield "p12 a key with a long head", b"\x81\xd9\x01k\x01"
    for name, value in {
        "number of one byte": b"\xcc\x01",
        "number of eight bytes": b"\xcf\x00\x00\x00\x00\x00\x00\x00\x01",
        "signed number": b"\xd0\x01",
        "signed number of eight bytes": b"\xd3\x00\x00\x00\x00\x00\x00\x00\x01",
        "float of four bytes": b"\xca\x3f\x80\x00\x00",
        "text": b"\xdb\x00\x00\x00\x01x",
        "bin": b"\xc5\x00\x01x",
        "array": b"\xdc\x00\x01\x01",
    }.items():
        yield f"p12 a long {name}", in_a_map(value)
    yield "p12 a long extension head", in_a_map(b"\xc7\x01\x01\x90")
    yield "a set out of order", in_a_map(ext(2, [2, 1], b"\xc8"))
    yield "a set with a member twice", in_a_map(b"\xc7\x03\x02\x92\x01\x01")
    yield "a set with 1 and true", in_a_map(b"\xc7\x03\x02\x92\x01\xc3")
    yield "text keys in a map of any keys", in_a_map(ext(11, ["a", 1]))


BAD_BODIES: dict[int, list[object]] = {
    1: [None, 1, "ab", {}, b"ab"],
    2: [None, 1, "ab", [[]], [{}], b""],
    3: [None, 1, "ab", [[]], [{}], b""],
    4: [
        None,
        "2024-01-01",
        [],
        [2024],
        [2024, 1, 1],
        [0, 1, 1, 0, 0, 0, 0, 0, None],
        [10000, 1, 1, 0, 0, 0, 0, 0, None],
        [2024, 13, 1, 0, 0, 0, 0, 0, None],
        [2024, 2, 30, 0, 0, 0, 0, 0, None],
        [2024, 1, 1, 24, 0, 0, 0, 0, None],
        [2024, 1, 1, 0, 0, 0, 0, 2, None],
        [2**63, 1, 1, 0, 0, 0, 0, 0, None],
        [-(2**63), 1, 1, 0, 0, 0, 0, 0, None],
        [2024.0, 1, 1, 0, 0, 0, 0, 0, None],
        [True, True, True, False, 0, 0, 0, 0, None],
        # What `datetime` takes for its own pickled state.
        [b"\x07\xe8\x01\x01\x00\x00\x00\x00\x00\x00", 0, None],
        [b"\x07\xe8\x01\x01\x00\x00\x00\x00\x00\x00", 0, "UTC"],
    ],
    5: [None, [], [2024, 2, 30], [0, 1, 1], [b"\x07\xe8\x01\x01"], ["2024", 1, 1], [2**63, 1, 1], {"year": 1}, "abc"],
    6: [
        None,
        [],
        [24, 0, 0, 0, 0, None],
        [0, 0, 0, 0, 5, None],
        [b"\x00" * 6, 0, None],
        [0, 0, 0, 0, 0, 86_400_000_000],
    ],
    7: [
        None,
        [],
        [2**62, 0, 0],
        [0, 86400, 0],
        [0, 0, -1],
        [0.5, 0, 0],
        [1, 2, 3, 4, 5, 6, 7],
        ["1", 0, 0],
        [10**9, 0, 0],
    ],
    8: [None, b"", bytes(15), bytes(17), "a" * 16, [0] * 16, "00000000-0000-0000-0000-000000000000", 5, {}],
    9: [
        None,
        "",
        "x",
        "1_000",
        " 1",
        "1\n",
        "１",
        "1e5",
        "nan",
        "infinity",
        "--1",
        1,
        0.5,
        [0, [1], 2],
        "1E+" + "9" * 30,
        b"1",
    ],
    10: [None, 1, b"x", ["x"], {"__html__": "x"}],
    11: [None, 1, [1], [1, 2, 3], [[], 1], [{}, 1], "ab", {"a": 1}, ["a", 1]],
}
HOSTILE_ZONES: list[object] = [
    "",
    ".",
    "..",
    "../../../etc/passwd",
    "/etc/passwd",
    "/usr/share/zoneinfo/UTC",
    "Europe",
    "Europe/",
    "zone.tab",
    "tzdata.zi",
    "\x00",
    "UTC\x00",
    "No/Where",
    "x" * 2000,
    "a/" * 1000,
    "..\\..\\x",
    "\U0001f36a",
    "utc ",
    0.5,
    b"UTC",
    True,
    2**63,
    86_400_000_000,
    -86_400_000_000,
    [],
    [0],
    [0, 5],
    [0, "UTC"],
    [0, "UTC", 1],
    [2**64 - 1, "x"],
    {},
    {"key": "UTC"},
]


def bad_extensions() -> Iterator[tuple[str, bytes]]:
    for number in [0, *range(12, 128), *range(-128, 0)]:
        yield f"p11 unknown type {number}", in_a_map(ext(number, "x"))
    for length, head in {4: b"\xd6", 8: b"\xd7", 12: b"\xc7\x0c"}.items():
        yield f"p11 timestamp of {length} bytes", in_a_map(head + b"\xff" + b"\x00" * length)
        yield f"p11 huge timestamp of {length} bytes", in_a_map(head + b"\xff" + b"\xff" * length)
    for number, bodies in BAD_BODIES.items():
        for index, body in enumerate(bodies):
            packed = packb(Ext(number, packb(body)))
            yield f"p18 type {number}, bad body {index}", in_a_map(packed)
            yield f"p18 type {number}, bad body {index}, in a set", in_a_map(packb(Ext(2, b"\x91" + packed)))
            yield f"p18 type {number}, bad body {index}, as a key", in_a_map(packb(Ext(11, b"\x92" + packed + b"\x01")))
        for name, rubbish in {
            "no": b"",
            "half a": b"\x92\x01",
            "an endless": b"\xdd\xff\xff\xff\xff",
            "two": b"\x90\x90",
        }.items():
            yield f"p18 type {number}, {name} body", in_a_map(packb(Ext(number, rubbish)))
    for index, zone in enumerate(HOSTILE_ZONES):
        yield f"p18 zone {index} of a datetime", in_a_map(packb(Ext(4, packb([2024, 1, 1, 0, 0, 0, 0, 0, zone]))))
        yield f"p18 zone {index} of a time", in_a_map(packb(Ext(6, packb([0, 0, 0, 0, 0, zone]))))


HOSTILE = {
    name: packed
    for group in (sessions_of_other_makers, hostile_maps, long_forms, bad_extensions)
    for name, packed in group()
}


def no_records() -> Iterator[tuple[str, bytes]]:
    packed = pack(CONTENT)
    good = Record(ID, NOW, NOW, packed).to_bytes()
    bare = good.rstrip(b"\x00")[:-1]
    for shape in range(1, 256):
        yield f"shape {shape}", bytes([shape]) + good[1:]
    yield "no padding at all", (bare + b"\x01" * 32)[: len(bare) // 32 * 32 + 32]
    yield "padding of zeros alone", bare.ljust(len(good), b"\x00")
    for mark in (0x01, 0x7F, 0x81, 0xFF):
        yield f"padding that begins with {mark}", (bare + bytes([mark])).ljust(len(good), b"\x00")
    yield "a block of padding too many", good + bytes(32)
    yield "a whole block of padding", (bare + b"\x80").ljust(len(bare) // 32 * 32 + 96, b"\x00")
    yield "a padded length that is no multiple", bare + b"\x80"
    yield "one zero too many", good + b"\x00"
    for length in range(32, len(good), 32):
        yield f"cut to {length}", good[:length]
    for length in range(28):
        yield f"a head of {length} bytes", (good[:length] + b"\x80").ljust(32, b"\x00")
    yield "no content", (good[:27] + b"\x80").ljust(32, b"\x00")
    yield "zeros", bytes(64)
    yield "ones", b"\xff" * 64
    yield "the content without a head", packed.ljust(192, b"\x00")
    yield "a record in a record", Record(ID, NOW, NOW, good).to_bytes()


NO_RECORDS = dict(no_records())
