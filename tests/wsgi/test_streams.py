"""What an application changes when its response has begun."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from wsgi.exchange import TEXT, Server, session_of

from coatcheck import UsageError
from coatcheck.testing import FailingStore

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def count(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    session = session_of(environ)
    start_response("200 OK", TEXT)
    yield b"one"
    session["late"] = 1
    yield b"two"
    session["late"] = 2


def test_it_is_kept_before_the_server_hears_of_the_end(store: FailingStore) -> None:
    server = Server(count, store=store)
    server.get("/put")
    answer = server.get()
    assert (answer.text, answer.vary, answer.cookies) == ("onetwo", ["cookie"], [])
    assert server.seen() == {"user": "ann", "late": 2}


def test_the_end_comes_after_the_store_has_answered(store: FailingStore) -> None:
    server = Server(count, strict=False, store=store)
    server.get("/put")
    store.calls.clear()
    pieces = iter(server.sessions(server.environ("/"), lambda *_: lambda _: None))
    assert [next(pieces), next(pieces)] == [b"one", b"two"]
    assert "replace" not in store.calls
    assert list(pieces) == []
    assert store.calls.count("replace") == 1


def test_it_is_kept_where_the_client_goes_away_before_the_end(store: FailingStore) -> None:
    server = Server(count, store=store)
    server.get("/put")
    assert server.get(pieces=2).text == "onetwo"
    assert server.seen() == {"user": "ann", "late": 1}


def test_it_is_kept_where_the_body_fails(store: FailingStore) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        yield from count(environ, start_response)
        raise LookupError("in the body")

    server = Server(app, store=store)
    server.get("/put")
    with pytest.raises(LookupError, match="in the body"):
        server.get()
    assert server.seen() == {"user": "ann", "late": 2}


def test_the_body_s_own_error_is_not_hidden_by_what_cannot_be_kept() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        cart = session_of(environ).setdefault("cart", [])
        start_response("200 OK", TEXT)
        yield b"one"
        cart.append(1)
        raise LookupError("in the body")

    with pytest.raises(LookupError, match="in the body") as caught:
        Server(app).get()
    assert caught.value.__notes__[0].startswith("What the session was changed to is lost: ")


def test_without_a_store_it_is_an_error() -> None:
    server = Server(count)
    server.get("/put")
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        server.get()
    assert server.seen() == {"user": "ann"}


def test_a_change_deep_inside_is_an_error_once() -> None:
    told: list[Any] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        cart = session_of(environ).setdefault("cart", [])
        start_response("200 OK", TEXT)
        yield b"one"
        cart.append(1)

    with pytest.raises(UsageError, match="the headers of this response are gone"):
        Server(app, on_event=told.append).get()
    assert [event.reason for event in told if event.kind == "dropped"] == ["late"]


@pytest.mark.parametrize("stored", [True, False])
def test_a_change_between_the_headers_and_a_body_that_is_there_is_no_silence(stored: bool, store: FailingStore) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        cart = session_of(environ).setdefault("cart", [])
        start_response("200 OK", [*TEXT, ("Content-Length", "3")])
        cart.append(1)
        return [b"one"]

    options: dict[str, Any] = {"store": store} if stored else {}
    server = Server(app, **options)
    if stored:
        assert server.get().text == "one"
        assert server.seen() == {"cart": [1]}
        return
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        server.get()


def test_a_body_may_be_the_first_to_look() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield str(dict(session_of(environ))).encode()

    server = Server(app)
    server.get("/put")
    answer = server.get()
    assert (answer.text, answer.vary) == ("{'user': 'ann'}", ["cookie"])


def test_the_body_of_the_application_is_closed_once() -> None:
    closed: list[str] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"one"])

        def close(self) -> None:
            closed.append("closed")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session_of(environ)["user"] = "ann"
        start_response("200 OK", TEXT)
        return Body()

    assert Server(app).get().text == "one"
    assert closed == ["closed"]


def test_an_error_before_the_response_began_keeps_nothing(store: FailingStore) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        session_of(environ)["user"] = "bob"
        raise LookupError
        yield b""

    server = Server(app, strict=False, store=store)
    server.get("/put")
    with pytest.raises(LookupError):
        server.get()
    assert server.seen() == {"user": "ann"}
