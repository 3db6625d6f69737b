"""The types that MessagePack does not have: number, how it is written, how it is read.

Each is written as a plain value (list, text, bytes), whose own encoding is the
body of the extension. The numbers are part of format v1 (docs/format.md).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo


class _Marked(str):
    """Text that another host marked as safe HTML. Kept as such here, where it means nothing."""

    __slots__ = ()


try:
    import markupsafe
except ImportError:
    Markup: type[str] = _Marked
else:
    Markup = markupsafe.Markup


class Extension(NamedTuple):
    number: int
    kind: type
    write: Callable[[Any], object]
    read: Callable[[Any], object]


def _write_zone(zone: tzinfo | None) -> object:
    if zone is None:
        return None
    if type(zone) is ZoneInfo and zone.key is not None:
        return zone.key
    if type(zone) is timezone:
        offset = zone.utcoffset(None)
        microseconds = offset // timedelta(microseconds=1)
        name = zone.tzname(None)
        return microseconds if name == timezone(offset).tzname(None) else [microseconds, name]
    raise ValueError("has a time zone that cannot be kept; use datetime.timezone or zoneinfo.ZoneInfo")


def _read_zone(plain: Any) -> tzinfo | None:
    if plain is None:
        return None
    if type(plain) is str:
        return ZoneInfo(plain)
    if type(plain) is list:
        return timezone(timedelta(microseconds=plain[0]), plain[1])
    return timezone(timedelta(microseconds=plain))


def _write_datetime(value: datetime) -> object:
    fields = [value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond]
    return [*fields, value.fold, _write_zone(value.tzinfo)]


def _read_datetime(plain: Any) -> datetime:
    year, month, day, hour, minute, second, microsecond, fold, zone = plain
    return datetime(year, month, day, hour, minute, second, microsecond, _read_zone(zone), fold=fold)


def _write_time(value: time) -> object:
    return [value.hour, value.minute, value.second, value.microsecond, value.fold, _write_zone(value.tzinfo)]


def _read_time(plain: Any) -> time:
    hour, minute, second, microsecond, fold, zone = plain
    return time(hour, minute, second, microsecond, _read_zone(zone), fold=fold)


def _read_map(plain: Any) -> dict[Any, Any]:
    return dict(zip(plain[::2], plain[1::2], strict=True))


def _text(plain: object) -> str:
    # Both types take other things too, and write them out as text: a nested one at twice the length for each level.
    if type(plain) is not str:
        raise TypeError
    return plain


EXTENSIONS = (
    Extension(1, tuple, list, tuple),
    Extension(2, set, list, set),
    Extension(3, frozenset, list, frozenset),
    Extension(4, datetime, _write_datetime, _read_datetime),
    Extension(5, date, lambda value: [value.year, value.month, value.day], lambda plain: date(*plain)),
    Extension(6, time, _write_time, _read_time),
    Extension(
        7,
        timedelta,
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda plain: timedelta(*plain),
    ),
    Extension(8, UUID, lambda value: value.bytes, lambda plain: UUID(bytes=plain)),
    Extension(9, Decimal, str, lambda plain: Decimal(_text(plain))),
    Extension(10, Markup, str, lambda plain: Markup(_text(plain))),
    # A dict with keys other than text. MessagePack has it, but a reader that takes
    # only text keys refuses hostile ones (a list as a key) by itself.
    Extension(11, dict, lambda value: [each for pair in value.items() for each in pair], _read_map),
)
