"""The shortest program that there is."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from types import ModuleType

import pytest


def test_it_counts_visits_in_a_session_that_the_browser_cannot_read(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASK_SECRET_KEY", secrets.token_hex(32))
    client = load("flask_minimal").app.test_client()
    assert client.get("/").text == "Visit 1"
    answer = client.get("/")
    assert answer.text == "Visit 2"
    (cookie,) = answer.headers.getlist("Set-Cookie")
    # Flask's own begins with a brace in base64, eyJ; ours with the version, 0x01.
    assert cookie.startswith("session=A")
    assert cookie.endswith("; HttpOnly; Path=/; SameSite=Lax")


def test_without_a_key_it_says_what_flask_says(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLASK_SECRET_KEY", raising=False)
    app = load("flask_minimal").app
    app.testing = True
    with pytest.raises(RuntimeError, match="no secret key was set"):
        app.test_client().get("/")
