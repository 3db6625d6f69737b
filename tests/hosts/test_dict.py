"""The session is a dict, on every host and with both kinds of storage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hosts.conftest import Make
from hosts.host import Browser

from coatcheck import Session


def put(session: Session) -> None:
    session["user"] = "ann"


def look(session: Session) -> str:
    return str(dict(session))


def test_what_was_set_is_there_at_the_next_request(make: Make, storage: Mapping[str, Any]) -> None:
    browser = Browser(make({"put": put, "look": look}, **storage))
    assert browser.get("/put").status == 200
    answer = browser.get("/look")
    assert answer.text == "{'user': 'ann'}"
    assert answer.cookies == []
    assert answer.vary == ["cookie"]


def test_a_change_deep_inside_is_kept(make: Make, storage: Mapping[str, Any]) -> None:
    def begin(session: Session) -> None:
        session["cart"] = {"items": [1]}

    def append(session: Session) -> None:
        session["cart"]["items"].append(2)

    browser = Browser(make({"begin": begin, "append": append, "look": look}, **storage))
    browser.get("/begin")
    browser.get("/append")
    assert browser.get("/look").text == "{'cart': {'items': [1, 2]}}"
