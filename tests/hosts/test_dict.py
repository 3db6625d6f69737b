"""The session is a dict, on every host and with both kinds of storage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hosts.conftest import Make
from hosts.host import Browser
from hosts.pages import PAGES, look

from coatcheck import Session


def test_what_was_set_is_there_at_the_next_request(make: Make, storage: Mapping[str, Any]) -> None:
    browser = Browser(make(PAGES, **storage))
    assert browser.get("/put").status == 200
    assert browser.get("/look").text == "{'user': 'ann'}"


def test_a_change_deep_inside_is_kept(make: Make, storage: Mapping[str, Any]) -> None:
    def begin(session: Session) -> None:
        session["cart"] = {"items": [1]}

    def append(session: Session) -> None:
        session["cart"]["items"].append(2)

    browser = Browser(make({"begin": begin, "append": append, "look": look}, **storage))
    browser.get("/begin")
    browser.get("/append")
    assert browser.get("/look").text == "{'cart': {'items': [1, 2]}}"


def test_every_method_of_a_dict_does_what_a_dict_does(make: Make, storage: Mapping[str, Any]) -> None:
    def change(session: Session) -> str:
        session.update(a=1, b=2)
        session |= {"c": 3}
        session["d"] = session.setdefault("e", 5)
        del session["a"]
        seen = [session.pop("b"), session.pop("b", None), session.get("z"), "c" in session, len(session), bool(session)]
        return str([*seen, sorted(session), session == {"c": 3, "d": 5, "e": 5}, len(session | {"f": 6})])

    browser = Browser(make({"change": change, "look": look}, **storage))
    expected = [2, None, None, True, 3, True, ["c", "d", "e"], True, 4]
    assert browser.get("/change").text == str(expected)
    assert browser.get("/look").text == "{'c': 3, 'e': 5, 'd': 5}"


def test_values_come_back_as_they_were(make: Make, storage: Mapping[str, Any]) -> None:
    values = {
        "text": "小明",
        "when": datetime(2030, 1, 2, 3, 4, 5, 6, UTC),
        "price": Decimal("1.50"),
        "pair": (1, b"2"),
        "few": {3, 4},
        "by number": {1: None, 2: 0.5},
    }
    browser = Browser(make({"put": lambda session: session.update(values), "same": lambda s: s == values}, **storage))
    browser.get("/put")
    assert browser.get("/same").text == "True"


@pytest.mark.parametrize("value", [object(), print, float("nan")], ids=["object", "function", "nan"])
def test_a_value_that_would_not_come_back_is_an_error_and_nothing_is_kept(
    make: Make, storage: Mapping[str, Any], value: object
) -> None:
    def spoil(session: Session) -> None:
        session["user"] = "bob"
        session["bad"] = value

    browser = Browser(make({**PAGES, "spoil": spoil}, **storage))
    browser.get("/put")
    answer = browser.get("/spoil")
    assert (answer.status, answer.cookies) == (500, [])
    assert browser.get("/look").text == "{'user': 'ann'}"


def test_a_session_tells_whether_it_is_new_and_when_it_began(
    make: Make, storage: Mapping[str, Any], clock: Any
) -> None:
    def facts(session: Session) -> str:
        return f"{session.new} {session.created_at.timestamp():.0f} {session.modified} {session.accessed}"

    browser = Browser(make({**PAGES, "facts": facts}, **storage))
    assert browser.get("/facts").text == f"True {clock.now:.0f} False True"
    browser.get("/put")
    began = clock.now
    clock.advance(100)
    assert browser.get("/facts").text == f"False {began:.0f} False True"
