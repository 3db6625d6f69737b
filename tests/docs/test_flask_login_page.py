"""The page about Flask-Login runs as it stands, and what it warns of is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_login import current_user, login_user
from kit import SECRET

from coatcheck.flask import session

PAGE = Path(__file__).parents[2] / "docs/flask-login.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Flask:
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "example"}
    for block in BLOCK.findall(PAGE.read_text()):
        exec(compile(block, str(PAGE), "exec", dont_inherit=True), names)
    app, user = names["app"], names["User"]
    assert isinstance(app, Flask)
    assert isinstance(user, type)
    app.add_url_rule("/set", view_func=lambda: [session.update(cart=3)], endpoint="set")
    app.add_url_rule("/cart", view_func=lambda: [session.get("cart"), session.user_id], endpoint="cart")
    app.add_url_rule("/me", view_func=lambda: [current_user.is_authenticated, session.user_id], endpoint="me")
    app.add_url_rule("/remember", view_func=lambda: [login_user(user("7"), remember=True)], endpoint="remember")
    return app


def sign_in(app: Flask, path: str = "/login") -> FlaskClient:
    client = app.test_client()
    client.get("/set")
    assert client.post(path).status_code == 200
    return client


def copy(client: FlaskClient) -> FlaskClient:
    cookie = client.get_cookie("session")
    assert cookie
    thief: FlaskClient = client.application.test_client()
    thief.set_cookie("session", cookie.value)
    return thief


def test_a_logout_ends_every_copy_and_leaves_the_cart(app: Flask) -> None:
    client = sign_in(app)
    thief = copy(client)
    assert thief.get("/cart").json == [3, "7"]
    assert client.post("/logout").text == "good bye"
    assert thief.get("/cart").json == [None, None]
    assert client.get("/cart").json == [3, None]
    assert client.get("/sessions").status_code == 401


def test_a_user_ends_all_other_sessions(app: Flask) -> None:
    here, *there = (sign_in(app) for _ in range(3))
    shown = here.get("/sessions").json
    assert shown is not None
    assert len(shown) == 3
    assert here.post("/sessions/end-others").text == "ended 2"
    assert [each.get("/me").json for each in (here, *there)] == [[True, "7"], [False, None], [False, None]]


def test_a_session_that_is_to_stay_stays_and_can_be_ended(app: Flask) -> None:
    here, there = sign_in(app), sign_in(app, "/login-and-stay")
    cookie = there.get_cookie("session")
    assert cookie
    assert cookie.max_age == 31 * 86400
    here.post("/sessions/end-others")
    assert there.get("/me").json == [False, None]


def test_a_remember_me_cookie_signs_in_again_as_the_page_warns(app: Flask) -> None:
    here, there = sign_in(app), app.test_client()
    there.get("/remember")
    assert here.post("/sessions/end-others").text == "ended 1"
    assert there.get("/me").json == [True, "7"]
    # By a session of its own, which can be seen.
    shown = here.get("/sessions").json
    assert shown is not None
    assert len(shown) == 2
