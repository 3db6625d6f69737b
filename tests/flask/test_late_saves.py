"""With a store, what changes while a body is streamed is kept: at its end, when the client goes, or when told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response, jsonify, stream_with_context
from flask.testing import FlaskClient

from coatcheck import Session, StoreError, UsageError
from coatcheck.flask import Coatcheck, session
from coatcheck.request_session import RequestSession
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FailingStore

Step = Callable[[], object]


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(MemoryStore())


@pytest.fixture
def client(app: Flask, store: FailingStore) -> FlaskClient:
    Coatcheck(app, store=store)
    return app.test_client()


def stream(client: FlaskClient, *steps: Step) -> Any:
    """Gives the answer of a view that does these steps while its body is streamed, one for each piece."""

    @client.application.get("/stream")
    def view() -> Response:
        def body() -> Iterator[str]:
            assert session["user"]
            for step in steps:
                yield f"{step()};"

        return Response(stream_with_context(body()))

    client.get("/keep/user/ada")
    return client.get("/stream")


def put(key: str) -> Step:
    return lambda: session.update({key: True})


def save() -> object:
    return session.save()  # type: ignore[attr-defined]


def test_a_change_is_kept_at_the_end(client: FlaskClient) -> None:
    assert stream(client, put("one"), put("two")).text == "None;None;"
    assert client.get("/read").json == {"user": "ada", "one": True, "two": True}


def test_a_change_is_kept_when_the_client_goes_away(client: FlaskClient) -> None:
    answer = stream(client, put("one"), put("two"))
    assert next(answer.response) == b"None;"
    answer.close()
    assert client.get("/read").json == {"user": "ada", "one": True}


def test_a_save_keeps_at_once(client: FlaskClient) -> None:
    def others() -> object:
        return sorted(another(client))

    steps = (put("one"), others, save, others, put("two"))
    assert stream(client, *steps).text == "None;['user'];True;['one', 'user'];None;"


def test_a_logout_meanwhile_wins(client: FlaskClient) -> None:
    def logout() -> None:
        other = another(client)
        other.destroy()
        other._sessions.commit(other, https=False)  # noqa: SLF001

    assert stream(client, logout, put("one"), save, lambda: dict(session)).text == "None;None;False;{};"
    assert client.get("/read").json == {}


def another(client: FlaskClient) -> RequestSession:
    """Gives the session of another request of this browser."""
    interface: Any = client.application.session_interface
    cookie = client.get_cookie("session")
    assert cookie is not None
    return RequestSession(interface.sessions(client.application), f"session={cookie.value}")


def test_a_view_may_save_before_it_looks(client: FlaskClient) -> None:
    @client.application.get("/save")
    def view() -> Response:
        kept = [save()]
        session["one"] = True
        kept.append(save())
        return jsonify(kept)

    client.get("/keep/user/ada")
    assert client.get("/save").json == [True, True]
    assert client.get("/read").json == {"user": "ada", "one": True}


def test_a_save_that_the_store_does_not_take_is_503(client: FlaskClient, store: FailingStore) -> None:
    @client.application.get("/save")
    def view() -> str:
        session["one"] = True
        store.down = True
        save()
        return "saved"

    client.get("/keep/user/ada")
    answer = client.get("/save")
    assert answer.status_code == 503
    assert "saved" not in answer.text
    store.down = False
    assert client.get("/read").json == {"user": "ada"}


def test_a_store_that_fails_at_the_end_of_a_stream_is_no_success(client: FlaskClient, store: FailingStore) -> None:
    answer = stream(client, put("one"), lambda: setattr(store, "down", True))
    with answer, pytest.raises(StoreError):
        answer.get_data()


def test_a_visitor_without_a_session_gets_none_in_a_stream(app: Flask, store: FailingStore) -> None:
    Coatcheck(app, store=store)

    @app.get("/stream")
    def view() -> Response:
        def body() -> Iterator[str]:
            session["user"] = "eve"
            yield "set"

        return Response(stream_with_context(body()))

    with pytest.raises(UsageError, match="the headers of this response are gone"):
        app.test_client().get("/stream").get_data()
    assert store.calls == []


def test_a_session_that_a_stream_ends_is_ended(client: FlaskClient) -> None:
    stream(client, lambda: Session.destroy(session)).get_data()
    assert client.get("/read").json == {}
