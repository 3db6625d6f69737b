"""What the tests of Django's engine share: settings of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.test.utils import override_settings
from hosts.adapters.django import configure
from kit import NOON, SECRET

from coatcheck.testing import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def settled(clock: Clock) -> Iterator[Callable[..., None]]:
    """Sets Django's settings until the test ends."""
    configure()
    with ExitStack() as stack:

        def settle(**settings: Any) -> None:
            stack.enter_context(override_settings(SECRET_KEY=SECRET, SESSION_CLOCK=clock, **settings))

        yield settle
