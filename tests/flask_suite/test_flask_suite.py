"""Flask's own test suite: as it is, and with coatcheck's sessions in each application, in cookies and on the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from flask_suite import source

# What Flask promises and coatcheck does not, on purpose. Flask 3.1 has 490 tests.
EXCEPTIONS = {
    "tests/test_basic.py::test_session_using_samesite_attribute": "SESSION_COOKIE_SAMESITE=None means Lax",
}
ON_THE_SERVER = EXCEPTIONS | {
    "tests/test_basic.py::test_session_using_session_settings": (
        "a session whose last key is popped keeps its cookie: another request may be filling it at this moment,"
        " and clear() or destroy() end it"
    ),
}
# The plugins of a run, and where it may differ.
KEEPERS = {"in the cookie": (("swap",), EXCEPTIONS), "on the server": (("swap", "on_the_server"), ON_THE_SERVER)}
FEWEST_TESTS = 480


class Run(NamedTuple):
    outcomes: dict[str, str]
    output: str

    def having(self, outcome: str) -> set[str]:
        return {nodeid for nodeid, each in self.outcomes.items() if each == outcome}


def run(folder: Path, *plugins: str) -> Run:
    outcomes = folder / "outcomes.json"
    options = [option for plugin in plugins for option in ("-p", plugin)]
    # Our own pytest's plugins, options and coverage are no part of this one.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environ |= {
        "OUTCOMES": str(outcomes),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", *options, "tests"],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert outcomes.exists(), done.stdout
    return Run(json.loads(outcomes.read_text()), done.stdout)


@pytest.fixture(scope="module")
def package(pytestconfig: pytest.Config) -> Path:
    return source.download(pytestconfig.cache.mkdir("flask_suite"))


@pytest.fixture(scope="module")
def untouched(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(source.unpack(package, tmp_path_factory.mktemp("untouched")), "outcomes")


@pytest.fixture(scope="module", params=KEEPERS)
def keeper(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def swapped(package: Path, tmp_path_factory: pytest.TempPathFactory, keeper: str) -> Run:
    return run(source.unpack(package, tmp_path_factory.mktemp("swapped")), "outcomes", *KEEPERS[keeper][0])


def test_flasks_own_tests_run_in_full(untouched: Run, swapped: Run) -> None:
    assert len(untouched.having("passed")) >= FEWEST_TESTS, untouched.output
    assert swapped.outcomes.keys() == untouched.outcomes.keys(), swapped.output
    assert not untouched.having("skipped"), untouched.output


def test_flasks_own_tests_pass_with_coatchecks_sessions_too(untouched: Run, swapped: Run, keeper: str) -> None:
    assert untouched.having("passed") - swapped.having("passed") <= KEEPERS[keeper][1].keys(), swapped.output


def test_each_exception_passes_with_flasks_sessions_and_fails_with_coatchecks(
    untouched: Run, swapped: Run, keeper: str
) -> None:
    """An exception that is none any more would hide a test; and this shows that the sessions were swapped."""
    assert untouched.having("passed") >= KEEPERS[keeper][1].keys(), untouched.output
    assert swapped.having("failed") >= KEEPERS[keeper][1].keys(), swapped.output
