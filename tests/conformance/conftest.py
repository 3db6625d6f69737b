from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conformance.rows import Row
from conformance.site import MODES, FlaskSite, Site, StarletteSite
from conformance.table import Table


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "conformance(row): the row of the table that a test shows")
    if not config.pluginmanager.has_plugin("conformance-table"):
        config.pluginmanager.register(Table(), "conformance-table")


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def able(request: pytest.FixtureRequest, mode: str) -> bool:
    """Whether this mode can what the row asks for."""
    found: Row = request.node.get_closest_marker("conformance").args[0]
    return mode not in found.cannot


@pytest.fixture(params=[FlaskSite, StarletteSite], ids=["Flask", "Starlette"])
def on_both(request: pytest.FixtureRequest, mode: str) -> Callable[..., Site]:
    """Makes a site in this mode, on each of two frameworks."""
    kind: type[Site] = request.param
    return lambda **options: kind(mode, **options)


@pytest.fixture
def make(mode: str) -> Callable[..., FlaskSite]:
    """Makes a site in this mode."""

    def start(**options: Any) -> FlaskSite:
        return FlaskSite(mode, **options)

    return start
