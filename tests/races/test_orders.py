"""Requests on one session with their store operations in every order: see `model.py` for what must hold.

Where there are thousands of orders, so many of them are tried. For all of them, in some minutes:

    COATCHECK_ORDERS=1000000 pytest tests/races/test_orders.py
"""

from __future__ import annotations

import os
from itertools import combinations_with_replacement

import pytest
from races.moves import MOVES, World
from races.orders import orders
from races.steps import Fault
from races.wrong_stores import Careless, Overwriting, Reviving

from coatcheck.stores.memory import MemoryStore

VIEWS = (
    ("look",),
    ("set own", "set shared", "count"),
    ("drop shared", "append"),
    ("pop all",),
    ("clear",),
    ("set own", "regenerate"),
    ("destroy",),
    ("destroy", "set own"),
    ("make permanent",),
)
MOST = int(os.environ.get("COATCHECK_ORDERS", "50"))
# Those of which each does something else to a session that comes from elsewhere.
FEW = (("look",), ("set own", "count"), ("set own", "regenerate"), ("destroy",))


@pytest.mark.parametrize("move", ["in one store", "from the cookie"])
def test_each_two_requests(move: str) -> None:
    world = World(move)
    for views in combinations_with_replacement(VIEWS, 2):
        assert list(orders(world.begin, views))


@pytest.mark.parametrize("move", ["from another store", "from another name"])
def test_each_two_requests_of_which_more_is_asked(move: str) -> None:
    world = World(move)
    for views in combinations_with_replacement(VIEWS, 2):
        assert list(orders(world.begin, views, most=MOST))


def test_each_three_requests_of_a_few() -> None:
    world = World("in one store")
    for views in combinations_with_replacement(FEW, 3):
        assert list(orders(world.begin, views, most=MOST))


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.TWICE])
def test_each_two_requests_with_a_fault_at_each_operation(fault: Fault) -> None:
    world = World("in one store")
    for views in combinations_with_replacement(FEW, 2):
        assert list(orders(world.begin, views, fault))


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.TWICE])
@pytest.mark.parametrize("move", [move for move in MOVES if move != "in one store"])
def test_a_request_that_brings_a_session_home_with_a_fault_at_each_operation(move: str, fault: Fault) -> None:
    world = World(move)
    for steps in VIEWS:
        assert list(orders(world.begin, (steps,), fault))


@pytest.mark.parametrize(
    ("store", "move", "views"),
    [
        (Careless, "in one store", (("set own",), ("set own",))),
        (Careless, "in one store", (("set own",), ("set own", "regenerate"))),
        (Reviving, "in one store", (("set own",), ("destroy",))),
        (Reviving, "in one store", (("set own", "regenerate"), ("destroy",))),
        (Overwriting, "from the cookie", (("set own",), ("set own",))),
        (Overwriting, "from another store", (("set own",), ("destroy",))),
    ],
)
def test_what_a_wrong_store_loses_is_seen(
    store: type[MemoryStore], move: str, views: tuple[tuple[str, ...], ...]
) -> None:
    world = World(move, store)
    with pytest.raises(AssertionError):
        list(orders(world.begin, views))
