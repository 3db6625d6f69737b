"""Pages that many tests ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coatcheck import Session


def look(session: Session) -> str:
    """Shows the content."""
    return str(dict(session))


def nothing(_: Session) -> str:
    """Does not look at the session."""
    return "nothing"


def put(**items: Any) -> Callable[[Session], None]:
    """Gives a page that sets some keys."""
    return lambda session: session.update(items)


def lasting(session: Session) -> None:
    """Begins a session that outlives the browser."""
    session["user"] = "ann"
    session.permanent = True


def destroy(session: Session) -> None:
    session.destroy()


def regenerate(session: Session) -> None:
    session.regenerate()


PAGES = {
    "put": put(user="ann"),
    "other": put(colour="blue"),
    "look": look,
    "nothing": nothing,
    "lasting": lasting,
    "destroy": destroy,
    "clear": lambda session: session.clear(),
    "regenerate": regenerate,
    "handle": lambda session: session.handle,
}
