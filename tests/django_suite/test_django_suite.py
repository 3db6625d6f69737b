"""Django's own tests of a session engine and its middleware: as they are, and with coatcheck's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django_suite import source

_NOT_ON_THE_SERVER = "a sealed session is in the cookie alone, and nothing on the server says whether it is there"
_TABLE = "it looks into the table of Django's own engine"
_RAW = "the test puts a cookie where Django's parser would, and our middleware reads the header"

EXCEPTIONS = {
    "SealedTests.test_save": _NOT_ON_THE_SERVER,
    "SealedTests.test_save_async": _NOT_ON_THE_SERVER,
    "SealedTests.test_session_save_does_not_resurrect_session_logged_out_in_other_context": _NOT_ON_THE_SERVER,
    "SealedTests.test_session_asave_does_not_resurrect_session_logged_out_in_other_context": _NOT_ON_THE_SERVER,
    "SealedMiddlewareTests.test_empty_session_saved": _TABLE,
    "OnServerMiddlewareTests.test_empty_session_saved": _TABLE,
    "OurMiddlewareTests.test_empty_session_saved": _TABLE,
    "OurMiddlewareTests.test_session_delete_on_end": _RAW,
    "OurMiddlewareTests.test_session_delete_on_end_with_custom_domain_and_path": _RAW,
    "OurMiddlewareTests.test_save_every_request_with_non_empty_session_renews_session_cookie": _RAW,
}
# Django 5.2 has 65 tests of an engine and 12 of the middleware.
FEWEST_OF_AN_ENGINE, FEWEST_OF_THE_MIDDLEWARE = 65, 12


def run(folder: Path, engine: str, outcomes: Path) -> dict[str, str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), str(folder)])
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run.py")), str(outcomes), engine],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert outcomes.exists(), done.stdout
    found: dict[str, str] = json.loads(outcomes.read_text())
    return found


@pytest.fixture(scope="module")
def folder(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    package = source.download(pytestconfig.cache.mkdir("django_suite"))
    return source.unpack(package, tmp_path_factory.mktemp("django"))


@pytest.fixture(scope="module")
def ours(folder: Path) -> dict[str, str]:
    return run(folder, "coatcheck.django", folder / "ours.json")


def test_djangos_tests_run_in_full(ours: dict[str, str]) -> None:
    groups = [name.partition(".")[0] for name in ours]
    for group in ("SealedTests", "OnServerTests"):
        assert groups.count(group) >= FEWEST_OF_AN_ENGINE
    for group in ("SealedMiddlewareTests", "OnServerMiddlewareTests", "OurMiddlewareTests"):
        assert groups.count(group) >= FEWEST_OF_THE_MIDDLEWARE


def test_they_pass_with_our_engine_in_the_cookie_and_on_the_server(ours: dict[str, str]) -> None:
    """An exception that is none any more would hide a test; and this shows that the engine is ours."""
    assert {name for name, outcome in ours.items() if outcome != "passed"} == EXCEPTIONS.keys()


def test_all_of_them_pass_as_they_are(folder: Path) -> None:
    theirs = run(folder, "django.contrib.sessions.backends.db", folder / "theirs.json")
    assert len(theirs) > 300
    assert {name for name, outcome in theirs.items() if outcome != "passed"} == set()
