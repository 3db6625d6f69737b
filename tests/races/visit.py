"""A request of a model, and what it wants of its session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from kit import Site
from races.reading import Content
from races.steps import Request
from races.views import RULES, View, changed


class Line:
    """A session under all of its ids, one after the other.

    Attributes:
        key: of the id that it has now.
        ending: whether a request has begun to end it.
        ended: whether there was nothing left of it then.
        changes: how often its record has been replaced.
    """

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.ending = self.ended = False
        self.changes = 0

    def change(self, visit: Visit) -> None:
        """Takes note that a request has replaced the record."""
        counted = visit.counted.get(self) == self.changes
        self.changes += 1
        if counted:
            visit.counted[self] = self.changes


class Visit:
    """A request.

    Args:
        key: of the id that it comes with.
        line: the session that the id belongs to.
        random: gives the bytes of new ids.
        learn: is told them, and gives the key of the record.

    Attributes:
        faulted: whether the store failed.
        allowed: what the view may find.
        from_replaced, from_live: what its id was while it looked; both, if that changed.
        wishes: what the view made of what: before and after, and once more with what the error page did.
        ends: whether it is to end the session, as the view or the error page has left it.
        may_end: whether that was so once.
        regenerates: whether it asks for a new id.
        kept: whether what it wants is kept.
        counted: the changes of a line when this request had counted there.
        drawn: the keys of the ids that it has drawn.
    """

    def __init__(  # noqa: PLR0913  # what a visit is drawn from
        self,
        site: Site,
        header: str,
        view: View,
        key: bytes | None,
        line: Line | None,
        *,
        random: Callable[[int], bytes],
        learn: Callable[[bytes], bytes],
        error_page: bool,
    ) -> None:
        self.view = view
        self.key = key
        self.line = line
        self.faulted = False
        self.allowed: list[Content | None] = []
        self.from_replaced = self.from_live = False
        self.wishes: list[tuple[Content, Content]] = []
        self.ends = self.may_end = self.regenerates = False
        self.kept = False
        self.counted: dict[Line, int] = {}
        self.drawn: set[bytes] = set()

        def draw(count: int) -> bytes:
            drawn = random(count)
            self.drawn.add(learn(drawn))
            return drawn

        self.request = Request(site, header, self._act, again=self._apologize if error_page else None, random=draw)

    def _act(self, session: Any) -> None:
        if self.view.steps:
            before = deepcopy(dict(session))
            self.view(session)
            self._wish(before, session)

    def _apologize(self, session: Any) -> None:
        if self.view.steps:
            session["sorry"] = self.view.number
            self._wish(self.request.seen or {}, session)

    def _wish(self, before: Content, session: Any) -> None:
        after = deepcopy(dict(session))
        ended = session._ended or (session._cleared and not after)
        self.ends = ended and session.brought.record is not None
        self.may_end |= self.ends
        self.regenerates = session._renewed
        self.wishes.append(({} if ended else before, after))

    @property
    def wants(self) -> bool:
        """Whether there is a change to keep."""
        return any(changed(before, after) for before, after in self.wishes)

    def made_of(self, content: Content, line: Line) -> Iterator[Content]:
        """Gives what the request may make of the content of a line."""
        # Where an answer is lost and another request saves before it can be looked up, a rule counts twice.
        counted = self.counted.get(line) == line.changes
        for before, after in self.wishes or [({}, {})]:
            made = dict(content)
            for key, value in changed(before, after).items():
                if value is None:
                    made.pop(key, None)
                elif key in RULES and key in content:
                    made[key] += 0 if counted else after[key] - before.get(key, 0)
                else:
                    made[key] = value
            yield made

    def additions(self) -> Iterator[Content]:
        """Gives what the request says by itself: keys that were not there before."""
        for before, after in self.wishes:
            yield {key: value for key, value in after.items() if key not in before}

    def count_in(self, line: Line) -> None:
        """Takes note that what the request wants is in a line."""
        self.kept = True
        self.counted[line] = line.changes
