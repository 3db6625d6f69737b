"""A plugin for Flask's tests: writes what became of each test into the file that OUTCOMES names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import _pytest.monkeypatch
import pytest

# Flask's tests take this private name of pytest, which later versions spell in capitals.
_names = vars(_pytest.monkeypatch)
_names.setdefault("notset", _names.get("NOTSET"))

_outcomes: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # A test passes in three steps, and fails or is skipped in any of them.
    if report.when == "call" or report.outcome != "passed":
        _outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    Path(os.environ["OUTCOMES"]).write_text(json.dumps(_outcomes))
