"""Every Python example in the documentation runs, page by page, as a reader would paste it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from servers.redis import RedisServer

from coatcheck import Kind

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "README.zh-CN.md", "docs/flask.md")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LOCAL_REDIS = "redis://localhost:6379/0"


def run(page: str, *, until: str = "", redis: str = LOCAL_REDIS) -> dict[str, Any]:
    """Runs the examples of a page one after the other in one namespace, all or those before some words.

    `redis` takes the place of the server that a reader has on the own machine.
    """
    names: dict[str, Any] = {"__name__": "example"}
    text = (ROOT / page).read_text()
    assert until in text
    for block in BLOCK.findall(text.partition(until)[0] if until else text):
        exec(compile(block.replace(LOCAL_REDIS, redis), page, "exec"), names)
    return names


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A reader has keys, and an empty folder."""
    monkeypatch.setenv("SECRET_KEY", "7d3c1f0a9be84265d0c4f1a27e5b8396")
    monkeypatch.setenv("OLD_SECRET_KEY", "e4a90b7c35d1f8266b0d9c4e71a3f582")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run(page: str) -> None:
    assert isinstance(run(page)["app"], Flask)


@pytest.mark.parametrize("page", PAGES[:2])
def test_the_readme_shows_the_header_that_its_program_sends(page: str) -> None:
    app = run(page, until="Coatcheck(app, store=")["app"]
    assert isinstance(app, Flask)
    (sent,) = app.test_client().get("/").headers.getlist("Set-Cookie")
    (shown,) = re.findall(r"^Set-Cookie: (.*)$", (ROOT / page).read_text(), re.MULTILINE)

    def shape(header: str) -> str:
        return re.sub(r"Expires=[^;]+", "Expires=", re.sub(r"^session=[^;]+", "session=", header))

    assert shape(sent) == shape(shown)
    assert re.match(r"session=A[A-Za-z0-9_-]{90,}; Expires=\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT; ", sent)


@pytest.mark.parametrize("page", PAGES[:2])
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_the_second_line_of_the_readme_puts_the_session_on_a_server(
    page: str, kind: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    lines = re.findall(r"^Coatcheck\(app, store=.*$", (ROOT / page).read_text(), re.MULTILINE)
    (line,) = [line for line in lines if kind in line]
    names = run(page, until=lines[0])
    exec(line.replace(LOCAL_REDIS, redis_server.url()), names)
    client = names["app"].test_client()
    (sent,) = client.get("/").headers.getlist("Set-Cookie")
    assert re.match(r"session=A[A-Za-z0-9_-]{43}; Expires=", sent)
    assert client.get("/username/").text == "xiaoming"
    assert (tmp_path / "sessions.db").exists() == (kind == "sqlite")


def test_the_sessions_of_the_page_move_from_redis_to_a_file_and_nobody_is_logged_out(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    page = "docs/flask.md"
    text = (ROOT / page).read_text()
    names = run(page, until="### move to a server", redis=redis_server.url())
    client = names["app"].test_client()
    assert client.get("/").text == "visit 1"
    assert not (tmp_path / "sessions.db").exists()
    (block,) = [block for block in BLOCK.findall(text) if "SESSION_EARLIER_STORE" in block]
    exec(block.replace(LOCAL_REDIS, redis_server.url()), names)
    assert client.get("/").text == "visit 2"
    names["app"].config["SESSION_EARLIER_STORE"] = None
    assert client.get("/").text == "visit 3"


def test_the_rules_of_the_page_merge_what_two_requests_changed() -> None:
    rules = run("docs/flask.md", until="### when the store is down")["app"].config["SESSION_MERGE"]
    assert rules["visits"](None, 1, 4) == 5
    assert rules["visits"](3, 4, 5) == 6
    assert rules["cart"](None, ["pear"], ["fig"]) == ["fig", "pear"]
    assert rules["cart"](["pear"], ["pear", "nut"], ["pear", "fig"]) == ["pear", "fig", "nut"]


def test_the_page_for_an_outage_is_shown_until_the_application_goes_on_without_sessions() -> None:
    page = "docs/flask.md"
    app = run(page, until="An application that can do without")["app"]
    client = app.test_client()
    client.get("/")
    app.config.update(SESSION_STORE="redis://127.0.0.1:1/0", SESSION_EARLIER_STORE=None)
    response = client.get("/")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "60")
    assert response.text == "Please come again in a minute."
    app.config["SESSION_STORE_DOWN"] = run(page, until="Then a request that looks")["app"].config["SESSION_STORE_DOWN"]
    assert client.get("/").text == "visit 1"
    assert client.get("/logout").status_code == 503


def test_the_readmes_have_the_same_figures() -> None:
    english, chinese = ((ROOT / page).read_text() for page in PAGES[:2])
    figures = re.compile(r"(\d[\d.]*) (?:µs|bytes|字节)")
    rows = [
        [figures.findall(line) for line in text.splitlines() if line.startswith("| ")] for text in (english, chinese)
    ]
    assert rows[0] == rows[1]
    assert sum(len(row) for row in rows[0]) == 10


def anchors(text: str) -> set[str]:
    """Gives what the headings of a page can be linked by."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


LINKED = sorted(str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


@pytest.mark.parametrize("page", LINKED)
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", path.read_text()):
        linked = path.parent / target if target else path
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked.read_text()), f"{target}#{anchor}"


@pytest.mark.parametrize("file", ["format_v1.json", "format_v1_records.json"])
def test_the_page_of_the_format_shows_the_first_vector(file: str) -> None:
    text = (ROOT / "docs/format.md").read_text()
    vectors = json.loads((ROOT / "tests/vectors" / file).read_text())["vectors"]
    for name, value in vectors[0].items():
        assert (
            not isinstance(value, str) or name in ("title", "audience", "packed", "successor") or f"`{value}`" in text
        )
    number = {8: "eight tokens", 13: "thirteen records"}[len(vectors)]
    assert number in text


def test_every_option_is_documented() -> None:
    from coatcheck.core.settings import OPTIONS, config_key

    text = (ROOT / "docs/reference.md").read_text()
    assert [key for key in map(config_key, OPTIONS) if f"| `{key}` |" not in text] == []


def test_every_event_is_documented() -> None:
    text = (ROOT / "docs/flask.md").read_text()
    assert [kind for kind in Kind if f"`{kind}`" not in text] == []
