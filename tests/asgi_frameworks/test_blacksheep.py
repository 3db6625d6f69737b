"""What is particular to BlackSheep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest
from blacksheep import Application, Request, Response, Router, WebSocket, json, text
from hosts.asgi_call import AsgiCaller
from hosts.host import Answer
from kit import SECRET
from starlette.testclient import TestClient

from coatcheck import Session, StoreError
from coatcheck.asgi import SessionMiddleware
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FailingStore


def session_of(request: Any) -> Session:
    session: Session = request.scope["session"]
    return session


async def put(request: Request) -> Response:
    session_of(request)["user"] = "ann"
    return text("kept")


async def look(request: Request) -> Response:
    return text(str(dict(session_of(request))))


async def as_json(request: Request) -> Response:
    return json(session_of(request))


async def plain(_: Request) -> Response:
    return text("nobody looks")


async def fail(request: Request) -> Response:
    session_of(request)["tried"] = True
    raise LookupError


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(str(dict(session_of(websocket))))
    await websocket.close()


def site() -> Application:
    # A router of its own: by default all applications of a process share one.
    app = Application(router=Router())
    for page in (put, look, as_json, plain, fail):
        app.router.add_get(f"/{page.__name__}", page)
    app.router.add_ws("/socket", socket)
    return app


@pytest.fixture
def start() -> Iterator[Callable[..., AsgiCaller]]:
    """Puts an application below our middleware, and gives what calls it: `start(app, **options)`."""
    with ExitStack() as stack:

        def begin(app: Any, **options: Any) -> AsgiCaller:
            caller = AsgiCaller(SessionMiddleware(app, SECRET, **options))
            stack.callback(caller.close)
            return caller

        yield begin


def cookie(answer: Answer) -> str:
    (header,) = answer.cookies
    return header.partition(";")[0]


def test_the_session_may_be_the_json_of_a_response(start: Callable[..., AsgiCaller]) -> None:
    caller = start(site())
    assert caller.get("/as_json", cookie(caller.get("/put"))).text.replace(" ", "") == '{"user":"ann"}'


def test_a_middleware_of_the_application_has_the_session(start: Callable[..., AsgiCaller]) -> None:
    app = site()

    async def count(request: Request, handler: Callable[[Request], Any]) -> Any:
        response = await handler(request)
        # Nothing has been sent yet.
        session_of(request)["counted"] = True
        return response

    app.middlewares.append(count)
    caller = start(app)
    assert caller.get("/look", cookie(caller.get("/put"))).text == "{'user': 'ann', 'counted': True}"


def test_the_page_that_blacksheep_makes_of_a_bug_keeps_what_was_changed(start: Callable[..., AsgiCaller]) -> None:
    """It is an answer of the application: BlackSheep catches what a handler raises."""
    caller = start(site())
    answer = caller.get("/fail")
    assert answer.status == 500
    assert caller.get("/look", cookie(answer)).text == "{'tried': True}"


def test_a_handler_that_looks_is_a_503_while_the_store_is_down(start: Callable[..., AsgiCaller]) -> None:
    store = FailingStore(MemoryStore())
    caller = start(site(), store=store)
    header = cookie(caller.get("/put"))
    store.down = True
    for path in ("/look", "/put"):
        answer = caller.get(path, header)
        assert (answer.status, answer.text, answer.cookies) == (503, "Service Unavailable\n", [])
    assert caller.get("/plain", header).text == "nobody looks"


def test_the_handler_of_the_application_answers_for_a_store_that_is_down(start: Callable[..., AsgiCaller]) -> None:
    async def say(*_: Any) -> Response:
        return text("come again", 418)

    store = FailingStore(MemoryStore())
    app = site()
    app.exceptions_handlers[cast(Any, StoreError)] = say
    caller = start(app, store=store)
    header = cookie(caller.get("/put"))
    store.down = True
    answer = caller.get("/look", header)
    assert (answer.status, answer.text) == (418, "come again")


def test_a_websocket_has_the_session_of_its_handshake(start: Callable[..., AsgiCaller]) -> None:
    header = cookie(start(site()).get("/put"))
    with (
        TestClient(SessionMiddleware(cast(Any, site()), SECRET)) as client,
        client.websocket_connect("/socket", headers={"cookie": header}) as websocket,
    ):
        assert websocket.receive_text() == "{'user': 'ann'}"


def test_mounted_applications_have_the_session_of_the_one_above(start: Callable[..., AsgiCaller]) -> None:
    above = site()
    above.mount("/below", site())
    caller = start(above)
    assert caller.get("/below/look", cookie(caller.get("/put"))).text == "{'user': 'ann'}"
