"""Every Python example in the documentation runs, page by page, as a reader would paste it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "README.zh-CN.md", "docs/flask.md")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run(page: str) -> dict[str, object]:
    """Runs the examples of a page one after the other in one namespace, up to its section on testing."""
    names: dict[str, object] = {"__name__": "example"}
    for block in BLOCK.findall((ROOT / page).read_text()):
        exec(compile(block, page, "exec"), names)
    return names


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "7d3c1f0a9be84265d0c4f1a27e5b8396")
    monkeypatch.setenv("OLD_SECRET_KEY", "e4a90b7c35d1f8266b0d9c4e71a3f582")


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run(page: str) -> None:
    assert isinstance(run(page)["app"], Flask)


@pytest.mark.parametrize("page", PAGES[:2])
def test_the_readme_shows_the_header_that_its_program_sends(page: str) -> None:
    app = run(page)["app"]
    assert isinstance(app, Flask)
    (sent,) = app.test_client().get("/").headers.getlist("Set-Cookie")
    (shown,) = re.findall(r"^Set-Cookie: (.*)$", (ROOT / page).read_text(), re.MULTILINE)

    def shape(header: str) -> str:
        return re.sub(r"Expires=[^;]+", "Expires=", re.sub(r"^session=[^;]+", "session=", header))

    assert shape(sent) == shape(shown)
    assert re.match(r"session=A[A-Za-z0-9_-]{90,}; Expires=\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT; ", sent)


def test_the_readmes_have_the_same_figures() -> None:
    english, chinese = ((ROOT / page).read_text() for page in PAGES[:2])
    figures = re.compile(r"(\d[\d.]*) (?:µs|bytes|字节)")
    rows = [
        [figures.findall(line) for line in text.splitlines() if line.startswith("| ")] for text in (english, chinese)
    ]
    assert rows[0] == rows[1]
    assert sum(len(row) for row in rows[0]) == 10


@pytest.mark.parametrize("page", [*PAGES, "docs/security.md", "docs/format.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_every_option_is_documented() -> None:
    from coatcheck.core.settings import OPTIONS, config_key

    text = (ROOT / "docs/flask.md").read_text()
    assert [key for key in map(config_key, OPTIONS) if f"| `{key}` |" not in text] == ["SESSION_STORE"]
