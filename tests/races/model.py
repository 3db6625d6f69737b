"""What requests on one session may do to each other: a model that looks at each step that a store makes.

It knows all ids and opens every record, and follows *lines*: a session from its first
record, by way of the ids that take each other's place, to its end. It holds that

- whatever changes the content of a line is what one request wanted, on top of what was
  there: so nothing is lost that another has kept, and of a key that both changed, the
  later save counts, once;
- a request finds what its id leads to at some moment while it looks: what is there now,
  or for a few seconds what was there when another id took the place, and nothing at all
  once the line has ended;
- what a request changes that asks for a new id is never under the old one;
- a change that was confirmed is in the line of the id that came with the request, or in
  the second session that it began, and a change that was not is reported as dropped.
  That happens only where the line has ended, or where the request first looked at it
  under an id that had been replaced, or saves when that is some seconds ago;
- of two requests for a new id at the same time, the second begins a session of its own:
  with what was there when the first took the place, and with its own changes on top.
  One that comes after the first has taken the place has what it adds and nothing else;
- a line ends by nothing but a request that wants to end it, and that one is answered
  when there is nothing left;
- a response has no id but the one that came, or one that its own request has made;
- no record is left over that no response leads to, unless an error kept it from being sent;
- a request fails with `StoreError` if the store failed, and never otherwise.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from kit import Site
from races.reading import ENDED, Content, Reading, State
from races.steps import Fault
from races.views import View
from races.visit import Line, Visit

from coatcheck.core.events import Kind


class Model:
    """Lets requests come to a site that keeps sessions in a store, and looks at all that they do.

    Attributes:
        issued: every `Cookie` header that a response has led to. Responses that arrive
            in another order, or not at all, or at somebody else's: a request may come
            with any of them at any time.
        visits: the requests that are under way.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.issued: list[str] = []
        self.visits: list[Visit] = []
        self._reading = Reading(site)
        self._lines: dict[bytes, Line] = {}
        self._owners: dict[bytes, Visit] = {}
        """Who made a record, by its key."""
        self._marks: dict[bytes, Content] = {}
        """What was there when an id was replaced."""
        self._readable_until: dict[bytes, int] = {}
        self._told: set[bytes] = set()
        """Keys of the ids that responses had."""
        self._count = 0
        self._faulted = False

    def random(self, count: int) -> bytes:
        """Gives bytes, the same in each run."""
        self._count += 1
        return sha256(b"%d" % self._count).digest()[:count]

    def know(self, header: str, content: Content) -> None:
        """Takes note of a session that was begun before."""
        self._reading.know(header, content)
        key = self._reading.key_of(header)
        assert key is not None
        self._lines[key] = Line(key)
        self.issued.append(header)
        self._told.add(key)

    # What happens

    def begin(self, header: str, view: View, *, error_page: bool = False) -> Visit:
        """Lets a request come. It has done nothing yet."""
        key = self._reading.key_of(header)
        line = None if key is None else self._lines[key]
        learn = self._reading.learn
        visit = Visit(self.site, header, view, key, line, random=self.random, learn=learn, error_page=error_page)
        self.visits.append(visit)
        self._look(visit)
        self._check(visit)
        return visit

    def step(self, visit: Visit, fault: Fault = Fault.NONE) -> None:
        """Lets a request make one step."""
        operation = visit.request.pending
        if operation is None:
            visit.request.step()
        else:
            if fault is not Fault.NONE:
                visit.faulted = self._faulted = True
            key = self._reading.home_of(operation.arguments[0])
            before, sealed = self._reading.state(key), self._reading.sealed(key)
            visit.request.step(fault)
            after = self._reading.state(key)
            if before != after:
                self._moved(visit, key, before, after)
            elif sealed != self._reading.sealed(key) and key in self._lines:
                self._lines[key].change(visit)
        self._look_again()
        self._check(visit)

    def finish(self, visit: Visit) -> None:
        """Lets a request come to its end."""
        while not visit.request.done:
            self.step(visit)

    def advance(self, seconds: int) -> None:
        """Lets time pass, as far as the requests under way go: a view takes minutes at most, and a store seconds."""
        for visit in self.visits:
            request = visit.request
            until = (
                request.began_at + 500 if request.pending is None else (request.committed_at or request.began_at) + 11
            )
            seconds = min(seconds, max(0, until - int(self.site.clock())))
        self.site.clock.advance(seconds)
        self._look_again()

    def _look_again(self) -> None:
        for visit in self.visits:
            if visit.request.seen is None:
                self._look(visit)

    def _look(self, visit: Visit) -> None:
        visit.allowed.append(self._reading.view_of(visit.key, visit.request.began_at))
        state = None if visit.key is None else self._reading.state(visit.key)
        visit.from_replaced |= state is not None and state.kind == "replaced"
        visit.from_live |= state is not None and state.kind == "live"

    def _check(self, visit: Visit) -> None:
        request, line = visit.request, visit.line
        if request.seen is not None:
            found = request.seen if request.found else None
            assert found in visit.allowed, f"{visit.view} found {found}, and there was {visit.allowed}"
        if line is not None and visit.wants and not visit.kept:
            content = self._reading.live(line.key)
            # Others may have done already what it wants.
            visit.kept = content is not None and content in visit.made_of(content, line)
        if request.done:
            self.visits.remove(visit)
            self._check_response(visit)

    def _moved(self, visit: Visit, key: bytes, before: State | None, after: State | None) -> None:
        """Looks at what became of an id."""
        how = f"{visit.view}: {before} became {after}"
        line, own = self._lines.get(key), key in visit.drawn
        if line is None:
            assert own, f"{how}, under the id of another's making"
            self._owners[key] = visit
        elif own and line.ending and key not in self._told:
            # A new id of a session that has been ended meanwhile: it is made and taken away again, and nobody is told.
            pass
        elif before is not None and after is not None and (before.kind, after.kind) == ("live", "live"):
            # Whoever planted the old id must not be logged in with it.
            assert own or not visit.regenerates or after.content == before.content, how
            self._changed(visit, line, before.content, after.content, how)
        elif before is not None and after is not None and (before.kind, after.kind) == ("live", "replaced"):
            line.key = self._reading.learn(after.successor)
            assert visit.regenerates and self._owners[line.key] is visit and line.key not in self._lines, how
            self._lines[line.key] = line
            self._marks[key] = before.content
            self._readable_until[key] = after.readable_until
            successor = self._reading.state(line.key)
            assert successor is not None and successor.kind == "live", f"{how}, and nothing took its place"
            self._changed(visit, line, before.content, successor.content, how)
        else:
            assert (visit.may_end or self._comes_back(visit)) and after in (None, ENDED), how
            line.ending = True
            line.ended |= self._reading.live(line.key) is None

    def _comes_back(self, visit: Visit) -> bool:
        """Says whether a request has an id whose grace is over: it is a copy, and ends the session for all."""
        until = None if visit.key is None else self._readable_until.get(visit.key)
        return until is not None and self.site.clock() > until

    def _changed(self, visit: Visit, line: Line, before: Content, after: Content, how: str) -> None:
        if after not in visit.made_of(before, line):
            assert after == before, how
            return
        assert line not in visit.counted or visit.faulted, f"{how}, a second time"
        visit.count_in(line)
        line.change(visit)

    # The response

    def _check_response(self, visit: Visit) -> None:
        request, line = visit.request, visit.line
        if request.error is not None:
            assert visit.faulted, f"{visit.view} failed, and the store had not"
            return
        there = None if line is None else self._reading.live(line.key)
        assert there is None or not visit.ends, f"{visit.view} was answered, and the session is there: {there}"
        key = self._reading.key_of(request.next_header)
        if key is not None:
            self._check_id(visit, key)
        if visit.wants and not visit.kept:
            assert Kind.DROPPED in request.kinds, f"{visit.view}: what it wanted was lost: {request.kinds}"
            over = there is None or (line is not None and line.ending) or visit.from_replaced
            assert over or self._is_late(visit), f"{visit.view}: what it wanted was dropped: {there}"
        if Kind.REFRESHED in request.kinds:
            self._check_refreshed(visit)

    def _is_late(self, visit: Visit) -> bool:
        """Says whether the id was replaced too long ago."""
        state = None if visit.key is None else self._reading.state(visit.key)
        return state is not None and state.kind == "replaced" and state.readable_until < visit.request.committed_at

    def _check_id(self, visit: Visit, key: bytes) -> None:
        own = key in visit.drawn
        assert key == visit.key or own, f"{visit.view} was told the id of another's making"
        self.issued.append(visit.request.next_header)
        self._told.add(key)
        if key not in self._lines:
            self._begun(visit, key)
        back = self._lines[key].ended and self._reading.live(key) is not None
        assert not back, f"{visit.view} brought back what had ended"

    def _begun(self, visit: Visit, key: bytes) -> None:
        """Looks at a new session, or at a second one beside the one that took the place."""
        self._lines[key] = line = Line(key)
        content = self._reading.live(key)
        right = list(visit.made_of({}, line))
        if visit.request.found and not visit.ends:
            assert visit.line is not None and visit.key is not None
            assert visit.regenerates and visit.key in self._marks, f"{visit.view} began a second session"
            alive = self._reading.live(visit.line.key) is not None
            assert alive or visit.from_replaced, f"{visit.view} began a second session of one that had ended"
            right = list(visit.additions()) if visit.from_replaced else []
            right += visit.made_of(self._marks[visit.key], line) if visit.from_live else ()
        assert content in right, f"{visit.view} began a session with {content}, and what is right is {right}"
        visit.count_in(line)

    def _check_refreshed(self, visit: Visit) -> None:
        assert visit.key is not None
        found = [store.read(visit.key) for store in self.site.stores if store is not None]
        due = visit.request.committed_at + self.site.settings.permanent_lifetime.total_seconds()
        late = any(record is not None and record.expires_at >= due for record in found)
        # An empty one is on its way out.
        assert late or not self._reading.live(visit.key), f"{visit.view} refreshed nothing"

    # The end

    def settle(self) -> None:
        """Lets the requests under way come to their end, and looks at what is left."""
        while self.visits:
            self.step(self.visits[0])
        for key in {*self._lines, *self._owners}:
            state, origin = self._reading.state(key), self._reading.state_at_origin(key)
            owner: Any = self._owners.get(key)
            left = (
                state is not None and state.kind == "live" and key not in self._told and not (owner and owner.faulted)
            )
            assert not left, f"{owner and owner.view} left a record that nobody can reach"
            twice = state != origin and origin is not None and origin.kind == "live"
            assert not twice or self._faulted, "a session has come home, and is still where it came from"
        for header in list(dict.fromkeys(self.issued)):
            self.finish(self.begin(header, View(0, "look")))
