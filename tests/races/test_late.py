"""Late saves of several requests on one session, their store operations in every order: see `late.py`.

Where there are thousands of orders, so many of them are tried. For more, in some minutes:

    COATCHECK_ORDERS=1000000 pytest tests/races/test_late.py
"""

from __future__ import annotations

import os
from itertools import combinations_with_replacement
from random import Random

import pytest
from races.late import Late
from races.orders import orders
from races.steps import Fault
from races.views import View
from races.wrong_stores import Careless, Reviving

from coatcheck.stores.memory import MemoryStore

MOST = int(os.environ.get("COATCHECK_ORDERS", "400"))

# The first step comes before the response, and each of the others is saved by itself.
STREAMS = (
    ("look", "put 1", "put 2"),
    ("look", "count", "put"),
    ("count", "count"),
    ("put", "nested"),
    ("login", "put"),
    ("look", "destroy"),
    ("look", "clear"),
    ("destroy",),
)


@pytest.mark.parametrize("streams", list(combinations_with_replacement(STREAMS, 2)), ids=str)
def test_each_two_requests_that_save_late(streams: tuple[tuple[str, ...], ...]) -> None:
    assert list(orders(Late, streams, most=MOST))


@pytest.mark.parametrize("last", [("destroy",), ("login",), ("look", "destroy"), ("put",)], ids=str)
def test_two_that_save_late_and_a_third(last: tuple[str, ...]) -> None:
    for one in (("look", "put 1", "put 2"), ("look", "count", "count")):
        assert list(orders(Late, (one, ("look", "count", "put"), last), most=MOST))


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.TWICE])
def test_late_saves_with_a_fault_at_each_operation(fault: Fault) -> None:
    for streams in (
        (("look", "put 1", "put 2"),),
        (("look", "count", "count"), ("look", "put")),
        (("look", "put"), ("destroy",)),
        (("look", "put"), ("login",)),
        (("look", "put"), ("look", "destroy")),
    ):
        assert list(orders(Late, streams, fault, most=40))


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER])
def test_of_one_request_that_counts_late_each_counts_once_whatever_the_store_loses(fault: Fault) -> None:
    for model in orders(Late, (("count", "count", "put", "count"),), fault):
        (visit,) = model.visits
        request = visit.request
        content = dict(model.site.open(model.header))
        confirmed = request.confirmed.count("count")
        if request.error is None:
            assert content["count"] == confirmed == 3


@pytest.mark.parametrize(("store", "other"), [(Careless, ("look", "put 1", "put 2")), (Reviving, ("destroy",))])
def test_what_a_wrong_store_loses_is_seen(store: type[MemoryStore], other: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError):
        list(orders(lambda: Late(store), (("look", "put 1", "put 2"), other), most=MOST))


@pytest.mark.parametrize("fault", list(Fault))
def test_walks_of_up_to_three_requests_that_do_anything(fault: Fault) -> None:
    late = ("put", "count", "nested", "destroy", "clear")
    for seed in range(MOST):
        random, model = Random(seed), Late()
        for number in range(1, random.randint(2, 4)):
            first = random.choice(("look", "put", "count", "login", "destroy"))
            rest = (random.choice(late[:3]) for _ in range(random.randint(0, 3)))
            last = random.choices((*late[3:], "look"), (1, 1, 8))
            model.begin(model.header, View(number, first, *rest, *last))
        while under_way := [visit for visit in model.visits if not visit.request.done]:
            model.step(random.choice(under_way), fault if random.random() < 0.1 else Fault.NONE)
        model.settle()
