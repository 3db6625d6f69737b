"""While a body is streamed the headers are gone: the session can be read, and a change is an error, not a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar

import pytest
from flask import Flask, Response, stream_with_context
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from coatcheck import Session, UsageError
from coatcheck.flask import Coatcheck, session

Step = Callable[[Session], object]


def _set(session: Session) -> None:
    session["user"] = "bob"


def _delete(session: Session) -> None:
    del session["user"]


def _augment(session: Session) -> None:
    session |= {"user": "bob"}


CHANGES: dict[str, Step] = {
    "[]": _set,
    "del": _delete,
    "|=": _augment,
    "pop": lambda session: session.pop("user"),
    "popitem": lambda session: session.popitem(),
    "clear": lambda session: session.clear(),
    "update": lambda session: session.update(user="bob"),
    "setdefault": lambda session: session.setdefault("other", 1),
    "permanent": lambda session: setattr(session, "permanent", True),
    "modified": lambda session: setattr(session, "modified", True),
    "regenerate": lambda session: session.regenerate(),
    "destroy": lambda session: session.destroy(),
}
# What the view does before the body begins.
BEFORE: dict[str, Step] = {
    "wrote": lambda session: session.update(user="eve"),
    "read": lambda session: session.get("user"),
    "did not look": lambda session: None,
}


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    Coatcheck(app)
    return app.test_client()


def stream(client: FlaskClient, before: Step, during: Step, *, visited: bool = True) -> TestResponse:
    """Gives the answer of a view that does one thing before its body begins and another while it is streamed."""

    @client.application.get("/stream")
    def view() -> Response:
        before(session)

        def body() -> Iterator[str]:
            yield "begin;"
            yield f"{during(session)};"
            yield "end"

        return Response(stream_with_context(body()))

    if visited:
        client.get("/keep/user/ada")
    return client.get("/stream")


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_in_a_streamed_body_is_an_error(client: FlaskClient, before: str, change: str) -> None:
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        stream(client, BEFORE[before], CHANGES[change]).get_data()


@pytest.mark.parametrize("change", ["[]", "setdefault", "update", "permanent"])
def test_a_change_in_a_streamed_body_is_an_error_for_a_visitor_without_a_session(
    client: FlaskClient, change: str
) -> None:
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        stream(client, BEFORE["read"], CHANGES[change], visited=False).get_data()


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize(
    ("reading", "answer"),
    [
        (lambda session: session["user"] in ("ada", "eve"), "True"),
        (lambda session: "user" in session, "True"),
        (len, "1"),
        (list, "['user']"),
        (lambda session: session.pop("other", "nothing"), "nothing"),
        (lambda session: session.setdefault("user", "x") in ("ada", "eve"), "True"),
        (lambda session: session.permanent, "False"),
    ],
)
def test_a_streamed_body_may_read(client: FlaskClient, before: str, reading: Step, answer: str) -> None:
    assert stream(client, BEFORE[before], reading).get_data(as_text=True) == f"begin;{answer};end"


def test_a_change_before_the_stream_is_kept(client: FlaskClient) -> None:
    stream(client, BEFORE["wrote"], BEFORE["read"]).get_data()
    assert client.get("/read").json == {"user": "eve"}


def test_a_view_that_looks_before_the_stream_makes_the_response_vary(client: FlaskClient) -> None:
    assert stream(client, BEFORE["read"], BEFORE["read"]).headers["Vary"] == "Cookie"


def test_a_change_that_fails_in_the_stream_leaves_the_session_as_it_was(client: FlaskClient) -> None:
    with pytest.raises(UsageError):
        stream(client, BEFORE["wrote"], CHANGES["clear"]).get_data()
    assert client.get("/read").json == {"user": "eve"}


def test_what_runs_when_the_response_closes_may_read(client: FlaskClient) -> None:
    seen: list[object] = []

    @client.application.get("/close")
    def close() -> Response:
        session["user"] = "eve"
        current = session.copy()
        response = Response("page")
        response.call_on_close(lambda: seen.append(current["user"]))
        return response

    with client.get("/close"):
        pass
    assert seen == ["eve"]


def test_a_body_is_streamed_over_a_socket(
    app: Flask, browse: Callable[[Flask, CookieJar], Callable[[str], str]]
) -> None:
    Coatcheck(app)

    @app.get("/stream")
    def view() -> Response:
        session["visits"] = session.get("visits", 0) + 1

        def body() -> Iterator[str]:
            for part in range(3):
                yield f"{part}: {session['visits']} {session['user']};"

        return Response(stream_with_context(body()))

    get = browse(app, CookieJar())
    get("/keep/user/ada")
    assert get("/stream") == "0: 1 ada;1: 1 ada;2: 1 ada;"
    assert get("/stream") == "0: 2 ada;1: 2 ada;2: 2 ada;"
