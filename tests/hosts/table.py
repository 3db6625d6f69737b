"""The table of hosts by rows in docs/hosts.md: made of the run itself.

A pytest plugin. When every test of the suite has run on every host, the page is compared with what the run says;
where `COATCHECK_WRITE_HOSTS=1` is set, it is written instead.
"""

from __future__ import annotations

import os
from collections import defaultdict
from inspect import getmodule
from pathlib import Path
from typing import Any

import pytest
from hosts.host import Host

PAGE = Path(__file__).parents[2] / "docs" / "hosts.md"
_BEGIN = "<!-- made by the tests -->"


class Table:
    """What each test said of each host."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
        self._reasons: dict[str, dict[str, str]] = defaultdict(dict)
        self._titles: dict[str, str] = {}
        self._hosts: list[str] = []
        self._expected = 0
        self._left_out = False
        self._seen = 0

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            host = _host(item)
            if host is not None and isinstance(item, pytest.Function):
                self._expected += 1
                module = getmodule(item.function)
                self._titles[str(item.path.stem)] = ((module and module.__doc__) or "").strip().splitlines()[0]
                if host.name not in self._hosts:
                    self._hosts.append(host.name)
                reason = host.differs.get(item.originalname)
                if reason is not None:
                    self._reasons[host.name][item.originalname] = reason

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self._left_out |= any(_host(item) is not None for item in items)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        outcome = yield
        host = _host(item)
        report = outcome.get_result()
        if host is None or report.when != "call" or not isinstance(item, pytest.Function):
            return
        self._seen += 1
        row = (str(item.path.stem), item.originalname)
        self._cells[row][host.name] = self._cells[row].get(host.name, True) and report.passed
        if report.failed and item.originalname in host.differs:
            # The page says so and why. Were it an expected failure for pytest, it would count as a test left out.
            # Some cases of a row may pass; that all of them do is found at the end.
            report.outcome, report.longrepr = "passed", None

    def text(self) -> str:
        """Gives the tables."""
        hosts = sorted(self._hosts, key=str.lower)
        notes: dict[str, int] = {}
        lines: list[str] = []
        last = ""
        for (file, test), cells in self._cells.items():
            if file != last:
                last = file
                lines += ["", f"## {self._titles[file].rstrip('.')}", ""]
                lines += ["| | " + " | ".join(hosts) + " |", "| --- |" + " :-: |" * len(hosts)]
            marks = []
            for host in hosts:
                mark = "" if host not in cells else "yes" if cells[host] else "**no**"
                reason = self._reasons[host].get(test)
                if reason is not None:
                    mark = f"no [{notes.setdefault(reason, len(notes) + 1)}]"
                marks.append(mark)
            sentence = test.removeprefix("test_").replace("_", " ")
            lines.append(f"| {sentence} | " + " | ".join(marks) + " |")
        if notes:
            lines += ["", "## Why not", "", *(f"{number}. {reason}" for reason, number in notes.items())]
        return "\n".join(lines) + "\n"

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self._is_whole(session) or self._has_failed():
            return
        for host, reasons in self._reasons.items():
            for test in reasons:
                if all(cells.get(host, False) for (_, row), cells in self._cells.items() if row == test):
                    self._fail(session, f"{host} passes {test}, and its adapter says that it cannot")
        head, _, shown = PAGE.read_text().partition(_BEGIN)
        if os.environ.get("COATCHECK_WRITE_HOSTS"):
            PAGE.write_text(f"{head}{_BEGIN}\n{self.text()}")
        elif shown.lstrip("\n") != self.text().lstrip("\n"):
            self._fail(session, f"{PAGE.name} is not what the run says: run tests/hosts with COATCHECK_WRITE_HOSTS=1")

    def _fail(self, session: pytest.Session, problem: str) -> None:
        session.config.get_terminal_writer().line(f"\n{problem}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _has_failed(self) -> bool:
        """Says whether a test has failed of which no adapter says so: the run fails by that, and the page stays."""
        return any(
            not passed and test not in self._reasons[host]
            for (_, test), cells in self._cells.items()
            for host, passed in cells.items()
        )

    def _is_whole(self, session: pytest.Session) -> bool:
        """Says whether all of the suite has run: a part of it says nothing about the page."""
        narrowed = self._left_out or any("::" in name for name in session.config.args)
        files = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
        return not narrowed and self._seen == self._expected > 0 and {file for file, _ in self._cells} == files


def _host(item: pytest.Item) -> type[Host] | None:
    callspec = getattr(item, "callspec", None)
    found: type[Host] | None = callspec.params.get("host_class") if callspec is not None else None
    return found
