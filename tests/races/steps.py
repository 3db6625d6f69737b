"""A request that goes on by one store operation at a time, so that a test says what happens in between."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from copy import deepcopy
from enum import StrEnum
from typing import Any

from kit import Site, name_and_value

from coatcheck import Event, Session, StoreError
from coatcheck.core.engine import Decision
from coatcheck.core.events import Kind
from coatcheck.core.loaded import Loaded
from coatcheck.core.operations import Operation

View = Callable[[Session], object]


class Fault(StrEnum):
    """What becomes of one operation."""

    NONE = "none"
    BEFORE = "before"
    """The store is not reached."""
    AFTER = "after"
    """The operation takes place, and the answer is lost."""
    TWICE = "twice"
    """The answer is lost, and the client of the store asks again by itself: the operation takes place two times."""


class Held(Session):
    """A session of which it is known already what the request brought."""

    def __init__(self, loaded: Loaded, random: Callable[[int], bytes]) -> None:
        super().__init__(random)
        self.brought = loaded

    def _load(self) -> Loaded:
        return self.brought


class Request:
    """One request: load, the view, commit. It stops before each operation, and between the view and the commit.

    Args:
        again: what the error page does with the session, where the commit raises `StoreError`; None for no error page.
        random: where a new id comes from.

    Attributes:
        seen: the content that the view found; None before the load is done.
        found: whether there was a session.
        decision: the response, once it is decided.
        error: the `StoreError` that the request ended with.
        events: what was emitted for it.
        pending: the operation that comes next; None at the stop between the view and the commit.
    """

    def __init__(
        self,
        site: Site,
        header: str,
        view: View,
        *,
        again: View | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.site = site
        self.header = header
        self.view = view
        self.again = again
        self.random = random
        self.began_at = int(site.clock())
        self.committed_at = 0
        self.seen: dict[str, Any] | None = None
        self.found = False
        self.decision: Decision | None = None
        self.error: StoreError | None = None
        self.events: list[Event] = []
        self.pending: Operation | None = None
        self.done = False
        self._steps = self._run()
        self._go(lambda: next(self._steps))

    def _run(self) -> Generator[Operation | None, Any, None]:
        engine, clock = self.site.engine, self.site.clock
        session = Held((yield from engine.load(self.header, now=clock())), self.random)
        self.found = session.brought.record is not None
        self.seen = deepcopy(session.brought.content)
        self.view(session)
        yield None
        self.committed_at = int(clock())
        try:
            self.decision = yield from engine.commit(session, now=clock(), https=True)
        except StoreError:
            if self.again is None:
                raise
            self.again(session)
            self.committed_at = int(clock())
            self.decision = yield from engine.commit(session, now=clock(), https=True)

    def _go(self, move: Callable[[], Operation | None]) -> None:
        before = len(self.site.events)
        try:
            self.pending = move()
        except StopIteration:
            self.done = True
        except StoreError as error:
            self.done, self.error = True, error
        finally:
            self.events += self.site.events[before:]
            del self.site.events[before:]

    def step(self, fault: Fault = Fault.NONE) -> None:
        """Makes the pending operation, and goes on to the next stop."""
        assert not self.done
        operation = self.pending
        if operation is None:
            self._go(lambda: self._steps.send(None))
            return
        try:
            answer = self._ask(operation, fault)
        except StoreError as error:
            raised = error
            self._go(lambda: self._steps.throw(raised))
        else:
            self._go(lambda: self._steps.send(answer))

    def _ask(self, operation: Operation, fault: Fault) -> Any:
        ask = getattr(self.site.stores[operation.place], operation.method)
        if fault is Fault.BEFORE:
            raise StoreError("the store is not reached, as the test wants it")
        answer = ask(*operation.arguments)
        if fault is Fault.AFTER:
            raise StoreError("the answer is lost, as the test wants it")
        return ask(*operation.arguments) if fault is Fault.TWICE else answer

    def until(self, method: str) -> Request:
        """Goes on until it stops before an operation of this name."""
        while not self.done and (self.pending is None or self.pending.method != method):
            self.step()
        assert not self.done, f"the request ended before {method}"
        return self

    def look(self) -> Request:
        """Goes on until the view is done."""
        while not self.done and self.seen is None:
            self.step()
        return self

    def finish(self) -> Request:
        """Goes on to the end."""
        while not self.done:
            self.step()
        return self

    @property
    def kinds(self) -> list[Kind]:
        return [event.kind for event in self.events]

    @property
    def cookies(self) -> dict[str, str]:
        """What the response sets, by name; "" for a cookie that it deletes."""
        return dict(map(name_and_value, self.decision.cookies)) if self.decision else {}

    @property
    def next_header(self) -> str:
        """What a browser sends afterwards that has this response's cookies and no other."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items() if value)
