"""The session where something goes wrong: in exception handlers, and where the store fails."""

from __future__ import annotations

from typing import Any

import pytest
from kit import SECRET
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette_host.conftest import Browse

from coatcheck import SessionTooLarge, StoreError, Unserializable, UsageError
from coatcheck.asgi import SessionMiddleware
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FailingStore


class OutOfStock(Exception):
    """What a page of the shop raises."""


def put(request: Request) -> Response:
    request.session["user"] = "ann"
    return PlainTextResponse("bought")


def look(request: Request) -> Response:
    return PlainTextResponse(str(dict(request.session)))


def plain(_: Request) -> Response:
    return PlainTextResponse("nobody looks")


def fail(request: Request) -> Response:
    request.session["tried"] = True
    raise {"stock": OutOfStock, "404": HTTPException, "bug": RuntimeError}[request.path_params["how"]](
        *([404] if request.path_params["how"] == "404" else [])
    )


ROUTES = [Route("/put", put), Route("/look", look), Route("/plain", plain), Route("/fail/{how}", fail)]


def shop(handlers: Any = None, routes: Any = ROUTES, **options: Any) -> Starlette:
    middleware = [Middleware(SessionMiddleware, secret_key=SECRET, **options)]
    return Starlette(routes=routes, middleware=middleware, exception_handlers=handlers)


# Exception handlers


@pytest.mark.parametrize("how", ["stock", "404"])
def test_the_handler_of_an_exception_has_the_session_and_keeps_what_it_changes(
    browse: Browse, storage: dict[str, Any], how: str
) -> None:
    def say(request: Request, error: Exception) -> Response:
        request.session["told"] = type(error).__name__
        return PlainTextResponse("sorry", 409)

    with browse(shop({OutOfStock: say, 404: say}, **storage)) as client:
        assert client.get(f"/fail/{how}").status_code == 409
        told = {"stock": "OutOfStock", "404": "HTTPException"}[how]
        assert client.get("/look").text == str({"tried": True, "told": told})


def test_a_page_that_was_not_found_has_a_session_too(browse: Browse) -> None:
    def say(request: Request, _: Exception) -> Response:
        return PlainTextResponse(f"sorry {request.session.get('user')}", 404)

    client = browse(shop({404: say}))
    client.get("/put")
    answer = client.get("/nowhere")
    assert (answer.text, answer.headers["vary"]) == ("sorry ann", "Cookie")


def test_the_handler_of_every_other_error_can_read_the_session(browse: Browse, storage: dict[str, Any]) -> None:
    """Starlette calls it above all middleware, so that it sends no cookie of ours."""

    def say(request: Request, _: Exception) -> Response:
        return PlainTextResponse(f"sorry {request.session.get('user')}", 500)

    with browse(shop({Exception: say}, **storage), raise_server_exceptions=False) as client:
        client.get("/put")
        answer = client.get("/fail/bug")
        assert (answer.status_code, answer.text) == (500, "sorry ann")
        assert "set-cookie" not in answer.headers
        assert client.get("/look").text == "{'user': 'ann'}"


def test_what_that_handler_changes_cannot_be_kept_and_is_an_error(browse: Browse, storage: dict[str, Any]) -> None:
    told: list[str] = []

    def say(request: Request, _: Exception) -> Response:
        try:
            request.session["told"] = True
        except UsageError as error:
            told.append(str(error))
        return PlainTextResponse("sorry", 500)

    def bug(_: Request) -> Response:
        raise RuntimeError

    routes = [*ROUTES, Route("/bug", bug)]
    with browse(shop({Exception: say}, routes, **storage), raise_server_exceptions=False) as client:
        client.get("/put")
        for path in ("/fail/bug", "/bug"):
            assert client.get(path).text == "sorry"
        assert [message[:41] for message in told] == ["the headers of this response are gone, an"] * 2
        assert client.get("/look").text == "{'user': 'ann'}"


def test_what_a_page_changed_before_a_bug_is_not_kept(browse: Browse, storage: dict[str, Any]) -> None:
    with browse(shop(**storage), raise_server_exceptions=False) as client:
        client.get("/put")
        assert client.get("/fail/bug").status_code == 500
        assert client.get("/look").text == "{'user': 'ann'}"


# What cannot be kept


@pytest.mark.parametrize(
    ("value", "error"), [("x" * 5000, SessionTooLarge), (object(), Unserializable)], ids=["too large", "no data"]
)
def test_what_cannot_be_kept_is_an_internal_error_and_changes_nothing(
    browse: Browse, value: object, error: type[Exception]
) -> None:
    def keep(request: Request) -> Response:
        request.session["scroll"] = value
        return PlainTextResponse("kept")

    app = shop(routes=[*ROUTES, Route("/keep", keep)])
    client = browse(app, raise_server_exceptions=False)
    client.get("/put")
    answer = client.get("/keep")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert "set-cookie" not in answer.headers
    assert client.get("/look").text == "{'user': 'ann'}"
    with pytest.raises(error):
        browse(app).get("/keep")


# The store fails


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(MemoryStore())


def test_a_page_that_looks_is_a_503_while_the_store_is_down(browse: Browse, store: FailingStore) -> None:
    client = browse(shop(store=store))
    client.get("/put")
    store.down = True
    answer = client.get("/look")
    assert (answer.status_code, answer.text) == (503, "Service Unavailable\n")
    assert answer.headers["cache-control"] == "no-store"
    assert client.get("/plain").text == "nobody looks"
    store.down = False
    assert client.get("/look").text == "{'user': 'ann'}"


def test_an_answer_that_confirms_what_was_not_kept_is_not_sent(browse: Browse, store: FailingStore) -> None:
    client = browse(shop(store=store))
    store.down = True
    answer = client.get("/put")
    assert (answer.status_code, answer.text) == (503, "Service Unavailable\n")
    assert "set-cookie" not in answer.headers


def test_the_handler_of_the_application_answers_for_a_store_that_is_down(browse: Browse, store: FailingStore) -> None:
    def say(request: Request, _: Exception) -> Response:
        # Layouts look too.
        return PlainTextResponse(f"come again, {request.session.get('user', 'stranger')}", 418)

    client = browse(shop({StoreError: say}, store=store))
    client.get("/put")
    store.down = True
    answer = client.get("/look")
    assert (answer.status_code, answer.text) == (418, "come again, stranger")


def test_a_page_that_catches_the_error_answers_as_it_likes(browse: Browse, store: FailingStore) -> None:
    def cope(request: Request) -> Response:
        try:
            return PlainTextResponse(str(request.session.get("user")))
        except StoreError:
            return PlainTextResponse("nobody, for now")

    client = browse(shop(routes=[*ROUTES, Route("/cope", cope)], store=store))
    client.get("/put")
    store.down = True
    assert client.get("/cope").text == "nobody, for now"


def test_a_framework_that_makes_a_page_of_every_error_answers_503_too(browse: Browse, store: FailingStore) -> None:
    """As Falcon, Litestar and BlackSheep do, each below our middleware."""

    def say(_: Request, __: Exception) -> Response:
        return PlainTextResponse("something is wrong", 500)

    inner = Starlette(routes=ROUTES, exception_handlers={Exception: say})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await inner(scope, receive, send)
        except StoreError:
            return

    client = browse(SessionMiddleware(app, SECRET, store=store))
    client.get("/put")
    store.down = True
    answer = client.get("/look")
    assert (answer.status_code, answer.text) == (503, "Service Unavailable\n")


def test_an_error_that_is_not_the_stores_stays_what_it_is(browse: Browse, store: FailingStore) -> None:
    client = browse(shop(store=store), raise_server_exceptions=False)
    client.get("/put")
    assert client.get("/fail/bug").status_code == 500
