"""What an event costs: with nobody listening, with a function, with a signal, with a counter.

    python benchmarks/events.py

All sides of a table run in turn in one process. A signal and a counter cost above all what they cost in blinker and in
the SDK of OpenTelemetry, which stand beside them alone. The request is one to a Flask application that begins a
session, and so tells one event; a request that only looks at its session tells none.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from flask import Flask
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from timing import heading, microseconds
from werkzeug.test import EnvironBuilder

from coatcheck import Event, Kind, Reason
from coatcheck.flask import Coatcheck, session
from coatcheck.log import Watch
from coatcheck.signals import Announcer, created
from coatcheck.telemetry import event_counter

HEARD = Event(Kind.CREATED, None, "0123456789abcdef0123456789abcdef")
UNHEARD = Event(Kind.CHANGED, None, "0123456789abcdef0123456789abcdef")
REJECTED = Event(Kind.REJECTED, Reason.FORGED)


def function(event: Event) -> None:
    """The shortest listener."""


def receiver(app: Flask, *, event: Event) -> None:
    """The shortest receiver."""


def watch(listener: Callable[[Event], None] | None = None, *, signals: bool = False, count: bool = False) -> Watch:
    found = Watch(listener, set(), count=event_counter() if count else None)
    if signals:
        announcer = Announcer(Flask("site", static_folder=None), found)
        found.listen(announcer, announcer.is_heard)
    return found


def request() -> Callable[[], object]:
    app = Flask("site", static_folder=None)
    app.secret_key = os.urandom(32)
    Coatcheck(app)

    @app.get("/")
    def begin() -> str:
        session["user"] = "ann"
        return ""

    environ = EnvironBuilder(base_url="https://shop.example").get_environ()

    def start(status: str, headers: Any, _: Any = None) -> Any:
        assert status == "200 OK"

    return lambda: list(app(environ.copy(), start))


def sides() -> dict[str, Callable[[], object]]:
    nobody, heard, sent, counted = watch(), watch(function), watch(signals=True), watch(count=True)
    count: Any = event_counter()
    return {
        "nobody listens": lambda: nobody(HEARD),
        "a function": lambda: heard(HEARD),
        "Flask, and nobody has connected": lambda: sent(UNHEARD),
        "Flask, and a receiver": lambda: sent(HEARD),
        "a signal of blinker alone": lambda: created.send(None, event=HEARD),
        "a counter": lambda: counted(REJECTED),
        "a counter of OpenTelemetry alone": lambda: count(REJECTED),
        "a request that begins a session": request(),
    }


def show(title: str) -> None:
    taken = microseconds(sides(), rounds=40, calls=200)
    base, whole = taken["nobody listens"], taken["a request that begins a session"]
    print(f"{title}: microseconds, times that of nobody, share of the request")
    for name, cost in taken.items():
        print(f"  {name:36}{cost:9.3f}{cost / base:9.2f}{cost / whole:9.4f}")


def main() -> None:
    print(heading("coatcheck", "flask", "blinker", "opentelemetry-sdk"))
    with created.connected_to(receiver):
        show("an event, where OpenTelemetry has no provider")
        set_meter_provider(MeterProvider(metric_readers=[InMemoryMetricReader()], shutdown_on_exit=False))
        show("an event, with its SDK")


if __name__ == "__main__":
    main()
