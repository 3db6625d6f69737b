"""Every test of the behaviour suite runs once on each host, with each kind of storage that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hosts.host import Host, View
from kit import SECRET

from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

ADAPTERS = sorted(path.stem for path in (Path(__file__).parent / "adapters").glob("*.py"))

Make: TypeAlias = Callable[..., Host]


def hosts() -> list[type[Host]]:
    """Gives the adapters, one for each host."""
    found: list[type[Host]] = []
    for name in ADAPTERS:
        module = import_module(f"hosts.adapters.{name}")
        found += [
            each
            for each in vars(module).values()
            if issubclass(type(each), type) and issubclass(each, Host) and each.__module__ == module.__name__
        ]
    return [each for each in found if not each.__abstractmethods__]


@pytest.fixture(params=hosts(), ids=lambda host: host.name)
def host_class(request: pytest.FixtureRequest) -> type[Host]:
    kind: type[Host] = request.param
    return kind


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["cookie", "store"])
def storage(request: pytest.FixtureRequest, clock: Clock) -> Mapping[str, Any]:
    """The option that says where sessions are kept."""
    return {} if request.param == "cookie" else {"store": MemoryStore(clock=clock)}


@pytest.fixture
def make(host_class: type[Host], clock: Clock) -> Iterator[Make]:
    """Builds the host. `make(views, **options)`."""
    with ExitStack() as stack:

        def make_host(views: Mapping[str, View], **options: Any) -> Host:
            return stack.enter_context(host_class(views, **{"secret_key": SECRET, "clock": clock, **options}))

        yield make_host
