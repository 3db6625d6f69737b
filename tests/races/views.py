"""What the requests of a race do with their session, in steps that are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from coatcheck import Session

COUNT = "count"
# Of two requests that count at the same time, both count.
RULES: Mapping[str, Callable[[Any, Any, Any], Any]] = {COUNT: lambda was, mine, theirs: theirs + mine - (was or 0)}


def _pop_all(session: Session, _: int) -> None:
    for key in list(session):
        session.pop(key)


def _own(session: Session, number: int) -> None:
    session[f"own {number}"] = number


def _shared(session: Session, number: int) -> None:
    session["shared"] = number


def _count(session: Session, _: int) -> None:
    session[COUNT] = session.get(COUNT, 0) + 1


STEPS: dict[str, Callable[[Session, int], object]] = {
    "look": lambda session, _: session.get("own 0"),
    # A key that no other request touches, other than by taking all that it sees.
    "set own": _own,
    "set shared": _shared,
    "drop shared": lambda session, _: session.pop("shared", None),
    "append": lambda session, number: session.setdefault("list", []).append(number),
    "count": _count,
    "make permanent": lambda session, _: setattr(session, "permanent", True),
    "pop all": _pop_all,
    "clear": lambda session, _: session.clear(),
    "regenerate": lambda session, _: session.regenerate(),
    "destroy": lambda session, _: session.destroy(),
}


class View:
    """A view that makes some of `STEPS`, in order."""

    def __init__(self, number: int, *steps: str) -> None:
        self.number = number
        self.steps = steps

    def __repr__(self) -> str:
        return f"request {self.number} ({', '.join(self.steps)})"

    def __call__(self, session: Session) -> None:
        for step in self.steps:
            STEPS[step](session, self.number)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the keys that differ, with what they are afterwards; None for those that are gone."""
    return {key: after.get(key) for key in {**before, **after} if before.get(key) != after.get(key)}
