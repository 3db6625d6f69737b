"""A store that fails becomes our 503, and nothing of what the application says."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import bottle
import falcon
import pytest
from hosts.host import Answer
from wsgi.exchange import TEXT, Server, say, session_of

from coatcheck import StoreError
from coatcheck.testing import FailingStore

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def is_refusal(answer: Answer) -> bool:
    return (
        (answer.status, answer.text, answer.cookies) == (503, "Service Unavailable\n", [])
        and (answer.vary, answer.cache) == (["cookie"], ["no-store"])
        and answer.all("Content-Length") == ["20"]
        and answer.all("Location") == []
    )


def test_at_the_first_look(store: FailingStore) -> None:
    server = Server(store=store)
    server.get("/put")
    store.down = True
    assert is_refusal(server.get("/look"))
    store.down = False
    assert server.seen() == {"user": "ann"}


def test_at_the_first_look_after_the_response_has_begun(store: FailingStore) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [*TEXT, ("Location", "/paid")])
        return [session_of(environ)["user"].encode()]

    server = Server(app, store=store)
    server.get("/put")
    store.down = True
    assert is_refusal(server.get())


@pytest.mark.parametrize("early", [True, False])
def test_at_the_first_look_in_a_generator(early: bool, store: FailingStore) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        if early:
            start_response("200 OK", [*TEXT, ("Location", "/paid")])
        name = session_of(environ)["user"]
        if not early:
            start_response("200 OK", TEXT)
        yield name.encode()

    server = Server(app, strict=False, store=store)
    server.get("/put")
    store.down = True
    assert is_refusal(server.get())


def bought(environ: WSGIEnvironment, start_response: StartResponse, store: FailingStore) -> None:
    session_of(environ)["bought"] = True
    store.down = True


@pytest.mark.parametrize("shape", ["list", "iterator", "generator", "write"])
def test_at_the_commit(shape: str, store: FailingStore) -> None:
    closed: list[str] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"bought"])

        def close(self) -> None:
            closed.append("closed")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        bought(environ, start_response, store)
        write: Any = start_response("302 Found", [*TEXT, ("Location", "/paid"), ("Content-Length", "6")])
        if shape == "write":
            write(b"bought")
        return Body() if shape == "iterator" else [] if shape == "write" else [b"bought"]

    def late(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        yield from app(environ, start_response)

    server = Server(late if shape == "generator" else app, strict=False, store=store)
    server.get("/put")
    assert is_refusal(server.get())
    assert closed == (["closed"] if shape == "iterator" else [])
    store.down = False
    assert server.seen() == {"user": "ann"}


def test_a_request_for_the_headers_alone_gets_no_body(store: FailingStore) -> None:
    server = Server(store=store)
    server.get("/put")
    store.down = True
    answer = server.get("/look", REQUEST_METHOD="HEAD")
    assert (answer.status, answer.text) == (503, "")


def test_what_comes_after_the_first_byte_breaks_the_stream(store: FailingStore) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        session_of(environ)["late"] = True
        yield b"one"
        store.down = True

    server = Server(app, store=store)
    server.get("/put")
    with pytest.raises(StoreError):
        server.get()


def test_the_application_s_own_answer_counts(store: FailingStore) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = session_of(environ)
        try:
            session.get("user")
        except StoreError:
            # As layouts do, the page looks again.
            return say(f"come again, {session.get('user')}", start_response)
        return say("here", start_response)

    server = Server(app, store=store)
    server.get("/put")
    store.down = True
    answer = server.get()
    assert (answer.status, answer.text, answer.cookies) == (200, "come again, None", [])


def test_a_page_that_an_application_makes_of_any_error_is_none_of_ours(store: FailingStore) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            session_of(environ).get("user")
        except Exception:  # noqa: BLE001  # as frameworks do
            start_response("500 Internal Server Error", TEXT, sys.exc_info())
            return [b"sorry"]
        return []

    server = Server(app, store=store)
    server.get("/put")
    store.down = True
    assert is_refusal(server.get())


def test_a_request_without_our_cookie_never_asks(store: FailingStore) -> None:
    server = Server(store=store)
    store.down = True
    assert server.get("/look").status == 200
    assert store.calls == []


def test_an_application_may_go_on_without_sessions(store: FailingStore) -> None:
    server = Server(store=store, store_down="empty")
    server.get("/put")
    store.down = True
    assert server.seen() == {}


def bottle_app() -> Any:
    app: Any = bottle.Bottle()
    app.route("/", callback=lambda: bottle.request.environ["coatcheck.session"]["user"])
    return app


def falcon_app() -> Any:
    class Page:
        def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
            response.text = request.env["coatcheck.session"]["user"]

    app: Any = falcon.App()
    app.add_route("/", Page())
    return app


@pytest.mark.parametrize("make", [bottle_app, falcon_app])
def test_frameworks_that_answer_every_error_themselves_say_503(make: Any, store: FailingStore) -> None:
    server = Server(make(), store=store)
    server.get("/put")
    store.down = True
    assert is_refusal(server.get())
    store.down = False
    assert server.get().text == "ann"
