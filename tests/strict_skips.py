"""A plugin that fails what a run would leave out: a skip hides a component that is missing.

pytest -p strict_skips --no-skips
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips",
        action="store_true",
        default=bool(os.environ.get("CI")),
        help="fail tests that are skipped or expected to fail (the default where CI is set)",
    )


def _fail(report: pytest.TestReport | pytest.CollectReport, nodeid: str) -> None:
    # An expected failure is reported as a skip with this beside it.
    reason = report.__dict__.pop("wasxfail", None) or report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{nodeid} was left out, and --no-skips forbids it: {reason}"


# First among the wrappers is last to see the report: after pytest has marked the expected failures.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.config.getoption("no_skips") and (report.skipped or hasattr(report, "wasxfail")):
        _fail(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if collector.config.getoption("no_skips") and report.skipped:
        _fail(report, collector.nodeid)
    return report
