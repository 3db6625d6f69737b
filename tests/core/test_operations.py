"""Each operation is one call of one method of a store."""

from __future__ import annotations

from inspect import signature

import pytest

from coatcheck.core.operations import EARLIER_STORE, STORE, Operation, delete, insert, read, replace, touch
from coatcheck.core.record import StoredRecord
from coatcheck.stores import AsyncStore, Store

KEY = bytes(32)
RECORD = StoredRecord(b"content", 1, 2)
OPERATIONS = {
    "read": read(STORE, KEY),
    "insert": insert(STORE, KEY, RECORD),
    "replace": replace(STORE, KEY, RECORD, 7),
    "touch": touch(STORE, KEY, 1, 2, 7),
    "delete": delete(STORE, KEY),
}


@pytest.mark.parametrize("protocol", [Store, AsyncStore])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_the_arguments_that_the_method_takes(name: str, protocol: type) -> None:
    operation = OPERATIONS[name]
    assert operation.method == name
    bound = signature(getattr(protocol, name)).bind(None, *operation.arguments)
    values = {"key": KEY, "record": RECORD, "seen": 7, "used_at": 1, "expires_at": 2}
    assert {argument: value for argument, value in bound.arguments.items() if argument != "self"} == {
        argument: values[argument] for argument in bound.arguments if argument != "self"
    }


def test_there_is_an_operation_for_each_method_of_a_store() -> None:
    assert set(OPERATIONS) == {name for name in vars(Store) if not name.startswith("_")}


def test_an_operation_says_which_store_it_is_for() -> None:
    assert (STORE, EARLIER_STORE) == (0, 1)
    assert [read(place, KEY) for place in (STORE, EARLIER_STORE)] == [
        Operation(0, "read", (KEY,)),
        Operation(1, "read", (KEY,)),
    ]
