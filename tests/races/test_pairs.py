"""Every two requests on one session, with their store operations in every order: see `model.py` for what must hold."""

from __future__ import annotations

from collections.abc import Iterator

from races.model import Model
from races.moves import World
from races.views import View
from races.visit import Visit

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


def orders(world: World, views: list[tuple[str, ...]]) -> Iterator[Model]:
    """Gives a model for each order of the store operations of these requests, run to its end.

    It runs from the beginning each time, and takes another way at the last point where there is one. Two reads, one
    after the other, are made in one order only: they do not disturb each other.
    """
    ways: list[list[int]] = [[]]
    while ways:
        way = ways.pop()
        model = world.begin()
        visits = [model.begin(model.issued[0], View(number, *steps)) for number, steps in enumerate(views, 1)]
        taken: list[int] = []
        read = -1
        while under_way := [number for number, visit in enumerate(visits) if not visit.request.done]:
            following = [number for number in under_way if number >= read or not reads(visits[number])]
            if not following:
                break
            if len(taken) == len(way):
                ways += [[*taken, other] for other in following[1:]]
                way.append(following[0])
            choice = way[len(taken)]
            taken.append(choice)
            read = choice if reads(visits[choice]) else -1
            model.step(visits[choice])
            while not visits[choice].request.done and visits[choice].request.pending is None:
                model.step(visits[choice])
        else:
            model.settle()
            yield model


def reads(visit: Visit) -> bool:
    """Says whether the next operation of a request is a read."""
    operation = visit.request.pending
    return operation is not None and operation.method == "read"
