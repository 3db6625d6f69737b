"""The session as a class of the application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hosts.conftest import Make
from hosts.host import Browser
from hosts.pages import PAGES

from coatcheck import Session
from coatcheck.typed import TypedSession


@dataclass
class Cart:
    user: str = "nobody"
    items: list[int] = field(default_factory=list)


CART = TypedSession(Cart)


def add(session: Session) -> str:
    cart = CART.of(session)
    cart.items.append(len(cart.items))
    return f"{cart.user} {cart.items}"


def test_what_a_page_changes_in_it_is_kept(make: Make, storage: Mapping[str, Any]) -> None:
    browser = Browser(make({**PAGES, "add": add}, **storage))
    browser.get("/put")
    assert browser.get("/add").text == "ann [0]"
    assert browser.get("/add").text == "ann [0, 1]"
    assert browser.get("/look").text == "{'user': 'ann', 'items': [0, 1]}"
