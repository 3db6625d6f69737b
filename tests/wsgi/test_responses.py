"""When and how a response tells of its session."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

import pytest
from kit import OTHER_SECRET
from wsgi.exchange import TEXT, Server, put, say, session_of

from coatcheck import SessionTooLarge, UsageError
from coatcheck.testing import FailingStore
from coatcheck.wsgi import RequestSession, SessionMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def test_a_session_lasts_from_one_request_to_the_next() -> None:
    server = Server()
    answer = server.get("/put")
    (cookie,) = answer.cookies
    assert cookie.endswith("; Secure; HttpOnly; Path=/; SameSite=Lax")
    assert (answer.vary, answer.cache) == (["cookie"], ["no-store"])
    assert server.seen() == {"user": "ann"}


def test_an_application_that_does_not_look_gets_its_own_objects_through() -> None:
    body = [b"plain"]
    headers = [*TEXT, ("Content-Length", "5")]
    seen: list[Any] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", headers)
        return body

    def start(status: str, given: list[tuple[str, str]], *more: object) -> Any:
        seen.extend((status, given, more))

    server = Server(app, strict=False)
    assert server.sessions(server.environ("/"), start) is body
    assert seen == ["200 OK", headers, ()]
    assert seen[1] is headers


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_body_that_is_there_keeps_its_length(kind: Any) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session_of(environ)["user"] = "ann"
        start_response("200 OK", TEXT)
        found: Iterable[bytes] = kind([b"one"])
        return found

    server = Server(app, strict=False)
    assert len(server.sessions(server.environ("/"), lambda *_: lambda _: None)) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("looked", [True, False])
def test_a_file_is_passed_on_as_the_server_wants_it(looked: bool) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if looked:
            session_of(environ).get("user")
        start_response("200 OK", TEXT)
        found: Iterable[bytes] = environ["wsgi.file_wrapper"](open(__file__, "rb"))  # noqa: PTH123, SIM115
        return found

    server = Server(app, strict=False)
    body = server.sessions(server.environ("/"), lambda *_: lambda _: None)
    assert isinstance(body, FileWrapper)
    body.close()


def test_a_response_without_a_body_says_nothing_of_a_session_that_nobody_looked_at() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("304 Not Modified", [("ETag", '"1"')])
        return []

    assert Server(app).get().headers == (("ETag", '"1"'),)


def test_the_headers_of_the_application_are_merged_and_its_list_is_left_alone() -> None:
    headers = [*TEXT, ("vary", "Accept"), ("cache-control", "public"), ("Set-Cookie", "a=1")]

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session_of(environ)["user"] = "ann"
        start_response("200 OK", headers)
        return [b"text"]

    answer = Server(app).get()
    assert (answer.vary, answer.cache) == (["accept", "cookie"], ["no-store"])
    assert answer.cookies[0] == "a=1"
    assert len(answer.cookies) == 2
    assert len(headers) == 4


def test_a_response_may_begin_late_in_a_generator() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        session_of(environ)["user"] = "ann"
        start_response("200 OK", TEXT)
        yield b"one"

    server = Server(app)
    assert server.get().text == "one"
    assert server.seen() == {"user": "ann"}


def test_what_is_written_goes_before_the_body() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session_of(environ)["user"] = "ann"
        write: Any = start_response("200 OK", TEXT)
        write(b"one")
        return [b"two"]

    server = Server(app)
    assert server.get().text == "onetwo"
    assert server.seen() == {"user": "ann"}


@pytest.mark.parametrize("storage", ["cookie", "store"])
def test_another_response_takes_the_place_of_the_first_with_the_session_as_it_is_then(
    storage: str, store: FailingStore
) -> None:
    def again(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = session_of(environ)
        session["user"] = "ann"
        start_response("200 OK", [*TEXT, ("Content-Length", "4")])
        try:
            [].pop()
        except LookupError:
            start_response("500 Oh", [*TEXT, ("Content-Length", "2")], sys.exc_info())
        return [b"oh"]

    options: dict[str, Any] = {"store": store} if storage == "store" else {}
    server = Server(again, **options)
    answer = server.get()
    assert (answer.status, answer.text, len(answer.cookies)) == (500, "oh", 1)
    assert server.seen() == {"user": "ann"}


def test_another_response_after_the_headers_are_gone_is_the_server_s_to_refuse() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"one"
        try:
            [].pop()
        except LookupError:
            start_response("500 Oh", TEXT, sys.exc_info())
        yield b"two"

    with pytest.raises(LookupError, match="pop from empty list"):
        Server(app).get()


def test_a_session_that_does_not_fit_is_an_error_that_the_application_can_catch() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = session_of(environ)
        session.update(user="ann", large="x" * 5000)
        try:
            return say("kept", start_response)
        except SessionTooLarge:
            del session["large"]
            return say("smaller", start_response)

    server = Server(app)
    assert server.get().text == "smaller"
    assert server.seen() == {"user": "ann"}


def test_what_the_server_raises_of_a_response_reaches_the_application() -> None:
    caught: list[str] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            start_response("200 OK", TEXT)
        except ValueError as error:
            caught.append(str(error))
        return []

    def start(*_: object) -> Any:
        raise ValueError("this server takes no such header")

    server = Server(app, strict=False)
    server.sessions(server.environ("/"), start)
    assert caught == ["this server takes no such header"]


def test_a_request_leaves_no_circle_behind() -> None:
    server = Server(put, strict=False)
    server.get()
    gc.collect()
    gc.disable()
    try:
        before = sum(issubclass(type(each), RequestSession) for each in gc.get_objects())
        for _ in range(5):
            server.get()
        assert sum(issubclass(type(each), RequestSession) for each in gc.get_objects()) == before
    finally:
        gc.enable()


@pytest.mark.parametrize("wrong", [{"cookie_name": "a b"}, {"nonsense": 1}, {"store": "nowhere://"}])
def test_a_wrong_option_is_an_error_without_keys(wrong: Any) -> None:
    with pytest.raises((UsageError, ImportError)) as caught:
        SessionMiddleware(put, OTHER_SECRET, **wrong)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in shown.stack if "coatcheck/" in frame.filename]
    assert not [frame for frame in ours if OTHER_SECRET in str(frame.locals)]


def test_a_store_for_asyncio_is_refused() -> None:
    from coatcheck.stores.memory import MemoryStore
    from coatcheck.stores.threaded import ThreadedStore

    with pytest.raises(UsageError, match="needs a sync one"):
        Server(store=ThreadedStore(MemoryStore()))
