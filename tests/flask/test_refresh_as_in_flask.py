"""A refresh interval of 0 is Flask's own behaviour to the letter: each test passes with Flask's sessions too."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

pytestmark = pytest.mark.usefixtures("either_keeper")

PAGES = ["/plain", "/read", "/nowhere"]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    app.config["SESSION_REFRESH_INTERVAL"] = 0
    return app.test_client()


@pytest.mark.parametrize("page", PAGES)
def test_a_permanent_session_goes_with_every_response(client: FlaskClient, page: str) -> None:
    client.get("/stay/user/ada")
    for _ in range(3):
        response = client.get(page)
        assert len(response.headers.getlist("Set-Cookie")) == 1
        assert response.headers.getlist("Vary") == ["Cookie"]
    assert client.get("/read").json == {"user": "ada", "_permanent": True}


@pytest.mark.parametrize("page", PAGES)
def test_a_browser_session_goes_only_where_it_was_changed(client: FlaskClient, page: str) -> None:
    client.get("/keep/user/ada")
    response = client.get(page)
    assert "Set-Cookie" not in response.headers
    assert ("Vary" in response.headers) == (page == "/read")


@pytest.mark.parametrize("page", PAGES)
def test_a_visitor_without_a_session_is_sent_nothing(client: FlaskClient, page: str) -> None:
    response = client.get(page)
    assert "Set-Cookie" not in response.headers
    assert ("Vary" in response.headers) == (page == "/read")


@pytest.mark.parametrize("page", PAGES)
def test_without_refresh_nothing_is_sent(app: Flask, client: FlaskClient, page: str) -> None:
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    client.get("/stay/user/ada")
    assert "Set-Cookie" not in client.get(page).headers


def test_a_static_answer_to_options_carries_a_permanent_session(client: FlaskClient) -> None:
    client.get("/stay/user/ada")
    assert "Set-Cookie" in client.options("/read").headers


def test_rubbish_is_left_alone(client: FlaskClient) -> None:
    client.set_cookie("session", "rubbish")
    response = client.get("/plain")
    assert "Set-Cookie" not in response.headers and "Vary" not in response.headers
