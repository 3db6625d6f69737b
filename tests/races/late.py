"""Requests that go on to change their session when the response has begun, step by step, and what must hold of them:

- a change that a save confirmed is in the session that its id leads to, unless that has been ended or emptied;
- a save that says no, or fails, does so because the session has ended, or its id was replaced some time ago, or the
  store failed;
- where a rule adds, what was confirmed is counted once, however often it is saved, and whatever the store lost;
- who ends a session and is answered has ended it, whatever others save later;
- who came with an id that was replaced meanwhile sees nothing of what is put under the new one.
"""

from __future__ import annotations

from collections.abc import Generator
from hashlib import sha256
from typing import Any

from kit import NOON, Site
from races.moves import START
from races.reading import Reading
from races.steps import Fault, Held, Request
from races.views import RULES, View

from coatcheck import Session, StoreError
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

SECRET = "put under the new id"


class Stream(Request):
    """A request that does the first part of its steps before the response, and each other one late, saved by itself.

    Attributes:
        confirmed: the late steps that a save has confirmed.
        refused: whether a save has said that the session has ended.
    """

    def __init__(self, site: Site, header: str, number: int, steps: tuple[str, ...], **more: Any) -> None:
        self.number = number
        self.steps = steps
        self.confirmed: list[str] = []
        self.attempted: list[str] = []
        self.refused = False
        super().__init__(site, header, lambda session: _act(session, number, steps[0]), **more)

    def _run(self) -> Generator[Any, Any, None]:
        engine, clock = self.site.engine, self.site.clock
        session = Held((yield from engine.load(self.header, now=clock())), self.random)
        self.found = session.brought.record is not None
        self.seen = dict(session)
        self.view(session)
        self.attempted.append(self.steps[0])
        yield None
        self.committed_at = int(clock())
        self.decision = yield from engine.commit(session, now=clock(), https=True)
        if session._gone:
            self.refused = True
            return
        self.confirmed.append(self.steps[0])
        for step in self.steps[1:]:
            yield None
            if not session or session.too_late:
                # Others have ended it, or it began under an id that was replaced.
                self.refused = True
                return
            _act(session, self.number, step)
            self.attempted.append(step)
            yield from self._save(session, step)
            regenerates = self.steps[0] == "login"
            assert regenerates or SECRET not in session, f"request {self.number} sees what is not for it"

    def _save(self, session: Session, step: str) -> Generator[Any, Any, None]:
        """Saves, and where the store fails, tries once more, as a handler would."""
        engine, clock = self.site.engine, self.site.clock
        try:
            kept = yield from engine.keep(session, now=clock())
        except StoreError:
            kept = yield from engine.keep(session, now=clock())
        if kept:
            self.confirmed.append(step)
        else:
            self.refused = True
            assert not session, "what was ended is still to be seen"


def _act(session: Session, number: int, step: str) -> None:
    if step == "login":
        session.regenerate()
        session[SECRET] = number
    elif step == "count":
        session["count"] = session.get("count", 0) + 1
    elif step == "nested":
        session.setdefault("list", []).append(number)
    elif step.startswith("put"):
        session[f"{number} {step}"] = True
    else:
        View(number, step)(session)


class Visit:
    """What `orders` steps through."""

    def __init__(self, request: Stream) -> None:
        self.request = request


class Late:
    """One session in one store, and the requests on it."""

    def __init__(self, store: type[MemoryStore] = MemoryStore) -> None:
        clock = Clock(NOON)
        self.site = Site(clock=clock, merge=RULES, store=store(clock=clock))
        self.visits: list[Visit] = []
        self.faulted = False
        self._drawn = 0
        self._reading = Reading(self.site)
        begun = Request(self.site, "", lambda session: session.update(START), random=self._random).finish()
        self.header = begun.next_header
        self.issued = [self.header]
        key = self._reading.key_of(self.header)
        assert key is not None
        self._key = key

    def _random(self, count: int) -> bytes:
        self._drawn += 1
        drawn = sha256(b"%d" % self._drawn).digest()[:count]
        self._reading.learn(drawn)
        return drawn

    def begin(self, header: str, view: View) -> Visit:
        visit = Visit(Stream(self.site, header, view.number, view.steps, random=self._random))
        self.visits.append(visit)
        return visit

    def step(self, visit: Visit, fault: Fault = Fault.NONE) -> None:
        if visit.request.pending is not None:
            self.faulted |= fault is not Fault.NONE
            visit.request.step(fault)
        else:
            visit.request.step()

    def settle(self) -> None:
        """Looks at what is left when all have come to their end."""
        requests = [visit.request for visit in self.visits]
        content = self._reading.live(self._key)
        logins = [request for request in requests if request.steps[0] == "login"]
        ends = [request for request in requests if {"destroy", "clear"} & set(request.steps)]
        for request in requests:
            assert request.done
            assert request.error is None or self.faulted, f"{request.error}, and the store had not failed"
            if request.refused:
                assert ends or logins, f"request {request.number} was refused, and nothing had ended"
        # The second of two logins has begun a session of its own, and taken its changes there.
        apart = logins if len(logins) > 1 else []
        for request in ends:
            if {"destroy", "clear"} & set(request.confirmed) and request not in apart:
                assert content is None, f"what request {request.number} ended is there: {content}"
        if content is None:
            assert ends, "the session is gone, and nobody has ended it"
            return
        requests = [request for request in requests if request.found and request not in apart]
        for request in requests:
            for step in request.confirmed:
                if step.startswith("put"):
                    assert content.get(f"{request.number} {step}"), f"request {request.number} lost {step}: {content}"
        least = sum(request.confirmed.count("count") for request in requests)
        # Where an answer is lost and another request saves before it can be looked up, a rule counts twice.
        most = sum(visit.request.attempted.count("count") for visit in self.visits)
        most += self.faulted and len(self.visits) > 1
        assert least <= content["count"] <= most, f"{content['count']} of {least} to {most}"
