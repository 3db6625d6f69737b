"""The page about WSGI runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hosts.wsgi_call import WsgiCaller
from kit import SECRET

PAGE = Path(__file__).parents[2] / "docs/wsgi.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the examples have made, one after the other in one namespace, for a reader who has set the key."""
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {"__name__": "example"}
    for block in BLOCK.findall(PAGE.read_text()):
        exec(compile(block, PAGE.name, "exec"), found)
    return found


@pytest.mark.parametrize("name", ["app", "bottle_app", "falcon_app"])
def test_each_application_of_the_page_counts_visits(names: dict[str, Any], name: str) -> None:
    caller = WsgiCaller(names[name])
    cookie = ""
    for visit in ("visit 1", "visit 2", "visit 3"):
        answer = caller.get("/", cookie or ())
        assert answer.text == visit
        cookie = answer.cookies[0].partition(";")[0]


def test_the_cookie_is_as_the_page_says(names: dict[str, Any]) -> None:
    (cookie,) = WsgiCaller(names["app"]).get("/").cookies
    assert cookie.startswith("__Host-session=A")
    assert "; Max-Age=604800; " in cookie


def test_somebody_signs_in_and_out(names: dict[str, Any]) -> None:
    caller = WsgiCaller(names["bottle_app"])
    answer = caller.get("/login")
    assert answer.text == "welcome"
    (gone,) = caller.get("/logout", answer.cookies[0].partition(";")[0]).cookies
    assert "Max-Age=0" in gone
