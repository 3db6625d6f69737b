"""P: hostile content, sealed with the real key as after a leak.

Each is sealed properly, so that only the reader of the content stands in its way.
Nothing here reads JSON: P1, P3, P4 and P13 are refused as bytes like any others.
"""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import tracemalloc
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from attacks.harness import ID, Desk, Site
from attacks.hostile import EVERY_TYPE, HOSTILE, NO_RECORDS, in_a_map, nested, nested_tuples
from ormsgpack import Ext, packb

from coatcheck import Event, Reason, Session, Unserializable
from coatcheck.core.codec import pack, unpack
from coatcheck.core.events import Kind
from coatcheck.flask import session

Check = Callable[..., None]


def assert_refused(desk: Desk, group: str) -> None:
    chosen = {name: packed for name, packed in HOSTILE.items() if name.startswith(group)}
    assert chosen
    outcomes = {name: desk.refusal(desk.seal_packed(packed)) for name, packed in chosen.items()}
    assert {name for name, reason in outcomes.items() if reason is not Reason.UNREADABLE} == set()


def test_p1_nested_json_gives_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "p1 ")


def test_p2_nested_messagepack_gives_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "p2 ")


def test_p3_numbers_of_thousands_of_digits_give_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "p3 ")


def test_p4_floats_that_are_not_finite_give_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "p4 ")


def test_p5_lone_surrogates_give_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "p5 ")


def test_p6_doubled_keys_give_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "p6 ")


def test_p7_content_that_is_no_dict_gives_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "p7 ")


def test_p10_keys_that_cannot_be_keys_give_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "p10 ")


def test_p11_unknown_extensions_and_timestamps_give_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "p11 ")


def test_p12_trailing_bytes_false_lengths_and_long_forms_give_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "p12 ")


def test_p13_json_in_any_encoding_gives_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "p13 ")


def test_p14_serialized_objects_give_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "p14 ")


def test_p18_extensions_with_bad_bodies_give_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "p18 ")


def test_p_every_other_hostile_content_gives_an_empty_session(desk: Desk) -> None:
    assert_refused(desk, "")


@pytest.mark.parametrize(
    "name",
    [name for name in HOSTILE if not name.startswith(("p11 unknown", "p18"))]
    + ["p11 unknown type 0", "p11 unknown type -128", "p18 type 8, bad body 4", "p18 zone 3 of a datetime"],
)
def test_p_a_hostile_content_in_a_whole_application(
    site: Site, desk: Desk, name: str, gives_an_empty_session: Check
) -> None:
    gives_an_empty_session(site, f"session={desk.seal_packed(HOSTILE[name])}", Reason.UNREADABLE)


def test_p2_nesting_of_any_depth_is_refused_by_the_codec() -> None:
    """Deeper than fits into a cookie."""
    for packed in (b"[" * 100_000, nested(b"\x91", 100_000, b"\xc0"), nested(b"\x81\xa1a", 100_000, b"\xc0")):
        with pytest.raises(ValueError, match="not an encoding"):
            unpack(packed)
    for depth in (255, 600, 20_000):
        with pytest.raises(ValueError, match="not an encoding"):
            unpack(nested_tuples(depth))


def test_p2_the_deepest_nesting_that_is_written_opens_and_one_more_is_an_error(site: Site, desk: Desk) -> None:
    value: object = "end"
    for _ in range(252):
        value = [value]
    content = {"k": value}
    assert desk.load(f"session={desk.seal(content)}").content == content
    for _ in range(3):
        value = [value]
    with pytest.raises(Unserializable):
        pack({"k": value})
    with pytest.raises(Unserializable):
        pack({"k": nested_lists(100_000)})


def nested_lists(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_p2_a_list_that_holds_itself_is_an_error() -> None:
    endless: list[object] = []
    endless.append(endless)
    circle: dict[str, object] = {}
    circle["self"] = (circle,)
    for value in (endless, circle):
        with pytest.raises(Unserializable):
            pack({"k": value})


SMALL_STACK = """
import threading
from coatcheck.core.codec import unpack
def attack():
    try:
        unpack(bytes.fromhex("{packed}"))
    except ValueError:
        print("refused")
threading.stack_size(512 * 1024)
thread = threading.Thread(target=attack)
thread.start()
thread.join()
"""


def test_p2_nested_extensions_do_not_overrun_the_stack_of_a_small_thread() -> None:
    """Half a mebibyte is what threads of musl, of BSDs and of servers that are told to save memory have, or less."""
    script = SMALL_STACK.format(packed=in_a_map(nested_tuples(600)).hex())
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (0, "refused\n")


def calls_made_by(function: Callable[[], object]) -> int:
    count = 0

    def count_one(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(count_one)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", [tuple, frozenset])
def test_p2_twice_the_nesting_costs_about_twice_the_calls(kind: type) -> None:
    """One that doubles with every level takes a worker for hours, with a cookie of a hundred bytes."""

    def of_depth(depth: int) -> bytes:
        value: object = kind()
        for _ in range(depth):
            value = kind([value])
        return pack({"k": value})

    shallow, deep = of_depth(7), of_depth(14)
    assert calls_made_by(lambda: unpack(deep)) < 5 * calls_made_by(lambda: unpack(shallow))
    shallow_value, deep_value = unpack(shallow), unpack(deep)
    assert calls_made_by(lambda: pack(deep_value)) < 5 * calls_made_by(lambda: pack(shallow_value))


def test_p3_decimals_of_thousands_of_digits_raise_nothing(desk: Desk) -> None:
    """A Decimal keeps its digits; nothing turns them into an int, which Python limits to 4300."""
    digits = "9" * 2800
    assert desk.load(f"session={desk.seal({'k': Decimal(digits)})}").content == {"k": Decimal(digits)}
    assert unpack(pack(Decimal("9" * 5000))) == Decimal("9" * 5000)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e400, -1e400])
def test_p4_a_float_that_is_not_finite_is_an_error_on_write(site: Site, value: float) -> None:
    assert_cannot_be_kept(site, value, "a float that is not finite")


@pytest.mark.parametrize("value", ["\ud800", "a\udc80b", "\udfff" * 3])
def test_p5_a_lone_surrogate_is_an_error_on_write(site: Site, value: str) -> None:
    assert_cannot_be_kept(site, value, "a lone surrogate")
    with pytest.raises(Unserializable, match="lone surrogate"):
        pack({value: 1})


@pytest.mark.parametrize("value", [2**64, 2**64 + 1, 2**200, -(2**63) - 1, -(2**200)], ids=str)
def test_p16_an_integer_of_more_than_64_bits_is_an_error_and_never_wraps(site: Site, value: int) -> None:
    assert_cannot_be_kept(site, value, "more than 64 bits")


@pytest.mark.parametrize("value", [2**64 - 1, 2**63, 2**63 - 1, -(2**63), 2**32, -(2**31) - 1, 0, -1], ids=str)
def test_p16_an_integer_of_64_bits_comes_back_exactly(desk: Desk, value: int) -> None:
    assert desk.load(f"session={desk.seal({'k': value})}").content == {"k": value}


class Colour(Enum):
    RED = 1


class Level(IntEnum):
    HIGH = 1


class Text(str):
    pass


class Number(int):
    pass


class Mapping(dict[str, int]):
    pass


class Items(list[int]):
    pass


class Moment(datetime):
    pass


@dataclass
class User:
    name: str


class Point(NamedTuple):
    x: int
    y: int


NOT_KEPT: dict[str, object] = {
    "object": object(),
    "class": dict,
    "function": pack,
    "generator": (each for each in "x"),
    "iterator": iter([]),
    "range": range(3),
    "complex": 1j,
    "bytearray": bytearray(b"x"),
    "memoryview": memoryview(b"x"),
    "enum": Colour.RED,
    "int enum": Level.HIGH,
    "str subclass": Text("x"),
    "int subclass": Number(1),
    "dict subclass": Mapping(),
    "list subclass": Items(),
    "datetime subclass": Moment(2024, 1, 1),
    "OrderedDict": OrderedDict(),
    "deque": deque[int](),
    "named tuple": Point(1, 2),
    "dataclass": User("x"),
    "dict view": {}.keys(),
    "exception": ValueError("x"),
    "path": Path("x"),
    "ellipsis": ...,
}


def assert_cannot_be_kept(site: Site, value: object, problem: str) -> None:
    """Everywhere in a session: an error with the path, nothing sent, the old cookie as it was."""
    places: dict[str, Callable[[], object]] = {
        "session['k']": lambda: value,
        "session['k']['a'][1]": lambda: {"a": [0, value]},
        "session['k'][0]": lambda: (value,),
        "session['k'][5]": lambda: {5: value},
    }
    chosen: list[object] = []

    def keep() -> str:
        session["k"] = chosen[-1]
        return "kept"

    site.app.add_url_rule("/keep", view_func=keep)
    old = site.get("/write").pair
    for path, make in places.items():
        chosen.append(make())
        site.app.config["PROPAGATE_EXCEPTIONS"] = True
        with pytest.raises(Unserializable, match=problem) as error:
            site.get("/keep", old)
        assert error.value.path == path
        site.app.config["PROPAGATE_EXCEPTIONS"] = False
        answer = site.get("/keep", old)
        assert (answer.status, answer.cookies) == ("500 INTERNAL SERVER ERROR", [])
    assert site.get("/read", old).text == "user: ann"


@pytest.mark.parametrize("name", NOT_KEPT)
def test_p19_a_type_that_the_codec_lacks_is_an_error_and_never_dropped(site: Site, name: str) -> None:
    assert_cannot_be_kept(site, NOT_KEPT[name], "a type that a session cannot keep")


class Bomb:
    """Makes a directory when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_p14_pickled_code_does_not_run(site: Site, desk: Desk, tmp_path: Path, gives_an_empty_session: Check) -> None:
    flag = tmp_path / "ran"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        bomb = pickle.dumps(Bomb(flag), protocol)
        for packed in (
            bomb,
            in_a_map(packb(Ext(1, bomb))),
            in_a_map(packb(Ext(4, bomb))),
            in_a_map(packb(Ext(12, bomb))),
        ):
            gives_an_empty_session(site, f"session={desk.seal_packed(packed)}", Reason.UNREADABLE)
        loaded = desk.load(f"session={desk.seal({'k': bomb})}")
        assert loaded.content == {"k": bomb}
        assert desk.refusal(desk.seal_plaintext(bomb.ljust(160, b"\x00"))) is Reason.UNREADABLE
        assert not flag.exists()
    pickle.loads(bomb)
    assert flag.exists()


RESERVED = [
    "__class__",
    "__reduce__",
    "__init__",
    "__dict__",
    "__proto__",
    "__html__",
    "_data",
    "_loaded",
    "accessed",
    "new",
]


def test_p15_reserved_names_as_keys_are_plain_data(site: Site, desk: Desk) -> None:
    content = {name: {"__class__": "os.system", "args": ["true"]} for name in RESERVED}
    loaded = desk.load(f"session={desk.seal(content)}")
    assert loaded.content == content

    def reserved() -> str:
        assert isinstance(session, Session)
        assert (session.new, session.modified, session.accessed) == (False, False, True)
        assert dict(session) == content
        return session.handle

    site.app.add_url_rule("/reserved", view_func=reserved)
    assert site.get("/reserved", f"session={desk.seal(content)}").text == ID.hex()


@pytest.mark.parametrize(
    "value", ["", "no", 0, [], {}, None, Decimal("sNaN"), b"\x00", 2**64 - 1, "x" * 1000], ids=repr
)
def test_p15_any_value_under_the_key_of_permanence_only_says_yes_or_no(site: Site, desk: Desk, value: object) -> None:
    answer = site.get("/write", f"session={desk.seal({'_permanent': value})}")
    assert ("Max-Age" in answer.cookies[0]) is bool(value)


@pytest.mark.parametrize("name", NO_RECORDS)
def test_p12_a_genuine_seal_around_no_record_gives_an_empty_session(desk: Desk, name: str) -> None:
    assert desk.refusal(desk.seal_plaintext(NO_RECORDS[name])) in (Reason.UNREADABLE, Reason.MALFORMED)


def test_p12_a_genuine_seal_around_no_record_in_a_whole_application(
    site: Site, desk: Desk, gives_an_empty_session: Check
) -> None:
    for name in (
        "shape 1",
        "padding of zeros alone",
        "a block of padding too many",
        "no content",
        "a record in a record",
    ):
        gives_an_empty_session(site, f"session={desk.seal_plaintext(NO_RECORDS[name])}", Reason.UNREADABLE)


def test_p_random_content_under_a_genuine_seal_gives_an_empty_session(desk: Desk) -> None:
    dice = Random(7)
    for _ in range(5000):
        assert desk.refusal(desk.seal_packed(b"\x81\xa1k" + dice.randbytes(dice.randint(1, 60)))) in (
            Reason.UNREADABLE,
            None,
        )
        assert desk.refusal(desk.seal_plaintext(dice.randbytes(32 * dice.randint(1, 5)))) is Reason.UNREADABLE


def test_p_every_changed_byte_of_a_content_of_every_type_opens_exactly_or_not_at_all(desk: Desk) -> None:
    packed = pack(EVERY_TYPE)
    assert desk.load(f"session={desk.seal_packed(packed)}").content == EVERY_TYPE
    opened = 0
    for at in range(len(packed)):
        for other in (
            packed[at] ^ 1,
            packed[at] ^ 0x80,
            0x00,
            0x80,
            0x90,
            0xC0,
            0xC1,
            0xC4,
            0xC7,
            0xCB,
            0xD9,
            0xDD,
            0xDF,
            0xFF,
        ):
            changed = packed[:at] + bytes([other]) + packed[at + 1 :]
            loaded = desk.load(f"session={desk.seal_packed(changed)}")
            if loaded.record is None:
                assert desk.events == [Event(Kind.REJECTED, Reason.UNREADABLE)]
            else:
                opened += 1
                assert pack(loaded.content) == changed
    assert opened


def test_p12_no_hostile_content_makes_anything_large(desk: Desk) -> None:
    tokens = [desk.seal_packed(packed) for packed in HOSTILE.values()]
    gc.collect()
    tracemalloc.start()
    try:
        for token in tokens:
            desk.refusal(token)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20
