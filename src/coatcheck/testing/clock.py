"""Time that stands still."""

from __future__ import annotations


class Clock:
    """A clock that stands until it is moved: an option `clock=` of the integrations and the stores."""

    def __init__(self, now: float = 1_800_000_000) -> None:
        self.now: float = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Moves the clock on."""
        self.now += seconds
