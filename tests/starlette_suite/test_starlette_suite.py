"""Starlette's own tests of its sessions: as they are, and with coatcheck's, in cookies and on the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from flask_suite.source import unpack
from starlette_suite import source

_CASE = "the names of cookie attributes have no case (RFC 6265, section 5.2), and are written as there"
_LIFETIME = "a session lives for a second at least: a lifetime of none is a mistake that is said"
# What Starlette promises and coatcheck does not, on purpose. Starlette 1.10 has 37 of these tests.
EXCEPTIONS = {
    "test_partitioned_session[asyncio-True]": _CASE,
    "test_partitioned_session[trio-True]": _CASE,
    "test_session_cookie_subpath[asyncio]": _CASE,
    "test_session_cookie_subpath[trio]": _CASE,
    "test_domain_cookie[asyncio]": f"{_CASE}; and a dot before a domain has no meaning any more (section 5.2.3)",
    "test_domain_cookie[trio]": f"{_CASE}; and a dot before a domain has no meaning any more (section 5.2.3)",
    "test_session_expires[asyncio]": _LIFETIME,
    "test_session_expires[trio]": _LIFETIME,
    "test_session_zero_max_age[asyncio]": _LIFETIME,
    "test_session_zero_max_age[trio]": _LIFETIME,
    "test_session_tracks_modification": "whoever asks for a key that is not there has looked at the session",
}
# The options of a run, and of its tests those that it has.
KEEPERS = {
    "in the cookie": ("", ()),
    # Drivers of stores need asyncio.
    "on the server": ("memory:", ("-k", "not trio")),
}
FEWEST_TESTS = {"in the cookie": 37, "on the server": 20}
_ROOT = "tests/middleware/test_session.py::"


class Run(NamedTuple):
    outcomes: dict[str, str]
    output: str

    def having(self, outcome: str) -> set[str]:
        return {name.removeprefix(_ROOT) for name, each in self.outcomes.items() if each == outcome}


def run(folder: Path, keeper: str) -> Run:
    store, options = KEEPERS[keeper]
    outcomes = folder / "outcomes.json"
    here = Path(__file__).parent
    # Our own pytest's plugins, options and coverage are no part of this one.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environ |= {
        "OUTCOMES": str(outcomes),
        "KEEPER_STORE": store,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join([str(here), str(here.parent / "flask_suite")]),
    }
    plugins = ("-p", "no:cacheprovider", "-p", "anyio.pytest_plugin", "-p", "outcomes")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short", *plugins, *options, *source.CHANGES],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert outcomes.exists(), done.stdout
    return Run(json.loads(outcomes.read_text()), done.stdout)


@pytest.fixture(scope="module")
def package(pytestconfig: pytest.Config) -> Path:
    return source.download(pytestconfig.cache.mkdir("starlette_suite"))


@pytest.fixture(scope="module", params=KEEPERS)
def keeper(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def untouched(package: Path, tmp_path_factory: pytest.TempPathFactory, keeper: str) -> Run:
    return run(unpack(package, tmp_path_factory.mktemp("untouched")), keeper)


@pytest.fixture(scope="module")
def swapped(package: Path, tmp_path_factory: pytest.TempPathFactory, keeper: str) -> Run:
    folder = unpack(package, tmp_path_factory.mktemp("swapped"))
    source.swap(folder)
    return run(folder, keeper)


@pytest.fixture(scope="module")
def exceptions(swapped: Run) -> set[str]:
    """Those among the tests of this run."""
    names = {name.removeprefix(_ROOT) for name in swapped.outcomes}
    return EXCEPTIONS.keys() & names


def test_starlettes_own_tests_run_in_full(untouched: Run, swapped: Run, keeper: str) -> None:
    assert len(untouched.having("passed")) >= FEWEST_TESTS[keeper], untouched.output
    assert swapped.outcomes.keys() == untouched.outcomes.keys(), swapped.output
    assert not untouched.having("skipped"), untouched.output


def test_starlettes_own_tests_pass_with_coatchecks_sessions_too(
    untouched: Run, swapped: Run, exceptions: set[str]
) -> None:
    assert untouched.having("passed") - swapped.having("passed") <= exceptions, swapped.output


def test_each_exception_passes_with_starlettes_sessions_and_fails_with_coatchecks(
    untouched: Run, swapped: Run, exceptions: set[str]
) -> None:
    """An exception that is none any more would hide a test; and this shows that the sessions were swapped."""
    assert exceptions
    assert untouched.having("passed") >= exceptions, untouched.output
    assert swapped.having("failed") >= exceptions, swapped.output
