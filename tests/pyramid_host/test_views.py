"""Views, exception views, callbacks and streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyramid.events import NewResponse
from pyramid.request import Request
from pyramid.response import FileResponse, Response
from pyramid_host.shop import Shop

from coatcheck import SessionTooLarge, UsageError
from coatcheck.testing import FailingStore


def test_a_view_s_session_is_kept_and_said() -> None:
    shop = Shop()
    answer = shop.get("/put")
    (cookie,) = answer.cookies
    assert cookie.endswith("; Secure; HttpOnly; Path=/; SameSite=Lax")
    assert (answer.vary, answer.cache) == (["cookie"], ["no-store"])
    assert shop.seen() == {"user": "ann"}


def test_a_view_that_does_not_look_says_nothing(store: FailingStore) -> None:
    shop = Shop(store=store)
    shop.get("/put")
    store.calls.clear()
    answer = shop.get("/plain")
    assert (answer.vary, answer.cookies, store.calls) == ([], [], [])


def test_an_exception_view_has_the_session_of_the_view_that_failed() -> None:
    def fail(request: Any) -> Any:
        request.session["tried"] = True
        raise LookupError

    def sorry(error: Any, request: Any) -> Any:
        request.session["sorry"] = True
        return Response("sorry", 500)

    shop = Shop(lambda config: config.add_exception_view(sorry, context=LookupError), views={"fail": fail})
    assert shop.get("/fail").text == "sorry"
    assert shop.seen() == {"tried": True, "sorry": True}


def test_an_error_without_an_exception_view_keeps_nothing(store: FailingStore) -> None:
    def fail(request: Any) -> Any:
        request.session["user"] = "bob"
        raise LookupError

    shop = Shop(views={"fail": fail}, store=store)
    shop.get("/put")
    assert shop.get("/fail").status == 500
    assert shop.seen() == {"user": "ann"}


def fill(request: Any) -> Any:
    request.session["large"] = "x" * 5000
    return Response("filled")


def test_a_session_that_does_not_fit_is_an_error_of_the_request() -> None:
    shop = Shop(views={"fill": fill})
    shop.get("/put")
    assert shop.get("/fill").status == 500
    assert shop.seen() == {"user": "ann"}


@pytest.mark.parametrize("mend", [True, False])
def test_an_exception_view_may_put_right_what_does_not_fit(mend: bool) -> None:
    def sorry(error: Any, request: Any) -> Any:
        if mend:
            del request.session["large"]
            request.session["sorry"] = True
        return Response("too much", 507)

    shop = Shop(lambda config: config.add_exception_view(sorry, context=SessionTooLarge), views={"fill": fill})
    shop.get("/put")
    answer = shop.get("/fill")
    assert (answer.status, answer.text, answer.vary) == (507, "too much", ["cookie"])
    assert answer.all("Content-Length") == ["8"]
    assert shop.seen() == ({"user": "ann", "sorry": True} if mend else {"user": "ann"})


def test_what_other_callbacks_change_is_part_of_it() -> None:
    def buy(request: Any) -> Any:
        request.session["cart"] = [1]
        request.add_response_callback(lambda request, _: request.session["cart"].append(2))
        return Response("bought")

    shop = Shop(views={"buy": buy})
    shop.get("/buy")
    assert shop.seen() == {"cart": [1, 2]}


@pytest.mark.parametrize("stored", [True, False])
def test_what_a_subscriber_changes_later_is_no_silence(stored: bool, store: FailingStore) -> None:
    def count(event: Any) -> None:
        if event.request.path == "/look":
            event.request.session["late"] = True

    options: dict[str, Any] = {"store": store} if stored else {}
    shop = Shop(lambda config: config.add_subscriber(count, NewResponse), **options)
    shop.get("/put")
    assert shop.get("/look").status == (200 if stored else 500)
    if stored:
        assert shop.seen() == {"user": "ann", "late": True}


@pytest.mark.parametrize("how", ["app_iter", "request.response"])
def test_a_stream_keeps_what_it_changes(how: str, store: FailingStore) -> None:
    def stream(request: Any) -> Any:
        session = request.session

        def pieces() -> Iterator[bytes]:
            yield b"one"
            session["late"] = True
            yield b"two"

        response = request.response if how == "request.response" else Response()
        response.app_iter = pieces()
        return response

    shop = Shop(views={"stream": stream}, store=store)
    shop.get("/put")
    answer = shop.get("/stream")
    assert (answer.text, answer.vary, answer.all("Content-Length")) == ("onetwo", ["cookie"], [])
    assert shop.seen() == {"user": "ann", "late": True}


def test_the_end_of_a_stream_comes_after_the_store_has_answered(store: FailingStore) -> None:
    def stream(request: Any) -> Any:
        session = request.session

        def pieces() -> Iterator[bytes]:
            session["late"] = True
            yield b"one"

        return Response(app_iter=pieces())

    shop = Shop(views={"stream": stream}, store=store)
    shop.get("/put")
    store.calls.clear()
    request = Request.blank("/stream", headers={"Cookie": shop.cookie})
    pieces = iter(shop.app(request.environ, lambda *_: None))
    assert next(pieces) == b"one"
    assert "replace" not in store.calls
    assert list(pieces) == []
    assert store.calls.count("replace") == 1


def test_a_stream_of_known_length_says_its_length(store: FailingStore) -> None:
    def stream(request: Any) -> Any:
        cart = request.session.setdefault("cart", [])

        def pieces() -> Iterator[bytes]:
            cart.append(1)
            yield b"one"

        return Response(app_iter=pieces(), content_length=3)

    shop = Shop(views={"stream": stream}, store=store)
    assert shop.get("/stream").all("Content-Length") == ["3"]
    assert shop.seen() == {"cart": [1]}


def test_a_stream_cannot_be_the_first_to_ask_for_the_session() -> None:
    caught: list[UsageError] = []

    def stream(request: Any) -> Any:
        def pieces() -> Iterator[bytes]:
            try:
                request.session.get("user")
            except UsageError as error:
                caught.append(error)
            yield b"one"

        return Response(app_iter=pieces())

    shop = Shop(views={"stream": stream})
    shop.get("/put")
    answer = shop.get("/stream")
    assert (answer.text, answer.vary) == ("one", [])
    assert str(caught[0]).startswith("request.session was not looked at before the response was returned")


def test_a_file_is_sent_by_the_server_s_own_way() -> None:
    kinds: list[str] = []

    def send(request: Any) -> Any:
        request.session.get("user")
        return FileResponse(__file__, request=request)

    def note(event: Any) -> None:
        kinds.append(type(event.response.app_iter).__name__)

    shop = Shop(lambda config: config.add_subscriber(note, NewResponse), views={"send": send})
    assert shop.get("/send").text == Path(__file__).read_text()
    assert kinds == ["FileIter"]
