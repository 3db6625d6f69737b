"""A session that cannot be kept is an error of the request, through Flask's own handling of errors."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from flask import Flask, Response, flash, got_request_exception
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import InternalServerError

from coatcheck import CoatcheckError, Event, SessionTooLarge, Unserializable
from coatcheck.flask import Coatcheck, session

BOTH = pytest.mark.parametrize(
    ("page", "error"), [("/big", SessionTooLarge), ("/odd", Unserializable)], ids=["too large", "unserializable"]
)


@pytest.fixture
def shop(app: Flask, events: list[Event]) -> Flask:
    """Two views that spoil the session."""
    Coatcheck(app, on_event=events.append)

    @app.get("/big")
    def big() -> str:
        session["scroll"] = "x" * 5000
        return "too large"

    @app.get("/odd")
    def odd() -> str:
        session["cart"] = [{"price": Decimal(1)}, {"price": object()}]
        return "of no type that is kept"

    return app


def visitor(shop: Flask) -> FlaskClient:
    """Gives a client that has a session."""
    client = shop.test_client()
    client.get("/keep/user/ada")
    return client


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.exc_info]


@BOTH
def test_a_session_that_cannot_be_kept_is_a_500(shop: Flask, page: str, error: type[CoatcheckError]) -> None:
    response = visitor(shop).get(page)
    assert response.status_code == 500
    assert "too large" not in response.text and "Internal Server Error" in response.text


@BOTH
def test_the_cookie_that_the_browser_has_stays(
    shop: Flask, events: list[Event], page: str, error: type[CoatcheckError]
) -> None:
    client = visitor(shop)
    events.clear()
    assert "Set-Cookie" not in client.get(page).headers
    assert client.get("/read").json == {"user": "ada"}
    assert events == []


@BOTH
def test_the_error_page_varies_with_the_cookie_as_the_page_would(
    shop: Flask, page: str, error: type[CoatcheckError]
) -> None:
    assert visitor(shop).get(page).headers.getlist("Vary") == ["Cookie"]


@BOTH
def test_a_500_handler_is_given_the_error(shop: Flask, page: str, error: type[CoatcheckError]) -> None:
    seen: list[BaseException | None] = []

    @shop.errorhandler(500)
    def failed(problem: InternalServerError) -> ResponseReturnValue:
        seen.append(problem.original_exception)
        return "sorry", 500

    response = visitor(shop).get(page)
    assert (response.status_code, response.text) == (500, "sorry")
    assert [type(each) for each in seen] == [error]


@BOTH
def test_a_test_client_is_raised_the_error_in_testing_mode(shop: Flask, page: str, error: type[CoatcheckError]) -> None:
    shop.testing = True
    with pytest.raises(error):
        visitor(shop).get(page)


@BOTH
def test_the_log_has_exactly_one_traceback(
    shop: Flask, caplog: pytest.LogCaptureFixture, page: str, error: type[CoatcheckError]
) -> None:
    visitor(shop).get(page)
    (message,) = tracebacks(caplog)
    assert message == f"Exception on {page} [GET]"


@BOTH
def test_the_log_has_exactly_one_traceback_with_a_handler_too(
    shop: Flask, caplog: pytest.LogCaptureFixture, page: str, error: type[CoatcheckError]
) -> None:
    @shop.errorhandler(500)
    def failed(problem: InternalServerError) -> ResponseReturnValue:
        return "sorry", 500

    visitor(shop).get(page)
    assert len(tracebacks(caplog)) == 1


@BOTH
def test_the_signal_of_an_error_is_sent_once(shop: Flask, page: str, error: type[CoatcheckError]) -> None:
    seen: list[type[BaseException]] = []

    def hear(sender: Flask, exception: BaseException, **extra: Any) -> None:
        seen.append(type(exception))

    with got_request_exception.connected_to(hear, shop):
        visitor(shop).get(page)
    assert seen == [error]


@BOTH
def test_a_handler_that_takes_the_key_out_saves_the_rest(
    shop: Flask, caplog: pytest.LogCaptureFixture, page: str, error: type[CoatcheckError]
) -> None:
    @shop.errorhandler(500)
    def failed(problem: InternalServerError) -> ResponseReturnValue:
        session.pop("scroll", None)
        session.pop("cart", None)
        flash("that was too much")
        return "sorry", 500

    client = visitor(shop)
    response = client.get(page)
    assert response.text == "sorry" and len(response.headers.getlist("Set-Cookie")) == 1
    assert client.get("/read").json == {"user": "ada", "_flashes": [["message", "that was too much"]]}
    assert len(tracebacks(caplog)) == 1


@BOTH
def test_a_handler_that_clears_the_session_deletes_the_cookie(
    shop: Flask, page: str, error: type[CoatcheckError]
) -> None:
    @shop.errorhandler(500)
    def failed(problem: InternalServerError) -> ResponseReturnValue:
        session.clear()
        return "sorry", 500

    client = visitor(shop)
    client.get(page)
    assert client.get_cookie("session") is None


@BOTH
def test_what_the_application_adds_to_responses_is_on_the_error_page(
    shop: Flask, page: str, error: type[CoatcheckError]
) -> None:
    @shop.after_request
    def sign(response: Response) -> Response:
        response.headers["X-Shop"] = "open"
        return response

    assert visitor(shop).get(page).headers.getlist("X-Shop") == ["open"]


def test_the_error_of_size_says_how_much_and_which_keys_and_no_value(shop: Flask) -> None:
    shop.testing = True
    with pytest.raises(SessionTooLarge) as caught:
        visitor(shop).get("/big")
    error = caught.value
    assert error.size > error.limit == 4096
    assert [key for key, _ in error.largest] == ["scroll", "user"]
    assert str(error.size) in str(error) and "scroll" in str(error)
    assert "xxx" not in str(error) and "ada" not in str(error)


def test_the_error_of_a_type_says_where_the_value_is(shop: Flask) -> None:
    shop.testing = True
    with pytest.raises(Unserializable, match="object") as caught:
        visitor(shop).get("/odd")
    assert caught.value.path == "session['cart'][1]['price']"


def test_the_largest_session_that_is_kept_fills_the_limit(shop: Flask) -> None:
    """Padding makes steps of 32 bytes, which are 43 characters or fewer."""

    @shop.get("/fill/<int:size>")
    def fill(size: int) -> str:
        session["scroll"] = "x" * size
        return ""

    low, high = 0, 5000
    while high - low > 1:
        middle = (low + high) // 2
        client = visitor(shop)
        low, high = (middle, high) if client.get(f"/fill/{middle}").status_code == 200 else (low, middle)
    client.get(f"/fill/{low}")
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert 4096 - 43 < len("session" + cookie.value) <= 4096
    assert client.get("/read").json == {"user": "ada", "scroll": "x" * low}


def test_an_error_in_the_view_is_not_hidden_by_a_session_that_cannot_be_kept(
    shop: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    @shop.get("/both")
    def both() -> str:
        session["thing"] = object()
        raise ZeroDivisionError

    response = visitor(shop).get("/both")
    assert response.status_code == 500 and "Set-Cookie" not in response.headers
    first = next(record for record in caplog.records if record.exc_info)
    assert first.exc_info is not None and first.exc_info[0] is ZeroDivisionError


def test_the_next_request_of_the_same_visitor_is_not_touched_by_the_error(shop: Flask) -> None:
    for page in ("/big", "/odd"):
        client = visitor(shop)
        assert client.get(page).status_code == 500
        assert client.get("/keep/step/one").status_code == 200
    assert client.get("/read").json == {"user": "ada", "step": "one"}
