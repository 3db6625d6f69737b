"""The programs whose session is a class of theirs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from flask.testing import FlaskClient
from starlette.testclient import TestClient


@pytest.fixture
def api(load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("SECRET_KEY", secrets.token_hex(32))
    with TestClient(load("typed_fastapi").app, base_url="https://shop.example") as client:
        yield client


@pytest.fixture
def client(load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setenv("FLASK_SECRET_KEY", secrets.token_hex(32))
    client: FlaskClient = load("typed_flask").app.test_client()
    return client


def test_the_cart_is_a_model_in_every_request(api: TestClient) -> None:
    assert api.get("/cart").json() == {"user": None, "cart": []}
    assert api.post("/cart?name=pear&price=120").json() == 120
    assert api.post("/cart?name=fig&price=30").json() == 150
    assert api.get("/cart").json()["cart"] == [{"name": "pear", "price": 120}, {"name": "fig", "price": 30}]


def test_what_is_no_item_does_not_come_into_the_cart(api: TestClient) -> None:
    assert api.post("/cart?name=pear&price=-1").status_code == 422
    assert api.get("/cart").json()["cart"] == []


def test_the_flask_program_knows_what_its_visitor_has_seen(client: FlaskClient) -> None:
    assert client.get("/home").text == "Visit 1 of a stranger, who has seen home."
    assert client.post("/login", data={"user": "<ada>"}).text == "Welcome!"
    assert client.get("/news").text == "Visit 2 of &lt;ada&gt;, who has seen home, news."


def test_the_flask_program_begins_anew_with_a_session_that_it_cannot_read(client: FlaskClient) -> None:
    with client.session_transaction() as own:
        own["visits"] = "often"
    assert client.get("/home").status_code == 409
    assert client.get("/home").text == "Visit 1 of a stranger, who has seen home."
