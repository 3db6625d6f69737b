"""A request that does not look at the session costs nothing and says nothing, whatever its cookie holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Blueprint, Flask, make_response
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue

from coatcheck import Event
from coatcheck.flask import Coatcheck, session

HOSTILE = {
    "nothing": "",
    "rubbish": "rubbish",
    "a false token": "AQ" + "A" * 200,
    "a very long one": "A" * 60_000,
    "characters that no token has": "a%00\\x00\xff",
}


@pytest.fixture
def client(app: Flask, events: list[Event]) -> FlaskClient:
    Coatcheck(app, on_event=events.append)
    return app.test_client()


@pytest.fixture
def stranger(client: FlaskClient) -> FlaskClient:
    """A client that sends the `Cookie` header that it is told to."""
    return client.application.test_client(use_cookies=False)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_cookie_is_not_even_read(stranger: FlaskClient, events: list[Event], name: str) -> None:
    response = stranger.get("/plain", headers={"Cookie": f"session={HOSTILE[name]}"})
    assert response.text == "nobody looks"
    assert events == []
    assert not {"Vary", "Set-Cookie", "Cache-Control"} & set(response.headers.keys())


@pytest.mark.parametrize("name", HOSTILE)
def test_the_same_cookie_is_an_event_once_somebody_looks(stranger: FlaskClient, events: list[Event], name: str) -> None:
    response = stranger.get("/read", headers={"Cookie": f"session={HOSTILE[name]}"})
    assert response.json == {}
    assert [event.kind.value for event in events] == ["rejected"]
    assert response.headers.getlist("Vary") == ["Cookie"]
    assert "Set-Cookie" not in response.headers


def test_a_good_cookie_makes_no_difference_to_a_view_that_does_not_look(
    client: FlaskClient, events: list[Event]
) -> None:
    client.get("/stay/user/ada")
    events.clear()
    with_cookie, without = client.get("/plain"), client.application.test_client().get("/plain")
    assert list(with_cookie.headers) == list(without.headers)
    assert events == []


def test_every_look_of_one_request_decodes_only_once(stranger: FlaskClient, events: list[Event]) -> None:
    @stranger.application.get("/look-often")
    def look_often() -> str:
        return "".join(str(session.get("user")) for _ in range(10)) and str(len(session))

    stranger.get("/look-often", headers={"Cookie": "session=rubbish"})
    assert len(events) == 1


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "TRACE"])
def test_an_answer_without_a_view_says_nothing(client: FlaskClient, method: str) -> None:
    client.get("/stay/user/ada")
    response = client.open("/read", method=method)
    assert not {"Vary", "Set-Cookie", "Cache-Control"} & set(response.headers.keys())


def test_a_page_that_is_not_there_says_nothing(stranger: FlaskClient, events: list[Event]) -> None:
    response = stranger.get("/nowhere", headers={"Cookie": "session=rubbish"})
    assert response.status_code == 404
    assert events == [] and "Vary" not in response.headers


def test_a_view_that_fails_without_a_look_says_nothing(stranger: FlaskClient, events: list[Event]) -> None:
    @stranger.application.get("/fail")
    def fail() -> str:
        raise ZeroDivisionError

    response = stranger.get("/fail", headers={"Cookie": "session=rubbish"})
    assert response.status_code == 500
    assert events == [] and "Vary" not in response.headers


def test_a_static_file_is_the_same_for_a_visitor_with_a_session(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text("body {}")
    client.application.register_blueprint(
        Blueprint("files", __name__, static_folder=tmp_path, static_url_path="/files")
    )
    client.get("/stay/user/ada")
    with client.get("/files/style.css") as response:
        assert response.get_data(as_text=True) == "body {}"
        assert not {"Vary", "Set-Cookie"} & set(response.headers.keys())
        assert "no-store" not in response.headers.get("Cache-Control", "")


def test_a_header_that_the_view_sets_stays_where_nobody_looks(client: FlaskClient) -> None:
    @client.application.get("/public")
    def public() -> ResponseReturnValue:
        response = make_response("same for all")
        response.headers["Cache-Control"] = "public, max-age=60"
        response.headers["Vary"] = "Accept-Encoding"
        return response

    client.get("/stay/user/ada")
    headers = client.get("/public").headers
    assert headers["Cache-Control"] == "public, max-age=60"
    assert headers["Vary"] == "Accept-Encoding"


def test_other_cookies_are_no_business_of_ours(stranger: FlaskClient, events: list[Event]) -> None:
    response = stranger.get("/read", headers={"Cookie": "sessions=a; Session=b; xsession=c; other=session=d"})
    assert response.json == {} and events == []


def test_a_session_elsewhere_in_the_request_is_not_taken(client: FlaskClient, events: list[Event]) -> None:
    client.get("/keep/user/ada")
    cookie = client.get_cookie("session")
    assert cookie is not None
    other = client.application.test_client()
    headers = {"Session": cookie.value, "X-Session": cookie.value, "Authorization": f"Bearer {cookie.value}"}
    events.clear()
    assert other.get(f"/read?session={cookie.value}", headers=headers).json == {}
    assert events == []


def test_clearing_what_is_not_there_is_no_event(client: FlaskClient, events: list[Event]) -> None:
    assert "Set-Cookie" not in client.get("/clear").headers
    assert events == []
