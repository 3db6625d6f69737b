"""The page about sessions of a reader's own type runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

PAGE = Path(__file__).parents[2] / "docs/typed.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Runs the examples one after the other in one namespace."""
    monkeypatch.setenv("SECRET_KEY", "7d3c1f0a9be84265d0c4f1a27e5b8396")
    names: dict[str, Any] = {"__name__": "example"}
    for block in BLOCK.findall(PAGE.read_text()):
        exec(compile(block, "typed.md", "exec", dont_inherit=True), names)
    return names


def test_the_endpoint_of_the_page_fills_a_cart(names: dict[str, Any]) -> None:
    with TestClient(names["api"], base_url="https://shop.example") as client:
        assert client.post("/cart?thing=pear").json() == ["pear"]
        assert client.post("/cart?thing=fig").json() == ["pear", "fig"]


def test_the_view_of_the_page_fills_a_cart_that_an_earlier_version_began(names: dict[str, Any]) -> None:
    client = names["app"].test_client()
    with client.session_transaction() as own:
        own["basket"] = ["pear"]
    assert client.post("/cart/fig").json == ["pear", "fig"]
    with client.session_transaction() as own:
        assert dict(own) == {"cart": ["pear", "fig"]}


def test_the_handler_of_the_page_has_an_old_session_sign_in_again(names: dict[str, Any]) -> None:
    client = names["app"].test_client()
    with client.session_transaction() as own:
        own["cart"] = "pear"
    answer = client.post("/cart/fig")
    assert (answer.status_code, answer.text) == (409, "Please sign in again.")
    assert client.post("/cart/fig").json == ["fig"]
