"""With OpenTelemetry, each event is counted: by its kind and its reason, and by nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from textwrap import dedent
from typing import Any

import pytest
from events.conftest import Begin, Counted
from events.counting import collect
from events.life import expected, walk
from hosts.host import Host

from coatcheck import Event, Kind, Reason
from coatcheck.telemetry import event_counter

ALL = [Event(kind, reason, "0123456789abcdef0123456789abcdef") for kind in Kind for reason in (None, *Reason)]


def attributes(kind: str, reason: str) -> tuple[tuple[str, str], ...]:
    found = (("coatcheck.event.kind", kind),)
    return (*found, ("coatcheck.event.reason", reason)) if reason else found


def test_a_whole_life_is_counted(any_host: type[Host], mode: str, begin: Begin, counted: Counted) -> None:
    life = begin(any_host, mode)
    told = Counter(attributes(*event) for _, events in walk(life) for event in events)
    assert counted() == told
    assert told == Counter(attributes(*event) for _, events in expected(mode) for event in events)


@pytest.mark.parametrize("event", ALL, ids=lambda event: f"{event.kind}-{event.reason}")
def test_every_event_has_a_series_of_its_words_alone(event: Event, counted: Counted) -> None:
    count: Any = event_counter()
    count(event)
    assert counted() == {attributes(event.kind.value, event.reason.value if event.reason else ""): 1}


def test_the_series_are_as_few_as_the_words(counted: Counted) -> None:
    count: Any = event_counter()
    for _ in range(3):
        for event in ALL:
            count(event)
    found = counted()
    assert len(found) == len(Kind) * (len(Reason) + 1)
    assert set(found.values()) == {3}
    assert {type(value) for each in found for _, value in each} == {str}


def test_the_counter_says_what_it_counts(counted: Counted) -> None:
    count: Any = event_counter()
    count(Event(Kind.CREATED))
    ((scope, metric),) = [found for found in collect() if found[1].name.startswith("coatcheck")]
    assert (scope.name, metric.name, metric.unit) == ("coatcheck", "coatcheck.session.events", "{event}")
    assert scope.version[0].isdigit()
    assert metric.data.is_monotonic
    assert metric.description == "What has happened to sessions"


# Processes of their own

SITE = """
    from flask import Flask, session
    from coatcheck.flask import Coatcheck
    app = Flask("site")
    app.secret_key = "9f3c1b7ad0e84c52b6e1f70a2d95c843"
    Coatcheck(app)
    app.add_url_rule("/", view_func=lambda: str(session.update(a=1)))
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.metrics"])
def test_without_opentelemetry_nothing_is_counted_and_nothing_missed(missing: str) -> None:
    done = run(
        f"import sys; sys.modules[{missing!r}] = None"
        + dedent(SITE)
        + "from coatcheck.telemetry import event_counter\n"
        + "assert event_counter() is None\n"
        + "assert app.test_client().get('/').status_code == 200\n"
    )
    assert done.returncode == 0, done.stderr


def test_the_provider_may_come_after_the_application() -> None:
    done = run(
        dedent(SITE)
        + dedent("""
        app.test_client().get("/")

        from opentelemetry.metrics import set_meter_provider
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        reader = InMemoryMetricReader()
        set_meter_provider(MeterProvider(metric_readers=[reader]))
        app.test_client().get("/")
        (metric,) = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
        (point,) = metric.data.data_points
        assert (point.value, dict(point.attributes)) == (1, {"coatcheck.event.kind": "created"}), point
        """)
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["coatcheck", "coatcheck.flask", "coatcheck.asgi", "coatcheck.telemetry"])
def test_an_import_loads_no_opentelemetry(module: str) -> None:
    done = run(f"import sys, {module}; assert not [n for n in sys.modules if n.startswith('opentelemetry')]")
    assert done.returncode == 0, done.stderr
