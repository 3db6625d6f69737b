"""What happens to sessions as a counter of OpenTelemetry, where its API is installed.

    coatcheck.session.events      a counter of {event}
    coatcheck.event.kind          one of `Kind`
    coatcheck.event.reason        one of `Reason`, where there is one

The attributes are these two and no others, so that there are as many series as a monitor
can keep, and nothing in them is about anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import version

from coatcheck.core.events import Event, Kind, Reason

COUNTER = "coatcheck.session.events"
KIND = "coatcheck.event.kind"
REASON = "coatcheck.event.reason"


@cache
def event_counter() -> Callable[[Event], None] | None:
    """Gives what counts an event with the global meter provider; None where there is no OpenTelemetry.

    The provider may be set later. Until then nothing is counted.
    """
    try:
        # Not by whoever has it not, and not before there are sessions.
        from opentelemetry.metrics import get_meter  # noqa: PLC0415
    except ImportError:
        return None
    counter = get_meter("coatcheck", version("coatcheck")).create_counter(
        COUNTER, unit="{event}", description="What has happened to sessions"
    )
    add, known = counter.add, _attributes()

    def count(event: Event) -> None:
        add(1, known[event.kind, event.reason])

    return count


def _attributes() -> dict[tuple[Kind, Reason | None], dict[str, str]]:
    """Gives all that is ever sent."""
    alone: dict[tuple[Kind, Reason | None], dict[str, str]] = {(kind, None): {KIND: kind.value} for kind in Kind}
    return alone | {(kind, reason): {KIND: kind.value, REASON: reason.value} for kind in Kind for reason in Reason}
