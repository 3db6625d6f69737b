"""What happens to sessions as signals of blinker, which Flask and Quart bring along.

    from coatcheck.signals import reused

    @reused.connect
    def warn(app, event): ...

A receiver gets the application, and the event by its name. It is told in the midst of a request, and is to
be quick. What it raises goes into the log. One that is a coroutine function runs in Flask as a view that is
one, and in Quart in a task of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, cast

from blinker import NamedSignal, Namespace

from coatcheck.core.events import Event, Kind

if TYPE_CHECKING:
    from flask.sansio.app import App

    from coatcheck.log import Watch

_session_signals = Namespace()

session_event: NamedSignal = _session_signals.signal("coatcheck.event", "Sent with every event.")


def _signal(kind: Kind) -> NamedSignal:
    return _session_signals.signal(f"coatcheck.{kind.value}", f"Sent with every event of Kind.{kind.name}.")


created: NamedSignal = _signal(Kind.CREATED)
changed: NamedSignal = _signal(Kind.CHANGED)
refreshed: NamedSignal = _signal(Kind.REFRESHED)
resealed: NamedSignal = _signal(Kind.RESEALED)
regenerated: NamedSignal = _signal(Kind.REGENERATED)
merged: NamedSignal = _signal(Kind.MERGED)
signed_in: NamedSignal = _signal(Kind.SIGNED_IN)
signed_out: NamedSignal = _signal(Kind.SIGNED_OUT)
revoked: NamedSignal = _signal(Kind.REVOKED)
reused: NamedSignal = _signal(Kind.REUSED)
elsewhere: NamedSignal = _signal(Kind.ELSEWHERE)
destroyed: NamedSignal = _signal(Kind.DESTROYED)
dropped: NamedSignal = _signal(Kind.DROPPED)
rejected: NamedSignal = _signal(Kind.REJECTED)

_BY_KIND: dict[Kind, NamedSignal] = {kind: _signal(kind) for kind in Kind}


class Announcer:
    """A listener that sends the events of one application as signals."""

    def __init__(self, app: App, watch: Watch) -> None:
        self._app = app
        self._watch = watch

    def is_heard(self, kind: Kind) -> bool:
        """Says whether anybody is connected: to look costs next to nothing."""
        return bool(_BY_KIND[kind].receivers or session_event.receivers)

    def __call__(self, event: Event) -> None:
        # Each receiver by itself: `send` stops at the first that raises.
        for signal in (_BY_KIND[event.kind], session_event):
            if not signal.is_muted:
                for receiver in signal.receivers_for(self._app):
                    self._watch.guard(self._tell, receiver, event)

    def _tell(self, receiver: Callable[..., Any], event: Event) -> None:
        app: Any = self._app
        if not iscoroutinefunction(receiver):
            receiver(app, event=event)
        elif hasattr(app, "ensure_sync"):
            app.ensure_sync(receiver)(app, event=event)
        else:
            self._begin(receiver(app, event=event))

    def _begin(self, call: Coroutine[Any, Any, object]) -> None:
        """Has Quart do something on its own."""
        import asyncio  # noqa: PLC0415  # which Flask does without

        async def told() -> None:
            try:
                await call
            except Exception as error:  # noqa: BLE001  # as in `Watch.guard`
                self._watch.listener_failed(error)

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            # In the thread of a view that is no coroutine function.
            asyncio.run(told())
            return
        # Quart waits for these when it ends.
        tasks: set[asyncio.Task[None]] = cast(Any, self._app).background_tasks
        task = loop.create_task(told())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
