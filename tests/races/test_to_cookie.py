"""Sessions that leave a store for their cookies, with the store operations of two requests in every order.

From then on they are as sealed cookies are: each response has the whole of what its
request made, and the last one to arrive counts. What holds all the same: nobody is
logged out but by a request that wants it, a session that has ended in the store is not
sealed by a request that comes later, and each response has what its request wants on
top of what was in the store.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import pytest
from kit import NOON, Site
from races.moves import START
from races.orders import orders
from races.reading import ENDED, Reading, State
from races.steps import Fault, Request
from races.views import View
from races.visit import Line, Visit

from coatcheck.core.events import Kind
from coatcheck.core.opaque import TOKEN_CHARS
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

VIEWS = (
    ("look",),
    ("set own", "set shared"),
    ("drop shared", "append"),
    ("pop all",),
    ("clear",),
    ("set own", "regenerate"),
    ("destroy",),
    ("destroy", "set own"),
    ("make permanent",),
)


class Leaving:
    """A model of a session that leaves."""

    def __init__(self) -> None:
        self.clock = Clock(NOON)
        store = MemoryStore(clock=self.clock)
        self.site = Site(clock=self.clock, earlier_store=store)
        header = (
            Request(Site(clock=self.clock, store=store), "", lambda session: session.update(START)).finish().next_header
        )
        self.issued = [header]
        self.reading = Reading(self.site)
        self.reading.know(header, START)
        key = self.reading.key_of(header)
        assert key is not None
        self.key = key
        self.visits: list[Visit] = []
        self.answered: list[Visit] = []

    def begin(self, header: str, view: View) -> Visit:
        visit = Visit(self.site, header, view, self.key, Line(self.key), random=bytes, learn=bytes, error_page=False)
        self.visits.append(visit)
        return visit

    def step(self, visit: Visit, fault: Fault = Fault.NONE) -> None:
        before = self.reading.state(self.key)
        visit.faulted |= fault is not Fault.NONE
        visit.request.step(fault)
        after = self.reading.state(self.key)
        if before != after:
            self._moved(visit, before, after)
        if visit.request.done:
            self.visits.remove(visit)
            self.answered.append(visit)
            self._check_response(visit)

    def _moved(self, visit: Visit, before: State | None, after: State | None) -> None:
        how = f"{visit.view}: {before} became {after}"
        if after in (None, ENDED):
            assert visit.may_end or visit.view.steps == ("pop all",), how
        else:
            assert before is not None and after is not None, how
            assert (before.kind, after.kind, after.content) == ("live", "replaced", before.content), how

    def _check_response(self, visit: Visit) -> None:
        request = visit.request
        if request.error is not None:
            assert visit.faulted
            return
        header = request.next_header
        if header and visit.request.found:
            assert len(header) > TOKEN_CHARS + len("session=")
            content = Request(self.site, header, lambda session: session.get("")).look().seen
            assert content in list(visit.made_of(START, Line(self.key))) or visit.ends, f"{visit.view} has {content}"
        elif visit.wants and request.found and not visit.ends and request.cookies.get("session") != "":
            assert Kind.DROPPED in request.kinds, f"{visit.view}: what it wanted was lost"
        if visit.ends:
            assert self.reading.state(self.key) in (None, ENDED), f"{visit.view} was answered, and the session is there"

    def settle(self) -> None:
        """Looks at what has become of the session."""
        while self.visits:
            self.step(self.visits[0])
        if any(visit.may_end or visit.view.steps == ("pop all",) for visit in self.answered):
            return
        # There is no need for the grace: whoever was answered without a cookie has it in the store yet,
        # or another has it.
        cookies = [visit.request.next_header for visit in self.answered if visit.request.next_header]
        state = self.reading.state(self.key)
        assert cookies or (state is not None and state.kind == "live"), "the session is gone"


@pytest.mark.parametrize("views", list(combinations_with_replacement(VIEWS, 2)), ids=str)
def test_two_requests_in_every_order(views: tuple[tuple[str, ...], ...]) -> None:
    done = list(orders(Leaving, views))
    assert done


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.TWICE])
@pytest.mark.parametrize("steps", VIEWS, ids=str)
def test_a_request_with_a_fault_at_each_of_its_operations(steps: tuple[Any, ...], fault: Fault) -> None:
    done = list(orders(Leaving, (steps, ("look",)), fault))
    assert done
