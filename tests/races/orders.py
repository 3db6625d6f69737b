"""Every order in which the store operations of some requests can happen, one run for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from random import Random
from typing import Any, Protocol, TypeVar

from races.steps import Fault
from races.views import View

from coatcheck.core.operations import Operation


class Watched(Protocol):
    """A model that requests can be made to."""

    issued: list[str]

    def begin(self, header: str, view: View) -> Any: ...

    def step(self, visit: Any, fault: Fault = Fault.NONE) -> None: ...

    def settle(self) -> None: ...


_Model = TypeVar("_Model", bound=Watched)


def orders(
    begin: Callable[[], _Model],
    views: Sequence[tuple[str, ...]],
    fault: Fault = Fault.NONE,
    *,
    most: int | None = None,
) -> Iterator[_Model]:
    """Gives a model for each order, run to its end; with a fault, for each operation of each order that it may befall.

    A run begins anew each time, and goes another way at a point where there is one. Two reads, one after the other,
    are made in one order only: they do not disturb each other. `most` bounds the orders; they are then any of them.
    """
    if fault is Fault.NONE:
        yield from islice(_orders(begin, views, fault, -1), most)
        return
    place, befell = 0, True
    while befell:
        befell = False
        # Few runs are as long as the longest: it is not looked for by all of them where only some are wanted.
        runs = None if most is None else 5 * most
        for model in islice(_orders(begin, views, fault, place, runs), most):
            befell = True
            yield model
        place += 1


def _orders(
    begin: Callable[[], _Model],
    views: Sequence[tuple[str, ...]],
    fault: Fault,
    place: int,
    runs: int | None = None,
) -> Iterator[_Model]:
    ways: list[list[int]] = [[]]
    random = Random(0)
    made = 0
    while ways and made != runs:
        made += 1
        way = ways.pop(random.randrange(len(ways)))
        model = begin()
        visits = [model.begin(model.issued[0], View(number, *steps)) for number, steps in enumerate(views, 1)]
        taken: list[int] = []
        read = -1
        while under_way := [number for number, visit in enumerate(visits) if not visit.request.done]:
            following = [number for number in under_way if number >= read or not _reads(visits[number])]
            if not following:
                break
            if len(taken) == len(way):
                ways += [[*taken, other] for other in following[1:]]
                way.append(following[0])
            visit = visits[way[len(taken)]]
            read = way[len(taken)] if _reads(visit) else -1
            model.step(visit, fault if len(taken) == place else Fault.NONE)
            taken.append(way[len(taken)])
            while not visit.request.done and visit.request.pending is None:
                model.step(visit)
        else:
            if len(taken) > place:
                model.settle()
                yield model


def _reads(visit: Any) -> bool:
    operation: Operation | None = visit.request.pending
    return operation is not None and operation.method == "read"
