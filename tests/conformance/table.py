"""The table in docs/security.md, made of the run: a pytest plugin, as that of the hosts.

When every row has run in every mode, the page is compared with what the run says; where
`COATCHECK_WRITE_CONFORMANCE=1` is set, it is written instead.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from conformance.rows import OF_THE_APPLICATION, Row
from conformance.site import MODES

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN = "<!-- conformance: made by the tests -->\n"
END = "<!-- end of conformance -->\n"


def of(item: pytest.Item) -> tuple[Row, str] | None:
    marker = item.get_closest_marker("conformance")
    if marker is None or not isinstance(item, pytest.Function):
        return None
    return marker.args[0], str(item.callspec.params["mode"])


class Table:
    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.cells: dict[tuple[str, str], bool] = {}
        self.expected: set[tuple[str, str]] = set()
        self.left_out = False

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            found = of(item)
            if found is not None:
                self.rows.setdefault(found[0].id, found[0])
                self.expected.add((found[0].id, found[1]))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.left_out |= any(of(item) is not None for item in items)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        outcome = yield
        found, report = of(item), outcome.get_result()
        if found is not None and (report.when == "call" or report.failed):
            key = found[0].id, found[1]
            self.cells[key] = self.cells.get(key, True) and report.passed

    def text(self) -> str:
        notes: dict[str, int] = {}
        lines = [
            "| | requirement | coatcheck | " + " | ".join(MODES) + " |",
            "| --- | --- | --- |" + " :-: |" * len(MODES),
        ]
        for each in sorted([*self.rows.values(), *OF_THE_APPLICATION], key=lambda one: _order(one.id)):
            cells = []
            for mode in MODES:
                if each.role == "application":
                    cells.append("")
                elif mode in each.cannot:
                    number = notes.setdefault(each.cannot[mode], len(notes) + 1)
                    cells.append(f"no [{number}]" if self.cells[each.id, mode] else "**failed**")
                else:
                    cells.append("yes" if self.cells[each.id, mode] else "**failed**")
            role = "the application's" if each.role == "application" else each.role
            lines.append(f"| {each.id} | {each.requirement} | {role} | " + " | ".join(cells) + " |")
        lines += ["", *(f"{number}. {reason}." for reason, number in notes.items())]
        return "\n".join(lines) + "\n"

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.left_out or not self.expected or set(self.cells) != self.expected or len(self.rows) < _LEAST:
            return
        before, begin, rest = PAGE.read_text().partition(BEGIN)
        _, end, after = rest.partition(END)
        made = before + begin + "\n" + self.text() + "\n" + end + after
        if os.environ.get("COATCHECK_WRITE_CONFORMANCE"):
            PAGE.write_text(made)
        elif PAGE.read_text() != made:
            reporter = session.config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.write_line(
                    f"{PAGE.name} is not what the run says: run tests/conformance with COATCHECK_WRITE_CONFORMANCE=1",
                    red=True,
                )
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


# A run of one file says nothing of the page.
_LEAST = 40


def _order(id_: str) -> tuple[str, list[int], str]:
    head, _, number = id_.partition(" ")
    return head, [int(part) for part in number.split(",")[0].split(".") if part.isdigit()], id_
