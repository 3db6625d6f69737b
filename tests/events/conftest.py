"""What these tests share: the hosts, a life on one of them, and a reader of what OpenTelemetry has counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import pytest
from events.counting import collect
from events.life import MODES, Life
from hosts.adapters.flask import FlaskHost
from hosts.adapters.quart_host import QuartHost
from hosts.adapters.starlette import StarletteHost
from hosts.conftest import hosts
from hosts.host import Host

from coatcheck.testing import Clock

Begin: TypeAlias = Callable[..., Life]
Counted: TypeAlias = Callable[[], dict[tuple[tuple[str, Any], ...], int]]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


# Not `host_class`: these are no rows of the table of hosts.
@pytest.fixture(params=hosts(), ids=lambda host: host.name)
def any_host(request: pytest.FixtureRequest) -> type[Host]:
    kind: type[Host] = request.param
    return kind


@pytest.fixture(params=[FlaskHost, QuartHost, StarletteHost], ids=lambda host: host.name)
def some_host(request: pytest.FixtureRequest) -> type[Host]:
    kind: type[Host] = request.param
    return kind


@pytest.fixture(params=[FlaskHost, QuartHost], ids=lambda host: host.name)
def host_with_signals(request: pytest.FixtureRequest) -> type[Host]:
    kind: type[Host] = request.param
    return kind


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def begin(clock: Clock) -> Iterator[Begin]:
    """Begins a life. `begin(host_class, mode, **options)`."""
    with ExitStack() as stack:

        def begin_life(host_class: type[Host], mode: str, **options: Any) -> Life:
            life = Life(mode, clock, host_class, **options)
            stack.callback(life.close)
            return life

        yield begin_life


@pytest.fixture
def counted() -> Counted:
    """Gives how often something was counted since the last time, by its attributes."""

    def count() -> dict[tuple[tuple[str, Any], ...], int]:
        return {
            tuple(sorted(point.attributes.items())): point.value
            for _, metric in collect()
            if metric.name == "coatcheck.session.events"
            for point in metric.data.data_points
        }

    count()
    return count
