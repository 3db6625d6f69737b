"""What these tests share: the demo as its own process, and its visitors."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from browser.visitor import Visitor, start_browser
from selenium.webdriver import Chrome

DEMO = Path(__file__).parents[2] / "examples" / "demo" / "app.py"
FULL_DEMO = Path(__file__).with_name("full_demo.py")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: drives Chromium; needs chromium and chromedriver")


@contextmanager
def running(program: Path, log: Path) -> Iterator[str]:
    """Starts the demo on a free port and gives its origin. What it reports goes into the log."""
    command = [sys.executable, str(program), "--port", "0"]
    with (
        log.open("w") as report,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=report, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found, f"the demo did not start: {log.read_text()}"
            yield found[0]
        finally:
            process.terminate()
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of the demo."""
    with running(DEMO, tmp_path_factory.mktemp("demo") / "log") as origin:
        yield origin


@pytest.fixture
def restarted_demo(tmp_path: Path) -> Iterator[str]:
    """The demo as it is after another start. Cookies know no ports: to a browser it is the same site."""
    with running(DEMO, tmp_path / "log") as origin:
        yield origin


@pytest.fixture
def full_demo(tmp_path: Path) -> Iterator[str]:
    """The demo with a view `/fill/`, which fills the session with long and hostile words, and a clock of its own, which
    `/later/` advances by more than a minute."""
    with running(FULL_DEMO, tmp_path / "log") as origin:
        yield origin


@pytest.fixture(scope="session")
def browser_for(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Chrome]]:
    """Gives one browser for each list of languages: starting one takes longer than a test."""
    started: dict[str, Chrome] = {}
    with ExitStack() as stack:

        def choose(languages: str) -> Chrome:
            if languages not in started:
                started[languages] = start_browser(languages, tmp_path_factory.mktemp("profile"))
                stack.callback(started[languages].quit)
            return started[languages]

        yield choose


@pytest.fixture
def arrive(demo: str, browser_for: Callable[[str], Chrome]) -> Iterator[Callable[[str], Visitor]]:
    """Gives a visitor who reads these languages. At the end, all they did must have stayed on loopback and in order."""
    visitors: list[Visitor] = []

    def enter(languages: str) -> Visitor:
        visitors.append(Visitor(browser_for(languages), demo))
        return visitors[-1]

    yield enter
    for visitor in visitors:
        assert visitor.complaints() == []
        requests = visitor.requests()
        assert requests
        assert [url for url in requests if not url.startswith("http://127.0.0.1:")] == []


@pytest.fixture
def visitor(arrive: Callable[[str], Visitor]) -> Visitor:
    """A visitor who reads English."""
    return arrive("en-US,en")


@pytest.fixture
def chinese_visitor(arrive: Callable[[str], Visitor]) -> Visitor:
    return arrive("zh-CN,zh")
