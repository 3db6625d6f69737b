"""Every value that is kept comes back equal and of the same types, and has one encoding; nothing else is kept."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from inspect import stack
from math import inf, nan
from pathlib import PurePosixPath
from textwrap import dedent
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ormsgpack import Ext, packb
from values import VALUES, describe, hashables, nested, values

from coatcheck import Unserializable
from coatcheck.core.codec import pack, unpack

LOW, HIGH = -(2**63), 2**64 - 1


class Text(str):
    pass


class Number(int):
    pass


class Real(float):
    pass


class Items(list[int]):
    pass


class Table(dict[str, int]):
    pass


class Pair(tuple[int, int]):
    pass


class Bytes(bytes):
    pass


class Moment(datetime):
    pass


class Amount(Decimal):
    pass


class Flag(Enum):
    UP = "up"


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Bits(IntFlag):
    ONE = 1


@dataclass
class Point:
    x: int = 1


class Named(NamedTuple):
    x: int = 1


class FixedZone(tzinfo):
    """As pytz has them: a class of its own for each zone."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        return timedelta(hours=1)

    def dst(self, when: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, when: datetime | None) -> str:
        return "X"


def numbers() -> Iterator[int]:
    yield 1


NOT_KEPT: list[tuple[str, object]] = [
    ("an object", object()),
    ("an OrderedDict", OrderedDict(a=1)),
    ("a defaultdict", defaultdict(int, a=1)),
    ("a Counter", Counter("a")),
    ("a mapping proxy", MappingProxyType({"a": 1})),
    ("a namespace", SimpleNamespace(a=1)),
    ("an enum", Flag.UP),
    ("a text enum", Colour.RED),
    ("a number enum", Level.LOW),
    ("a flag", Bits.ONE),
    ("a str subclass", Text("a")),
    ("an int subclass", Number(1)),
    ("a float subclass", Real(1.5)),
    ("a list subclass", Items([1])),
    ("a dict subclass", Table(a=1)),
    ("a tuple subclass", Pair((1, 2))),
    ("a named tuple", Named(1)),
    ("a bytes subclass", Bytes(b"a")),
    ("a datetime subclass", Moment(2030, 1, 1)),
    ("a Decimal subclass", Amount(1)),
    ("a dataclass", Point()),
    ("a bytearray", bytearray(b"a")),
    ("an empty bytearray", bytearray()),
    ("a long bytearray", bytearray(300)),
    ("a memoryview", memoryview(b"a")),
    ("a long memoryview", memoryview(bytes(70_000))),
    ("a complex number", 1j),
    ("a range", range(3)),
    ("dict keys", {"a": 1}.keys()),
    ("a path", PurePosixPath("/")),
    ("a zone of another library", datetime(2030, 1, 1, tzinfo=FixedZone())),
    ("a number one too large", HIGH + 1),
    ("a number one too small", LOW - 1),
    ("a huge number", 10**5000),
    ("nan", nan),
    ("minus nan", -nan),
    ("infinity", inf),
    ("minus infinity", -inf),
    ("a lone surrogate", "a\ud800"),
    ("a lone low surrogate", "\udfff"),
    ("a generator", numbers()),
    ("a function", numbers),
    ("a class", Point),
    ("a module", sys),
    ("an ellipsis", ...),
    ("an exception", ValueError()),
]


def deep(levels: int, wrap: Callable[[Any], Any], core: object = 1) -> Any:
    for _ in range(levels):
        core = wrap(core)
    return core


# Ways to nest, with the depth that each is kept to.
PLAIN_WRAPS: list[Callable[[Any], Any]] = [lambda inner: [inner], lambda inner: {"a": inner}]
EXTENSION_WRAPS: list[Callable[[Any], Any]] = [
    lambda inner: (inner,),
    lambda inner: {1: inner},
    lambda inner: frozenset([inner]),
    lambda inner: [({"a": inner},)],
]
WRAPS = [(254, wrap) for wrap in PLAIN_WRAPS] + [(32, wrap) for wrap in EXTENSION_WRAPS]


@given(values)
def test_every_value_comes_back_equal_and_of_the_same_types(value: object) -> None:
    assert describe(unpack(pack(value))) == describe(value)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_each_kind_of_value_comes_back(value: object) -> None:
    assert describe(unpack(pack(value))) == describe(value)


@given(hashables, values)
def test_a_dict_may_have_any_scalar_for_a_key(key: Any, value: object) -> None:
    content = {"outer": {key: value, "text": 1}}
    assert describe(unpack(pack(content))) == describe(content)


@pytest.mark.parametrize(
    "key", [None, True, 0, 5, -1, HIGH, 1.5, -0.0, b"", b"a", (), (1, "a"), Decimal("1.50")], ids=repr
)
def test_a_dict_with_one_key_that_is_not_text_comes_back(key: Any) -> None:
    assert describe(unpack(pack({key: "value"}))) == describe({key: "value"})


@pytest.mark.parametrize("number", [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, 2**63, HIGH])
def test_numbers_at_the_edges_of_their_encodings_come_back(number: int) -> None:
    assert unpack(pack([number, max(-number - 1, LOW), -min(number, 2**63)])) == [
        number,
        max(-number - 1, LOW),
        -min(number, 2**63),
    ]


@given(values)
def test_a_value_encodes_the_same_beside_bytes_as_beside_text(value: object) -> None:
    # Bytes in the encoding make `pack` look at every value by itself; text does not.
    quick, by_itself = pack([value, ""]), pack([value, b""])
    assert quick.removesuffix(b"\xa0") == by_itself.removesuffix(b"\xc4\x00")


@given(st.lists(hashables, unique=True, max_size=6).flatmap(lambda members: st.tuples(*[st.permutations(members)] * 2)))
def test_equal_sets_have_equal_encodings(orders: tuple[list[Any], list[Any]]) -> None:
    one, other = orders
    for kind in (set, frozenset):
        assert pack(kind(one)) == pack(kind(other))
        assert pack([kind(one), b""]) == pack([kind(other), b""])


def test_the_order_of_a_dict_is_kept() -> None:
    assert list(unpack(pack({"b": 1, "a": 2, "": 3}))) == ["b", "a", ""]  # type: ignore[call-overload]
    assert list(unpack(pack({2: 1, 1: 2}))) == [2, 1]  # type: ignore[call-overload]


@pytest.mark.parametrize(("_name", "value"), NOT_KEPT, ids=[name for name, _ in NOT_KEPT])
@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("session['a']", lambda value: {"a": value}),
        ("session['a'][1]", lambda value: {"a": [0, value]}),
        ("session['a'][1]", lambda value: {"a": (0, value)}),
        ("session[5]['a']", lambda value: {5: {"a": value}}),
        ("session[1]['a']", lambda value: [b"", {"a": value}]),
    ],
)
def test_any_other_value_is_named_by_its_path(
    path: str, place: Callable[[object], object], _name: str, value: object
) -> None:
    with pytest.raises(Unserializable) as caught:
        pack(place(value))
    assert caught.value.path == path
    assert str(caught.value).startswith(path + " ")


def test_what_holds_itself_is_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)
    table: dict[str, Any] = {}
    table["a"] = [table]
    for value in (ring, table, (ring,), {1: table}):
        with pytest.raises(Unserializable, match=r"\[\.\.\.\] is nested deeper"):
            pack({"key": value})


@pytest.mark.parametrize(("_name", "value"), NOT_KEPT, ids=[name for name, _ in NOT_KEPT])
def test_no_error_quotes_a_value(_name: str, value: object) -> None:
    with pytest.raises(Unserializable) as caught:
        pack({"key": [value, "the content"]})
    assert "the content" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "key", [Text("a"), Number(1), Colour.RED, Level.LOW, nan, inf, HIGH + 1, "\ud800", object(), Named(1)]
)
def test_a_key_that_cannot_be_kept_is_refused(key: Any) -> None:
    with pytest.raises(Unserializable, match="^session"):
        pack({"a": {key: 1}})
    with pytest.raises(Unserializable, match="^session"):
        pack({"a": {key: b""}})


@pytest.mark.parametrize("member", [Text("a"), nan, inf, HIGH + 1, "\ud800", object(), Named(1), (1, nan)], ids=repr)
@pytest.mark.parametrize("kind", [set, frozenset])
def test_a_member_of_a_set_that_cannot_be_kept_is_refused(kind: Any, member: object) -> None:
    with pytest.raises(Unserializable, match=r"^session\['a'\]\[\.\.\.\]"):
        pack({"a": kind([member, 1])})


@pytest.mark.parametrize("text", ["\ud800", "x\udfff"])
def test_a_zone_whose_name_is_no_unicode_is_refused(text: str) -> None:
    from datetime import timezone

    with pytest.raises(Unserializable, match="surrogate"):
        pack({"at": datetime(2030, 1, 1, tzinfo=timezone(timedelta(0), text))})


@pytest.mark.parametrize(("depth", "wrap"), WRAPS)
@pytest.mark.parametrize("core", [1, b"", 1.5, "\u00fc"], ids=repr)
def test_the_depth_that_is_documented_is_kept(depth: int, wrap: Callable[[Any], Any], core: object) -> None:
    value = deep(depth, wrap, core)
    assert unpack(pack(value)) == value


@pytest.mark.parametrize("over", [2, 50, 1000, 5000])
@pytest.mark.parametrize(("depth", "wrap"), WRAPS)
@pytest.mark.parametrize("core", [1, b""], ids=repr)
def test_what_is_nested_deeper_is_refused(depth: int, wrap: Callable[[Any], Any], core: object, over: int) -> None:
    with pytest.raises(Unserializable, match=rf"^session.{{0,40}}\[\.\.\.\] is nested deeper than {depth} levels"):
        pack(deep(depth + over, wrap, core))


def test_a_stack_that_is_almost_full_is_told_as_too_deep() -> None:
    value = deep(200, PLAIN_WRAPS[0], b"")
    assert unpack(pack(value)) == value

    def dig(frames: int) -> bytes:
        return dig(frames - 1) if frames else pack(value)

    with pytest.raises(Unserializable, match="^session is nested deeper than 254 levels$"):
        dig(sys.getrecursionlimit() - len(stack(0)) - 100)


def test_sets_in_sets_cost_time_in_proportion_to_their_depth() -> None:
    # Where each level costs twice the one below, this takes an hour: a process of its own can be ended.
    run_apart(
        """
        value = 1
        for _ in range(32):
            value = frozenset([value])
        assert unpack(pack(value)) == value
        assert unpack(pack([value, b""])) == [value, b""]
        """
    )


def run_apart(program: str) -> None:
    """Runs a program that a defect would let run for ever, or take all memory."""
    before = """
        from resource import RLIMIT_AS, RUSAGE_SELF, getrusage, setrlimit

        from coatcheck.core.codec import pack, unpack
        from ormsgpack import Ext, packb

        setrlimit(RLIMIT_AS, (2**30, 2**30))
        memory = getrusage(RUSAGE_SELF).ru_maxrss
        """
    after = "assert getrusage(RUSAGE_SELF).ru_maxrss < 2 * memory\n"
    subprocess.run([sys.executable, "-c", dedent(before) + dedent(program) + after], check=True, timeout=20)


# Reading


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_value_error(raw: bytes) -> None:
    reads_only_its_own(raw)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(LOW, HIGH) | st.floats() | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=10)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        | st.builds(lambda number, body: Ext(number, packb(body)), st.integers(0, 13), inner)
    ),
    max_leaves=12,
)


@given(plain)
def test_no_extension_body_raises_anything_but_value_error(body: object) -> None:
    reads_only_its_own(packb(body))


@given(st.integers(4, 10), st.lists(st.integers(-2, 2**33) | st.none() | st.text(max_size=3), min_size=1, max_size=10))
def test_no_list_in_an_extension_raises_anything_but_value_error(number: int, fields: list[Any]) -> None:
    reads_only_its_own(packb(Ext(number, packb(fields))))


@given(values, st.data())
def test_a_changed_encoding_is_refused_or_is_an_encoding_itself(value: object, data: st.DataObject) -> None:
    packed = bytearray(pack(value))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    reads_only_its_own(bytes(packed))


@given(values, st.binary(min_size=1, max_size=8))
def test_bytes_after_the_value_are_refused(value: object, tail: bytes) -> None:
    with pytest.raises(ValueError, match="^not an encoding"):
        unpack(pack(value) + tail)


@given(values)
def test_a_shortened_encoding_is_refused(value: object) -> None:
    packed = pack(value)
    for length in range(min(len(packed), 40)):
        with pytest.raises(ValueError, match="^not an encoding"):
            unpack(packed[:length])


def reads_only_its_own(raw: bytes) -> None:
    try:
        value = unpack(raw)
    except ValueError:
        return
    assert pack(value) == raw


def ext(number: int, body: object) -> bytes:
    return packb(Ext(number, packb(body)))


ODD_SPELLINGS = {
    "nothing": b"",
    "two values": b"\x01\x01",
    "a doubled key": b"\x82\xa1a\x01\xa1a\x01",
    "a doubled key with another value": b"\x82\xa1a\x01\xa1a\x02",
    "a small number in a byte": b"\xcc\x01",
    "a small number in two": b"\xcd\x00\x01",
    "a small number in four": b"\xce\x00\x00\x00\x01",
    "a small number in eight": b"\xcf" + bytes(7) + b"\x01",
    "a signed small number": b"\xd0\x01",
    "a positive number written signed": b"\xd1\x7f\xff",
    "a small negative number in a byte": b"\xd0\xff",
    "a float of four bytes": b"\xca\x3f\x80\x00\x00",
    "nan": b"\xcb\x7f\xf8" + bytes(6),
    "minus nan": b"\xcb\xff\xf8" + bytes(6),
    "infinity": b"\xcb\x7f\xf0" + bytes(6),
    "minus infinity": b"\xcb\xff\xf0" + bytes(6),
    "nan in four bytes": b"\xca\x7f\xc0\x00\x00",
    "short text in a byte": b"\xd9\x01a",
    "short text in two": b"\xda\x00\x01a",
    "short bytes in two": b"\xc5\x00\x01a",
    "a short list in two": b"\xdc\x00\x01\x01",
    "a short map in two": b"\xde\x00\x01\xa1a\x01",
    "an unused byte": b"\xc1",
    "text that is no UTF-8": b"\xa1\xff",
    "text with an overlong character": b"\xa2\xc0\x80",
    "text with a surrogate": b"\xa3\xed\xa0\x80",
    "a number for a key": b"\x81\x01\x01",
    "bytes for a key": b"\x81\xc4\x01a\x01",
    "a list for a key": b"\x81\x91\x01\x01",
    "nothing for a key": b"\x81\xc0\x01",
    "a timestamp": b"\xd6\xff\x00\x00\x00\x01",
    "a huge timestamp": b"\xc7\x0c\xff" + b"\xff" * 12,
    "an extension of number 0": ext(0, 1),
    "an extension of number 12": ext(12, 1),
    "an extension of number 127": ext(127, 1),
    "an extension of a negative number": b"\xd4\x80\x01",
    "an extension without a body": b"\xc7\x00\x01",
    "an extension of two values": b"\xd5\x01\x90\x90",
    "a short extension with a long head": b"\xc8\x00\x01\x01\x90",
    "a tuple of a number": ext(1, 1),
    "a tuple of text": ext(1, "ab"),
    "a tuple of a map": ext(1, {"a": 1}),
    "a set with a doubled member": ext(2, [1, 1]),
    "a set in another order": ext(2, [2, 1]),
    "a set with a list in it": ext(2, [[1]]),
    "a set with a set in it": ext(2, [Ext(2, packb([1]))]),
    "a frozenset with a doubled member": ext(3, [1, 1]),
    "a frozenset in another order": ext(3, [2, 1]),
    "a set with members that are equal": ext(2, [1, 1.0]),
    "a datetime of too few": ext(4, [2030, 1, 1]),
    "a datetime of too many": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, None, None]),
    "a datetime out of range": ext(4, [2030, 13, 1, 0, 0, 0, 0, 0, None]),
    "a datetime of fold 2": ext(4, [2030, 1, 1, 0, 0, 0, 0, 2, None]),
    "a datetime of huge numbers": ext(4, [HIGH, 1, 1, 0, 0, 0, 0, 0, None]),
    "a datetime of booleans": ext(4, [2030, True, 1, 0, 0, 0, 0, 0, None]),
    "a datetime of floats": ext(4, [2030.0, 1, 1, 0, 0, 0, 0, 0, None]),
    "a pickled datetime": ext(4, [b"\x07\xee\x01\x01\x00\x00\x00\x00\x00\x00", 0, None]),
    "a datetime of an unknown zone": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, "Mars/Base"]),
    "a datetime of a zone that is a path": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, "../../etc/passwd"]),
    "a datetime of a zone that is an absolute path": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, "/etc/passwd"]),
    "a datetime of a zone that is a folder": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, "America"]),
    "a datetime of a zone without a name": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, ""]),
    "a datetime of a zone with a long name": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, "a" * 3000]),
    "a datetime of a zone with NUL": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, "UTC\x00"]),
    "a datetime of a zone in bytes": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, b"UTC"]),
    "a datetime of a float offset": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, 1.5]),
    "a datetime of an offset of a day": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, 86_400_000_000]),
    "a datetime of a huge offset": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, HIGH]),
    "an offset with its usual name": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, [0, "UTC"]]),
    "an offset with three parts": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, [0, "X", 1]]),
    "an offset without a name": ext(4, [2030, 1, 1, 0, 0, 0, 0, 0, [0]]),
    "a date of text": ext(5, "2030-01-01"),
    "a date out of range": ext(5, [2030, 2, 30]),
    "a date of the year 0": ext(5, [0, 1, 1]),
    "a pickled date": ext(5, [b"\x07\xee\x01\x01"]),
    "a time of 25 hours": ext(6, [25, 0, 0, 0, 0, None]),
    "a timedelta that is not normal": ext(7, [0, 86_400, 0]),
    "a timedelta of floats": ext(7, [1.5, 0, 0]),
    "a timedelta out of range": ext(7, [HIGH, 0, 0]),
    "a timedelta of weeks": ext(7, [0, 0, 0, 0, 0, 0, 1]),
    "a short UUID": ext(8, bytes(15)),
    "a UUID of text": ext(8, "a" * 16),
    "a UUID of a list": ext(8, [0] * 16),
    "a Decimal of a float": ext(9, 1.5),
    "a Decimal of a number": ext(9, 1),
    "a Decimal of a list": ext(9, [0, [1], 0]),
    "a Decimal of words": ext(9, "ten"),
    "a Decimal with a plus": ext(9, "+1"),
    "a Decimal with spaces": ext(9, " 1 "),
    "a Decimal with an underscore": ext(9, "1_0"),
    "a Decimal with leading zeros": ext(9, "01"),
    "a Decimal with a small e": ext(9, "1e5"),
    "a Decimal in other digits": ext(9, "\u0661"),
    "a Decimal infinity in short": ext(9, "inf"),
    "a Decimal nan in small letters": ext(9, "nan"),
    "a Decimal with a huge exponent": ext(9, "1E+99999999999999999999"),
    "Markup of a number": ext(10, 1),
    "Markup of nothing": ext(10, None),
    "Markup of bytes": ext(10, b"a"),
    "Markup of Markup": ext(10, Ext(10, packb("a"))),
    "a map of an odd number": ext(11, [1]),
    "a tuple one level too deep": packb(Ext(1, b"\x91" + pack(deep(32, EXTENSION_WRAPS[0])))),
    "a map with a doubled key": ext(11, [1, 1, 1, 1]),
    "a map with keys that are equal": ext(11, [1, 1, True, 1]),
    "a map with a list for a key": ext(11, [[1], 1]),
    "a map of text keys": ext(11, ["a", 1]),
    "an empty map": ext(11, []),
    "a map of text": ext(11, "ab"),
    "a map of a number": ext(11, 1),
}


@pytest.mark.parametrize("packed", ODD_SPELLINGS.values(), ids=ODD_SPELLINGS)
@pytest.mark.parametrize("place", [lambda raw: raw, lambda raw: b"\x81\xa1a" + raw, lambda raw: b"\x92\xc4\x00" + raw])
def test_an_encoding_that_pack_does_not_write_is_refused(packed: bytes, place: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match="^not an encoding"):
        unpack(place(packed))


@pytest.mark.parametrize(
    "head", [b"\xc6", b"\xc9", b"\xdb", b"\xdd", b"\xdf", b"\xc5", b"\xc8", b"\xda", b"\xdc", b"\xde"]
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_declared_length_reserves_no_memory(head: bytes, nested: bool) -> None:
    raw = head + b"\xff\xff\xff\xff" + b"\x01\x90" * 10
    raw = b"\x91" * 100 + raw if nested else raw
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="^not an encoding"):
            unpack(raw)
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("levels", [300, 1000, 3000, 100_000])
def test_a_nesting_bomb_of_lists_is_refused(levels: int) -> None:
    for opener, end in ((b"\x91", b"\x01"), (b"\x81\xa1a", b"\x01"), (b"\x91", b"")):
        with pytest.raises(ValueError, match="^not an encoding"):
            unpack(opener * levels + end)


@pytest.mark.parametrize("body", ["bomb", "b'\\x91' + bomb", "b'\\x92\\x01' + bomb", "b'\\x81\\xa1a' + bomb"])
@pytest.mark.parametrize("number", range(13))
def test_a_nesting_bomb_of_extensions_is_refused_at_once(number: int, body: str) -> None:
    run_apart(
        f"""
        for levels in (32, 33, 300, 1000):
            bomb = b"\\x01"
            for _ in range(levels):
                bomb = packb(Ext({number}, {body}))
            try:
                value = unpack(bomb)
            except ValueError:
                continue
            assert levels == 32 and pack(value) == bomb
        """
    )


@example({"a": {(1, 2): {3}}})
@given(nested)
def test_reading_and_writing_leave_a_value_alone(value: object) -> None:
    before = describe(value)
    pack(value)
    unpack(pack([value, b""]))
    assert describe(value) == before
