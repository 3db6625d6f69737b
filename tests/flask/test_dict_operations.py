"""Flask's `session` proxy is a dict in everything that a view does."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping
from operator import eq
from typing import Any

import pytest
from flask import Flask

from coatcheck import Session
from coatcheck.flask import Coatcheck, session

Content = dict[str, Any]
Step = Callable[[Session], object]


def _augment(session: Session) -> None:
    session |= {"b": 2}


def _unite(session: Session) -> None:
    session |= [("a", 3), ("b", 2)]


def _delete(key: str) -> Step:
    def step(session: Session) -> None:
        del session[key]

    return step


def _set(key: str, value: object) -> Step:
    def step(session: Session) -> None:
        session[key] = value

    return step


def _permanent(value: bool) -> Step:
    def step(session: Session) -> None:
        session.permanent = value

    return step


# What was there, what a view does, what the next request finds.
CHANGES: dict[str, tuple[Content, Step, Content]] = {
    "setting a key": ({}, _set("a", 1), {"a": 1}),
    "setting a key anew": ({"a": 1}, _set("a", 2), {"a": 2}),
    "setting None": ({"a": 1}, _set("a", None), {"a": None}),
    "del": ({"a": 1, "b": 2}, _delete("a"), {"b": 2}),
    "del of the last": ({"a": 1}, _delete("a"), {}),
    "pop": ({"a": 1, "b": 2}, lambda session: session.pop("a"), {"b": 2}),
    "pop of the last": ({"a": 1}, lambda session: session.pop("a"), {}),
    "pop of nothing": ({"a": 1}, lambda session: session.pop("b", None), {"a": 1}),
    "popitem": ({"a": 1, "b": 2}, lambda session: session.popitem(), {"a": 1}),
    "clear": ({"a": 1}, lambda session: session.clear(), {}),
    "setdefault": ({}, lambda session: session.setdefault("a", []), {"a": []}),
    "setdefault of what is there": ({"a": 1}, lambda session: session.setdefault("a", 2), {"a": 1}),
    "setdefault and append": ({}, lambda session: session.setdefault("a", []).append(1), {"a": [1]}),
    "update with a dict": ({"a": 1}, lambda session: session.update({"b": 2}), {"a": 1, "b": 2}),
    "update with keywords": ({"a": 1}, lambda session: session.update(b=2), {"a": 1, "b": 2}),
    "update with pairs": ({"a": 1}, lambda session: session.update([("a", 2)]), {"a": 2}),
    "|=": ({"a": 1}, _augment, {"a": 1, "b": 2}),
    "|= with pairs": ({"a": 1}, _unite, {"a": 3, "b": 2}),
    "a change in a list": ({"a": [1]}, lambda session: session["a"].append(2), {"a": [1, 2]}),
    "a change two levels down": (
        {"cart": {"items": [{"n": 1}]}},
        lambda session: session["cart"]["items"][0].update(n=2),
        {"cart": {"items": [{"n": 2}]}},
    ),
    "a change in a value that get gave": ({"a": {}}, lambda session: session.get("a").update(b=1), {"a": {"b": 1}}),
    "a change through values": ({"a": [1]}, lambda session: next(iter(session.values())).clear(), {"a": []}),
    "permanent on an empty session": ({}, _permanent(True), {"_permanent": True}),
    "permanent taken back": ({"a": 1, "_permanent": True}, _permanent(False), {"a": 1, "_permanent": False}),
}

# What a view asks of {"a": 1, "b": [2]}, and the answer.
READINGS: dict[str, tuple[Step, object]] = {
    "[]": (lambda session: session["a"], 1),
    "get": (lambda session: session.get("a"), 1),
    "get of nothing": (lambda session: session.get("x"), None),
    "get of nothing with a default": (lambda session: session.get("x", 5), 5),
    "in": (lambda session: "a" in session, True),
    "not in": (lambda session: "x" in session, False),
    "len": (len, 2),
    "bool": (bool, True),
    "iteration": (list, ["a", "b"]),
    "reversed": (lambda session: list(reversed(session)), ["b", "a"]),
    "keys": (lambda session: list(session.keys()), ["a", "b"]),
    "values": (lambda session: list(session.values()), [1, [2]]),
    "items": (lambda session: list(session.items()), [("a", 1), ("b", [2])]),
    "dict": (dict, {"a": 1, "b": [2]}),
    "**": (lambda session: dict(**session), {"a": 1, "b": [2]}),
    "copy": (lambda session: session.copy(), {"a": 1, "b": [2]}),
    "copy.copy": (copy.copy, {"a": 1, "b": [2]}),
    "copy.deepcopy": (copy.deepcopy, {"a": 1, "b": [2]}),
    "==": (lambda session: session == {"a": 1, "b": [2]}, True),
    "== from the right": (lambda session: eq({"a": 1, "b": [2]}, session), True),
    "!=": (lambda session: session != {"a": 1}, True),
    "|": (lambda session: session | {"a": 3}, {"a": 3, "b": [2]}),
    "| from the right": (lambda session: {"a": 3} | session, {"a": 1, "b": [2]}),
    "permanent": (lambda session: session.permanent, False),
    "isinstance of a mapping": (lambda session: isinstance(session, (Mapping, MutableMapping)), True),
    "setdefault of what is there": (lambda session: session.setdefault("a", 3), 1),
    "pop with a default": (lambda session: session.pop("x", 3), 3),
    "new": (lambda session: session.new, False),
    "modified": (lambda session: (len(session), session.modified)[1], False),
}

# What a view asks of an empty session, and the error of a dict.
FAILURES: dict[str, tuple[Step, str]] = {
    "[]": (lambda session: session["x"], "'x'"),
    "del": (_delete("x"), "'x'"),
    "pop": (lambda session: session.pop("x"), "'x'"),
    "popitem": (lambda session: session.popitem(), "'popitem(): session is empty'"),
}


class Shop:
    """An application with one view, which does what a test says, and its visitor."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.client = app.test_client()
        self.answer: object = None
        self._step: Step = lambda session: None
        app.add_url_rule("/step", view_func=self._view)

    def _view(self) -> str:
        # The proxy itself, as every view has it.
        self.answer = self._step(session)
        return ""

    def do(self, step: Step) -> list[str]:
        """Gives the names of the headers that the response has because of the session."""
        self._step = step
        headers = self.client.get("/step").headers
        return [name for name in ("Vary", "Set-Cookie") if name in headers]

    @property
    def content(self) -> Content:
        self.do(dict)
        assert isinstance(self.answer, dict)
        return self.answer


@pytest.fixture
def shop(app: Flask) -> Shop:
    app.testing = True
    Coatcheck(app)
    return Shop(app)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found_by_the_next_request(shop: Shop, name: str) -> None:
    before, step, after = CHANGES[name]
    shop.do(lambda session: session.update(before))
    headers = shop.do(step)
    assert headers == (["Vary"] if before == after else ["Vary", "Set-Cookie"])
    assert shop.content == after
    assert (shop.client.get_cookie("session") is None) == (after == {})


@pytest.mark.parametrize("name", READINGS)
def test_a_reading_answers_as_a_dict_and_changes_nothing(shop: Shop, name: str) -> None:
    step, answer = READINGS[name]
    shop.do(lambda session: session.update(a=1, b=[2]))
    assert shop.do(step) == ["Vary"]
    assert shop.answer == answer


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_the_key_error_of_a_dict(shop: Shop, name: str) -> None:
    step, message = FAILURES[name]
    with pytest.raises(KeyError) as caught:
        shop.do(step)
    assert str(caught.value) == message


def test_a_copy_that_is_changed_leaves_the_session_alone(shop: Shop) -> None:
    shop.do(lambda session: session.update(a=1))
    shop.do(lambda session: session.copy().clear())
    assert shop.content == {"a": 1}


def test_a_change_that_is_undone_sends_nothing(shop: Shop) -> None:
    shop.do(lambda session: session.update(a=1))
    assert shop.do(lambda session: [session.setdefault("b", 1), session.pop("b")]) == ["Vary"]


def test_modified_set_by_hand_sends_the_cookie_as_in_flask(shop: Shop) -> None:
    shop.do(lambda session: session.update(a=1))
    assert shop.do(lambda session: setattr(session, "modified", True)) == ["Vary", "Set-Cookie"]
    assert shop.content == {"a": 1}


def test_permanent_survives_a_request_that_does_not_set_it(shop: Shop) -> None:
    shop.do(_permanent(True))
    shop.do(_set("a", 1))
    shop.do(lambda session: session.permanent)
    assert shop.answer is True


def test_the_proxy_shows_no_content_in_its_repr(shop: Shop) -> None:
    shop.do(_set("card", "4111-1111"))
    shop.do(lambda session: (len(session), repr(session), str(session), f"{session}"))
    assert "4111" not in repr(shop.answer) and "card" not in repr(shop.answer)


@pytest.mark.parametrize("kind", [list, str, int])
def test_what_is_no_mapping_is_refused_by_the_or_operator_as_by_a_dict(shop: Shop, kind: type) -> None:
    with pytest.raises(TypeError):
        shop.do(lambda session: session | kind())
