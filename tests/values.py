"""Everything that a session keeps: strategies and examples, and what it means for two values to be the same."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from markupsafe import Markup

BERLIN = ZoneInfo("Europe/Berlin")

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    2**64 - 1,
    -(2**63),
    0.0,
    -0.0,
    1.5,
    5e-324,
    1.7976931348623157e308,
    "",
    "text",
    "\u00fc\u2028\U0001f36a\x00",
    b"",
    bytes(range(256)),
    [],
    [1, [2, [3]]],
    {},
    {"a": {"": None}},
    {1: 2, None: 3, (1, b"x"): 4, "text": 5},
    {frozenset({1}): date(2030, 1, 1)},
    (),
    (1, (2, "3")),
    set(),
    {1, "a", b"a", None, 1.5, (2, 3)},
    frozenset(),
    frozenset({1, frozenset({2})}),
    datetime(2030, 2, 3, 4, 5, 6, 7),
    datetime.min,
    datetime.max,
    datetime(2030, 2, 3, tzinfo=UTC),
    datetime(2030, 2, 3, tzinfo=timezone(timedelta(hours=-3, microseconds=1))),
    datetime(2030, 2, 3, tzinfo=timezone(timedelta(hours=1), "Mitteleurop\u00e4isch")),
    datetime(2030, 2, 3, tzinfo=timezone(timedelta(0), "")),
    datetime(2030, 10, 27, 2, 30, tzinfo=BERLIN, fold=0),
    datetime(2030, 10, 27, 2, 30, tzinfo=BERLIN, fold=1),
    datetime(2030, 10, 27, 2, 30, fold=1),
    date.min,
    date(2030, 2, 3),
    time(4, 5, 6, 7),
    time(4, 5, fold=1),
    time(4, 5, tzinfo=UTC),
    time(4, 5, tzinfo=BERLIN),
    timedelta(0),
    timedelta(days=-1, seconds=5, microseconds=6),
    timedelta.max,
    timedelta.min,
    UUID(int=0),
    UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
    Decimal(0),
    Decimal("-0.00"),
    Decimal("1.50"),
    Decimal("1E+3"),
    Decimal("1E-999"),
    Decimal("NaN"),
    Decimal("-sNaN123"),
    Decimal("Infinity"),
    Decimal("-Infinity"),
    Markup(""),
    Markup("<b>\u00fc</b>"),
    {"markup": [Markup("a"), "a"]},
    {Markup("a"): 1},
]

zones = st.one_of(
    st.none(),
    st.just(UTC),
    st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23))),
    st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)), st.text(max_size=5)),
    st.sampled_from([BERLIN, *map(ZoneInfo, ("UTC", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia"))]),
)


@st.composite
def _folded(draw: st.DrawFn, instants: st.SearchStrategy[Any]) -> Any:
    return draw(instants).replace(fold=draw(st.integers(0, 1)), tzinfo=draw(zones))


scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-200, 200),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=40),
    st.binary(max_size=40),
    _folded(st.datetimes()),
    st.dates(),
    _folded(st.times()),
    st.timedeltas(),
    st.uuids(),
    st.decimals(allow_nan=False),
    st.text(max_size=10).map(Markup),
)
# As members and keys. A NaN equals nothing, so that a set of it could be compared with nothing.
hashables: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
nested: st.SearchStrategy[Any] = st.recursive(
    scalars | st.decimals(allow_nan=True),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=4),
        st.dictionaries(hashables, inner, max_size=4),
        st.sets(hashables, max_size=4),
        st.frozensets(hashables, max_size=4),
    ),
    max_leaves=12,
)
values = st.sampled_from(VALUES) | nested


def describe(value: Any) -> tuple[Any, ...]:
    """Gives what two values must share to be the same: types, signs of zero, folds and zones, at every depth."""
    kind = type(value)
    if kind is float:
        return kind, struct.pack(">d", value)
    if kind in (list, tuple):
        return kind, tuple(map(describe, value))
    if kind in (set, frozenset):
        return kind, frozenset(map(describe, value))
    if kind is dict:
        return kind, tuple((describe(key), describe(item)) for key, item in value.items())
    if kind is datetime:
        return kind, value.replace(tzinfo=None, fold=0), value.fold, _describe_zone(value.tzinfo)
    if kind is time:
        return kind, value.replace(tzinfo=None, fold=0), value.fold, _describe_zone(value.tzinfo)
    if kind is Decimal:
        return kind, value.as_tuple()
    return kind, value


def _describe_zone(zone: tzinfo | None) -> tuple[Any, ...]:
    if type(zone) is timezone:
        return timezone, zone.utcoffset(None), zone.tzname(None)
    return type(zone), zone.key if isinstance(zone, ZoneInfo) else None
