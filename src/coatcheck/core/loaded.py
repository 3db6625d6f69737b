"""What a request brought, as the engine hands it to a session."""

from __future__ import annotations

from typing import Any, NamedTuple

from coatcheck.core.facts import Facts
from coatcheck.core.opaque import Id, Kept
from coatcheck.core.record import Record


class Loaded(NamedTuple):
    """What a request brought. A named tuple, for the same reason as `Record`."""

    content: dict[str, Any]
    record: Record | None
    """What the content was read from; None for a new session."""
    reseal: bool
    """Whether an earlier key or an earlier cookie name had sealed it."""
    present: tuple[str, ...]
    """The names of ours that the request had cookies for, good or bad."""
    now: int
    kept: Kept | None = None
    """Where on the server it was."""
    home: Id | None = None
    """The id on the server that a session from elsewhere is to have; None for one that has it, or is to have none."""
    on_server: bool = False
    """Whether a new session gets an id on the server."""
    down: bool = False
    """Whether the store could not say what there is: then nothing is kept either."""
    facts: Facts | None = None
    """What is known of it beside its content."""
    on_login: bool = False
    """Whether the session gets an id on the server when somebody signs in, and only then."""
    replaced: bool = False
    """Whether it came sealed under an id that has been replaced: it can be read, and changed no more."""
    reused: bytes = b""
    """The family to be ended, for one of its members came back that had been replaced."""
    handle: str | None = None
    """Of that member."""

    def __repr__(self) -> str:
        return f"<Loaded {self.record}>"
