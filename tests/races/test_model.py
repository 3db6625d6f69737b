"""Requests on one session whose store operations happen in an order that Hypothesis draws, held against `model.py`.

Each request stops before each of its operations; what goes on next, with which cookie a
new request comes, how much time passes and which answers are lost is drawn. To look for
more than the default 60 examples of each:

    HYPOTHESIS_MAX_EXAMPLES=10000 pytest tests/races/test_model.py
"""

from __future__ import annotations

import os
from typing import Any, ClassVar
from unittest import TestCase

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from races.moves import World
from races.steps import Fault
from races.views import View

EXAMPLES = int(os.environ.get("HYPOTHESIS_MAX_EXAMPLES", "60"))

VIEWS = (
    (),
    ("look",),
    ("set own",),
    ("set own", "count"),
    ("set shared",),
    ("drop shared",),
    ("append",),
    ("pop all",),
    ("pop all", "set own"),
    ("clear",),
    ("clear", "set own"),
    ("regenerate",),
    ("set own", "regenerate"),
    ("pop all", "regenerate"),
    ("destroy",),
    ("destroy", "set own"),
    ("make permanent",),
)
UNDER_WAY = 4


class Requests(RuleBasedStateMachine):
    """Requests to a site with one store, which always answers."""

    move: ClassVar[str] = "in one store"
    faults: ClassVar[bool] = False

    @initialize()
    def begin(self) -> None:
        self.model = World(self.move).begin()
        self.number = 0

    @precondition(lambda self: len(self.model.visits) < UNDER_WAY)
    @rule(steps=st.sampled_from(VIEWS), back=st.integers(0, 4), error_page=st.booleans())
    def request(self, steps: tuple[str, ...], back: int, error_page: bool) -> None:
        """A request comes: with the cookie that was issued last, with one before that, or with none."""
        self.number += 1
        issued = [*reversed(self.model.issued), ""]
        header = issued[min(back, len(issued) - 1)]
        self.model.begin(header, View(self.number, *steps), error_page=self.faults and error_page)

    @precondition(lambda self: self.model.visits)
    @rule(data=st.data())
    def step(self, data: Any) -> None:
        """One of the requests under way goes on."""
        visit = self.model.visits[data.draw(st.integers(0, len(self.model.visits) - 1), "request")]
        fault = data.draw(st.sampled_from(Fault), "fault") if self.faults and visit.request.pending else Fault.NONE
        self.model.step(visit, fault)

    @rule(seconds=st.sampled_from((1, 11, 61, 400, 4000)))
    def wait(self, seconds: int) -> None:
        self.model.advance(seconds)

    def teardown(self) -> None:
        if hasattr(self, "model"):
            self.model.settle()


class MovedRequests(Requests):
    """As above, where the session comes sealed in its cookie."""

    move = "from the cookie"


class RequestsBetweenStores(Requests):
    """As above, where the session comes from another store."""

    move = "from another store"


class RequestsUnderAnotherName(Requests):
    """As above, where the session comes under an earlier cookie name."""

    move = "from another name"


class RequestsWithFaults(Requests):
    """As above, in one store, which fails before or after it has done what was asked."""

    faults = True


class MovedRequestsWithFaults(MovedRequests):
    faults = True


class RequestsBetweenStoresWithFaults(RequestsBetweenStores):
    faults = True


class RequestsUnderAnotherNameWithFaults(RequestsUnderAnotherName):
    faults = True


def _bounded(machine: type[Requests]) -> type[TestCase]:
    case: type[TestCase] = machine.TestCase
    case.settings = settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None)  # type: ignore[attr-defined]
    return case


TestRequests = _bounded(Requests)
TestMovedRequests = _bounded(MovedRequests)
TestRequestsBetweenStores = _bounded(RequestsBetweenStores)
TestRequestsUnderAnotherName = _bounded(RequestsUnderAnotherName)
TestRequestsWithFaults = _bounded(RequestsWithFaults)
TestMovedRequestsWithFaults = _bounded(MovedRequestsWithFaults)
TestRequestsBetweenStoresWithFaults = _bounded(RequestsBetweenStoresWithFaults)
TestRequestsUnderAnotherNameWithFaults = _bounded(RequestsUnderAnotherNameWithFaults)
