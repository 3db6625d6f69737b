"""`scope["session"]` is a dict, also for what reads a dict without asking it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from kit import SECRET
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette_host.conftest import Browse

from coatcheck import Session, StoreError
from coatcheck.asgi import SessionMiddleware
from coatcheck.asgi_session import DictSession
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FailingStore

BEFORE: dict[str, Any] = {"user": "ann", "cart": ["pear"]}


class Model(BaseModel):
    user: str = ""
    cart: list[str] = []


def beneath(session: Any) -> dict[str, Any]:
    """Gives what is found by whoever does not ask the session's own methods."""
    return dict(dict.items(session))


def keywords(**items: Any) -> dict[str, Any]:
    return items


@pytest.fixture
def visit(browse: Browse) -> Callable[..., list[Any]]:
    """Has a page called with a session that has content; gives what it gave. `visit(page, **options)`."""

    def call(page: Callable[[Any], Any], **options: Any) -> list[Any]:
        seen: list[Any] = []

        def fill(request: Request) -> Response:
            request.session.update(BEFORE)
            return PlainTextResponse("")

        def show(request: Request) -> Response:
            # Not by way of Starlette's `request.session`, which counts as a look.
            seen.append(page(request.scope["session"]))
            return PlainTextResponse("")

        middleware = [Middleware(SessionMiddleware, secret_key=SECRET, **options)]
        client = browse(Starlette(routes=[Route("/fill", fill), Route("/show", show)], middleware=middleware))
        client.get("/fill")
        answer = client.get("/show")
        seen.append(answer.headers.get("vary"))
        return seen

    return call


@pytest.mark.parametrize(
    "read",
    [
        json.dumps,
        lambda session: json.dumps(session, indent=1),
        lambda session: json.dumps(session, sort_keys=True),
        lambda session: json.dumps({"inside": session})[11:-1],
    ],
    ids=["as it is", "indented", "sorted", "inside"],
)
def test_the_first_look_may_be_that_of_json(visit: Callable[..., list[Any]], read: Callable[[Any], str]) -> None:
    text, vary = visit(read)
    assert (json.loads(text), vary) == (BEFORE, "Cookie")


@pytest.mark.parametrize(
    "read",
    [
        dict,
        lambda session: {**session},
        lambda session: {} | session,
        lambda session: session | {},
        lambda session: {key: session[key] for key in session},
        lambda session: keywords(**session),
        lambda session: session.copy(),
    ],
    ids=["dict", "stars", "or", "or of the session", "loop", "keywords", "copy"],
)
def test_the_first_look_may_make_a_dict_of_it(visit: Callable[..., list[Any]], read: Callable[[Any], Any]) -> None:
    content, vary = visit(read)
    assert (content, type(content), vary) == (BEFORE, dict, "Cookie")


def test_an_encoder_that_does_not_ask_fails_before_the_first_look_and_works_after_it(
    visit: Callable[..., list[Any]],
) -> None:
    def encode(session: Any) -> tuple[bool, bytes]:
        try:
            msgspec.json.encode(session)
        except TypeError:
            failed = True
        else:
            failed = False
        session.get("user")
        return failed, msgspec.json.encode(session)

    (failed, text), _ = visit(encode)
    assert failed
    assert json.loads(text) == BEFORE


def test_a_validator_that_does_not_ask_finds_the_content_after_the_first_look(visit: Callable[..., list[Any]]) -> None:
    def validate(session: Any) -> Model:
        session.get("user")
        return Model.model_validate(session)

    assert visit(validate)[0] == Model(**BEFORE)


@pytest.mark.parametrize(
    "change",
    [
        lambda session: session.update(user="bob"),
        lambda session: session.__setitem__("user", "bob"),
        lambda session: session.__delitem__("user"),
        lambda session: session.__ior__({"user": "bob"}),
        lambda session: session.pop("user"),
        lambda session: session.popitem(),
        lambda session: session.setdefault("new", 1),
        lambda session: session.clear(),
        lambda session: session.destroy(),
        lambda session: session.regenerate(),
        lambda session: session["cart"].append("fig"),
        lambda session: setattr(session, "permanent", True),
    ],
    ids=[
        *("update", "set", "delete", "ior", "pop", "popitem", "setdefault", "clear", "destroy", "regenerate"),
        *("inside", "permanent"),
    ],
)
def test_what_lies_beneath_follows_every_change(
    visit: Callable[..., list[Any]], change: Callable[[Any], object]
) -> None:
    def page(session: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        change(session)
        return beneath(session), dict(session)

    (found, content), _ = visit(page)
    assert found == content


def test_a_look_that_failed_leaves_nothing_that_could_be_taken_for_the_content(browse: Browse) -> None:
    store = FailingStore(MemoryStore())
    found: list[str] = []

    def fill(request: Request) -> Response:
        request.session.update(BEFORE)
        return PlainTextResponse("")

    def show(request: Request) -> Response:
        session = request.scope["session"]
        for act in (lambda: session.update(user="bob"), lambda: msgspec.json.encode(session)):
            try:
                act()
            except (StoreError, TypeError) as error:
                found.append(type(error).__name__)
        return PlainTextResponse("")

    middleware = [Middleware(SessionMiddleware, secret_key=SECRET, store=store)]
    client = browse(Starlette(routes=[Route("/fill", fill), Route("/show", show)], middleware=middleware))
    client.get("/fill")
    store.down = True
    client.get("/show")
    assert found == ["StoreError", "TypeError"]


@pytest.mark.parametrize(
    ("compare", "expected"),
    [
        (lambda session: session == BEFORE, True),
        (lambda session: session != BEFORE, False),
        (lambda session: BEFORE == session, True),  # noqa: SIM300  # the other side is asked first
        (lambda session: BEFORE != session, False),  # noqa: SIM300
        (lambda session: session == {}, False),
        (lambda session: session != {}, True),
        (bool, True),
        (len, 2),
        (lambda session: "user" in session, True),
        (lambda session: list(reversed(session)), ["cart", "user"]),
    ],
    ids=["eq", "ne", "eq-of-dict", "ne-of-dict", "eq-empty", "ne-empty", "bool", "len", "in", "reversed"],
)
def test_the_first_look_may_compare(
    visit: Callable[..., list[Any]], compare: Callable[[Any], object], expected: object
) -> None:
    assert visit(compare) == [expected, "Cookie"]


def test_no_method_of_a_dict_is_left_that_would_look_beneath() -> None:
    """Whatever a dict can do, a session does its own way, or as `object` does."""
    not_content = {
        "__class__",
        "__class_getitem__",
        "__hash__",
        "__doc__",
        "__new__",
        "__getattribute__",
        "__sizeof__",
        "fromkeys",
    }
    no_answer = {"__ge__", "__gt__", "__le__", "__lt__"}
    for name in set(vars(dict)) - not_content - no_answer:
        assert getattr(DictSession, name) is not getattr(dict, name), name


def test_it_is_ours_and_a_dict(visit: Callable[..., list[Any]]) -> None:
    assert visit(lambda session: isinstance(session, Session) and isinstance(session, dict))[0] is True
