"""What is particular to Falcon's ASGI applications."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol, cast

import falcon
import falcon.asgi
import pytest
from asgi.exchange import Visitor, in_loop
from hosts.asgi_call import AsgiCaller
from hosts.host import Answer
from kit import SECRET

from coatcheck import Session, StoreError
from coatcheck.asgi import SessionMiddleware
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FailingStore

Asked = falcon.asgi.Request
Answering = falcon.asgi.Response


class Start(Protocol):
    def __call__(self, app: Any, **options: Any) -> AsgiCaller: ...


@pytest.fixture
def start() -> Iterator[Start]:
    """Puts an application below our middleware, and gives what calls it."""
    with ExitStack() as stack:

        def begin(app: Any, **options: Any) -> AsgiCaller:
            caller = AsgiCaller(SessionMiddleware(app, SECRET, **options))
            stack.callback(caller.close)
            return caller

        yield begin


def session_of(request: Asked) -> Session:
    session: Session = request.scope["session"]
    return session


class Pages:
    async def on_get_put(self, request: Asked, _: Answering) -> None:
        session_of(request)["user"] = "ann"

    async def on_get_media(self, request: Asked, response: Answering) -> None:
        response.media = request.scope["session"]

    async def on_get_look(self, request: Asked, response: Answering) -> None:
        response.text = str(dict(session_of(request)))

    async def on_get_plain(self, _: Asked, response: Answering) -> None:
        response.text = "nobody looks"

    async def on_get_refuse(self, request: Asked, _: Answering) -> None:
        session_of(request)["tried"] = True
        raise falcon.HTTPForbidden

    async def on_get_fail(self, request: Asked, _: Answering) -> None:
        session_of(request)["tried"] = True
        raise LookupError

    async def on_get_events(self, request: Asked, response: Answering) -> None:
        async def emit() -> Any:
            yield falcon.asgi.SSEvent(text=session_of(request)["user"])
            session_of(request)["late"] = True
            yield falcon.asgi.SSEvent(text="done")

        response.sse = emit()

    async def on_websocket_socket(self, request: Asked, socket: falcon.asgi.WebSocket) -> None:
        await socket.accept()
        await socket.send_text(str(dict(session_of(request))))
        await socket.close()


def site() -> Any:
    app: Any = falcon.asgi.App()
    for name in ("put", "look", "media", "plain", "refuse", "fail", "events", "socket"):
        app.add_route(f"/{name}", Pages(), suffix=name)
    return app


def cookie(answer: Answer) -> str:
    (header,) = answer.cookies
    return header.partition(";")[0]


def test_the_session_may_be_the_media_of_a_response(start: Start) -> None:
    caller = start(site())
    answer = caller.get("/media", cookie(caller.get("/put")))
    assert json.loads(answer.text) == {"user": "ann"}
    assert answer.vary == ["cookie"]


def test_an_error_of_http_keeps_what_was_changed(start: Start) -> None:
    caller = start(site())
    answer = caller.get("/refuse")
    assert answer.status == 403
    assert json.loads(caller.get("/media", cookie(answer)).text) == {"tried": True}


def test_the_page_that_falcon_makes_of_a_bug_keeps_it_too(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """It is an answer of the application: Falcon catches what a resource raises."""
    caller = start(site())
    answer = caller.get("/fail")
    assert answer.status == 500
    assert json.loads(caller.get("/media", cookie(answer)).text) == {"tried": True}


def test_a_resource_that_looks_is_a_503_while_the_store_is_down(start: Start) -> None:
    store = FailingStore(MemoryStore())
    caller = start(site(), store=store)
    header = cookie(caller.get("/put"))
    store.down = True
    for path in ("/media", "/put"):
        answer = caller.get(path, header)
        assert (answer.status, answer.text, answer.cookies) == (503, "Service Unavailable\n", [])
    assert caller.get("/plain", header).text == "nobody looks"


def test_the_handler_of_the_application_answers_for_a_store_that_is_down(start: Start) -> None:
    async def say(_: Asked, response: Answering, __: Exception, ___: Any) -> None:
        response.status, response.text = 418, "come again"

    store = FailingStore(MemoryStore())
    app = site()
    app.add_error_handler(StoreError, say)
    caller = start(app, store=store)
    header = cookie(caller.get("/put"))
    store.down = True
    answer = caller.get("/look", header)
    assert (answer.status, answer.text) == (418, "come again")


def test_server_sent_events_keep_what_is_changed_between_them_where_a_store_exists(start: Start) -> None:
    caller = start(site(), store="memory:")
    header = cookie(caller.get("/put"))
    assert caller.get("/events", header).text == "data: ann\n\ndata: done\n\n"
    assert json.loads(caller.get("/media", header).text) == {"user": "ann", "late": True}


@in_loop
async def test_a_websocket_has_the_session_of_its_handshake() -> None:
    visitor = Visitor(cast(Any, SessionMiddleware(site(), SECRET)))
    await visitor.get("/put")
    exchange = await visitor.connect("/socket").end()
    assert exchange.text == "{'user': 'ann'}"
