"""The page about Pyramid runs as it stands."""

from __future__ import annotations

import re
import sys
from configparser import ConfigParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hosts.wsgi_call import WsgiCaller
from kit import SECRET
from pyramid.config import Configurator

PAGE = Path(__file__).parents[2] / "docs/pyramid.md"


def blocks(language: str) -> list[str]:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return found


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the examples have made, one after the other in one namespace, for a reader who has set the key."""
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.chdir(tmp_path)
    module = ModuleType("example")
    # Pyramid asks where its caller comes from.
    monkeypatch.setitem(sys.modules, "example", module)
    found = vars(module)
    for block in blocks("python"):
        exec(compile(block, PAGE.name, "exec"), found)
    return found


def count(app: Any) -> None:
    caller = WsgiCaller(app)
    first = caller.get("/")
    assert first.text == "visit 1"
    assert caller.get("/", first.cookies[0].partition(";")[0]).text == "visit 2"


def test_the_application_of_the_page_counts_visits(names: dict[str, Any]) -> None:
    count(names["app"])


def test_it_does_so_with_the_settings_of_the_page(names: dict[str, Any], tmp_path: Path) -> None:
    (text,) = blocks("ini")
    parser = ConfigParser({"SECRET_KEY": SECRET})
    parser.read_string(text)
    count(names["main"]({}, **dict(parser["app:main"])))
    assert (tmp_path / "sessions.db").exists()


def test_the_page_for_an_outage_is_shown(names: dict[str, Any]) -> None:
    config = Configurator(session_factory=names["session_factory"](SECRET, store="redis://127.0.0.1:1/0"))
    config.add_route("index", "/")
    config.add_view(names["index"], route_name="index")
    config.add_exception_view(names["out_of_order"], context=names["StoreError"])
    # 0x02 and 32 bytes: an id on the server.
    answer = WsgiCaller(config.make_wsgi_app()).get("/", "session=" + "Ag" + "A" * 42)
    assert (answer.status, answer.all("Retry-After")) == (503, ["60"])
