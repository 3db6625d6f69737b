"""Every page about a store runs as it stands, against the real server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, session
from servers.memcached import MemcachedServer
from servers.redis import RedisServer
from servers.sql import MariaDB, PostgreSQL

from coatcheck.stores import open_async_store, open_store

PAGES = Path(__file__).parents[2] / "docs/stores"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run(page: str) -> dict[str, Any]:
    """Runs the examples of a page one after the other in one namespace."""
    names: dict[str, Any] = {"__name__": "example"}
    for block in BLOCK.findall((PAGES / page).read_text()):
        exec(compile(block, page, "exec"), names)
    return names


# The page says that this proves the store, so here it does.
TestFolderStore = run("write-your-own.md")["TestFolderStore"]


@pytest.fixture(autouse=True)
def _reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str | None:
    """Gives the URL of the server that a page is about."""
    name, scheme = request.param
    if not name:
        return None
    server: MemcachedServer | RedisServer | PostgreSQL | MariaDB = request.getfixturevalue(name)
    return server.url(scheme) if scheme else server.url()


@pytest.mark.parametrize(
    ("page", "url"),
    [
        ("README.md", ("", "")),
        ("memory.md", ("", "")),
        ("sqlite.md", ("", "")),
        ("postgresql.md", ("postgresql", "postgresql")),
        ("mariadb.md", ("mariadb", "mariadb")),
        ("redis.md", ("redis_server", "")),
        ("memcached.md", ("memcached", "")),
    ],
    indirect=["url"],
)
def test_the_application_of_a_page_keeps_its_sessions(
    page: str, url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if url is not None:
        monkeypatch.setenv("SESSION_STORE", url)
    app = run(page)["app"]
    assert isinstance(app, Flask)
    app.config["SECRET_KEY"] = "7d3c1f0a9be84265d0c4f1a27e5b8396"

    def count() -> str:
        session["count"] = session.get("count", 0) + 1
        return str(session["count"])

    app.add_url_rule("/count", view_func=count)
    client = app.test_client()
    assert [client.get("/count").text for _ in range(3)] == ["1", "2", "3"]
    for store in app.session_interface._stores.values():  # type: ignore[attr-defined]  # noqa: SLF001
        # An application keeps its connections until it ends; this one does not end with the test.
        getattr(store, "close", lambda: None)()


def test_the_store_of_the_page_works_in_an_application(tmp_path: Path) -> None:
    names = run("write-your-own.md")
    app = Flask("shop")
    names["Coatcheck"](
        app, secret_key="7d3c1f0a9be84265d0c4f1a27e5b8396", store=names["FolderStore"](tmp_path / "sessions")
    )

    @app.get("/")
    def index() -> str:
        session["count"] = session.get("count", 0) + 1
        return str(session["count"])

    client = app.test_client()
    assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]
    assert len(list((tmp_path / "sessions").iterdir())) == 2


def test_every_kind_of_store_is_in_the_chooser() -> None:
    """And every page about one is linked."""
    text = (PAGES / "README.md").read_text()
    for page in PAGES.glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in text
    for kind in ("memory", "sqlite", "redis", "valkey", "postgresql", "mysql", "mariadb", "memcached"):
        assert f"`{kind}:" in text


@pytest.mark.parametrize(
    ("page", "url"), [("memory.md", "memory:"), ("memcached.md", "memcached://cave"), ("redis.md", "redis://cave")]
)
def test_every_option_of_a_store_is_in_its_page(page: str, url: str) -> None:
    """The error of a wrong option lists those there are."""
    text = (PAGES / page).read_text()
    for opener in (open_store, open_async_store):
        with pytest.raises(ValueError, match="there are ") as caught:
            opener(url, x=1)
        for option in str(caught.value).partition("there are ")[2].split(", "):
            assert re.search(rf"^\| .*`{option}`.* \|", text, re.MULTILINE), option
