"""What holds for every test: how Hypothesis runs, and the servers that tests may ask for."""

from __future__ import annotations

import os

import pytest
from hosts.table import Table
from hypothesis import HealthCheck, settings

pytest_plugins = [
    "servers.redis",
    "servers.sql",
    "servers.memcached",
]

# The same on a machine that is busy with other things. CI judges a change by the same examples each time;
# everybody else looks at new ones.
settings.register_profile(
    "coatcheck",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("coatcheck")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Table(), "hosts")
