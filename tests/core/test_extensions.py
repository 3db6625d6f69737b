"""The encodings of the extension types are part of format v1: these bytes stay."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from io import BytesIO
from struct import pack as pack_struct
from textwrap import dedent
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from markupsafe import Markup

from coatcheck import Unserializable
from coatcheck.core import extensions
from coatcheck.core.codec import pack, unpack

FROZEN: list[tuple[Any, str]] = [
    ((), "d40190"),
    ((1, "a"), "d6019201a161"),
    ({2, 1}, "c70302920102"),
    ({"b", "a", 1}, "c706029301a161a162"),
    (frozenset({1}), "d5039101"),
    (datetime(2030, 2, 3, 4, 5, 6, 7), "c70c0499cd07ee02030405060700c0"),
    (datetime(2030, 2, 3, tzinfo=UTC), "c70c0499cd07ee0203000000000000"),
    (datetime(2030, 2, 3, tzinfo=timezone(timedelta(seconds=-1))), "d80499cd07ee02030000000000d2fff0bdc0"),
    (datetime(2030, 2, 3, tzinfo=timezone(timedelta(0), "X")), "c70f0499cd07ee020300000000009200a158"),
    (
        datetime(2030, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        "c7190499cd07ee0a1b021e000001ad4575726f70652f4265726c696e",
    ),
    (date(2030, 2, 3), "c7060593cd07ee0203"),
    (time(4, 5, 6, 7, fold=1), "c70706960405060701c0"),
    (timedelta(days=-1, seconds=2, microseconds=3), "d60793ff0203"),
    (UUID(int=1), "c71208c41000000000000000000000000000000001"),
    (Decimal("-1.50"), "c70609a52d312e3530"),
    (Markup("<b>"), "d60aa33c623e"),
    ({1: "a"}, "d60b9201a161"),
    ({None: b""}, "d60b92c0c400"),
]


@pytest.mark.parametrize(("value", "packed"), FROZEN, ids=[repr(value) for value, _ in FROZEN])
def test_an_extension_is_written_and_read_as_format_v1_has_it(value: Any, packed: str) -> None:
    raw = bytes.fromhex(packed)
    assert pack(value).hex() == raw.hex()
    assert unpack(raw) == value
    assert type(unpack(raw)) is type(value)


def test_a_zone_that_was_read_from_a_file_has_no_name_to_keep() -> None:
    header = b"TZif" + bytes(16) + pack_struct(">6l", 0, 0, 0, 0, 1, 4)
    zone = ZoneInfo.from_file(BytesIO(header + bytes(6) + b"UTC\0"))
    for instant in (datetime(2030, 1, 1, tzinfo=zone), time(1, 2, tzinfo=zone)):
        with pytest.raises(
            Unserializable, match=r"^session\['at'\] has a time zone that cannot be kept; use datetime.timezone"
        ):
            pack({"at": instant})


def test_an_offset_that_names_itself_as_usual_is_written_without_the_name() -> None:
    named = timezone(timedelta(hours=1), "UTC+01:00")
    assert pack(time(tzinfo=named)) == pack(time(tzinfo=timezone(timedelta(hours=1))))


def test_without_markupsafe_there_is_a_type_that_says_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "markupsafe", None)
    spec = spec_from_file_location("extensions_apart", str(extensions.__file__))
    assert spec is not None and spec.loader is not None
    apart = module_from_spec(spec)
    spec.loader.exec_module(apart)
    numbers = {extension.number: extension for extension in apart.EXTENSIONS}
    assert list(numbers) == [extension.number for extension in extensions.EXTENSIONS]
    kind, write, read = numbers[10].kind, numbers[10].write, numbers[10].read
    assert kind is not Markup and issubclass(kind, str)
    assert type(read("<b>")) is kind and read("<b>") == "<b>"
    assert type(write(read("<b>"))) is str


@pytest.mark.parametrize("text", ["", "<b>", "\u00fc"])
def test_without_markupsafe_markup_stays_marked_text(text: str) -> None:
    packed = pack({"html": [Markup(text), b""], Markup(text): text, "plain": text})
    program = """
        import sys

        sys.modules["markupsafe"] = None

        from coatcheck.core.codec import pack, unpack

        packed = bytes.fromhex(sys.argv[1])
        content = unpack(packed)
        html, plain = content["html"][0], content["plain"]
        assert html == plain and type(html) is not str and isinstance(html, str) and type(plain) is str
        assert pack(content) == packed
        assert pack({"html": html}) != pack({"html": plain})
        """
    subprocess.run([sys.executable, "-c", dedent(program), packed.hex()], check=True, timeout=20)
