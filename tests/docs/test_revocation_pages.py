"""The pages about ending sessions and about guests in the cookie: their programs do what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from kit import NOON, SECRET

from coatcheck import UsageError
from coatcheck.flask import Coatcheck, session
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run(page: str, *, until: str = "") -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    text = (DOCS / page).read_text()
    assert until in text
    for block in BLOCK.findall(text.partition(until)[0] if until else text):
        exec(compile(block, page, "exec", dont_inherit=True), names)
    return names


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A reader has a key, and an empty folder."""
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.chdir(tmp_path)


def with_pages(app: Flask) -> Flask:
    app.add_url_rule("/in", view_func=lambda: [session.login(7)], endpoint="in")
    app.add_url_rule("/out", view_func=lambda: [session.logout()], endpoint="out")
    app.add_url_rule("/set", view_func=lambda: [session.update(cart=3)], endpoint="set")
    app.add_url_rule("/dark", view_func=lambda: [session.update(theme="dark")], endpoint="dark")
    app.add_url_rule("/much", view_func=lambda: [session.update(much="x" * 4000)], endpoint="much")
    app.add_url_rule("/me", view_func=lambda: [session.user_id, dict(session)], endpoint="me")
    return app


def copy(client: FlaskClient) -> FlaskClient:
    cookie = client.get_cookie("session")
    assert cookie
    thief: FlaskClient = client.application.test_client()
    thief.set_cookie("session", cookie.value)
    return thief


def test_a_sealed_cookie_is_ended_by_the_program_of_the_page(tmp_path: Path) -> None:
    client = with_pages(run("revocation.md", until="## When it cannot")["app"]).test_client()
    client.get("/in")
    thief = copy(client)
    assert thief.get("/me").json == [7, {}]
    client.get("/out")
    assert thief.get("/me").json == [None, {}]
    assert (tmp_path / "revoked.db").exists()


@pytest.mark.parametrize(("setting", "status"), [("closed", 503), ("open", 200)])
def test_a_list_that_cannot_be_read_is_closed_or_open(setting: str, status: int) -> None:
    assert run("revocation.md")["app"].config["SESSION_REVOCATIONS_DOWN"] == "open"
    store, clock = FailingStore(MemoryStore()), Clock(NOON)
    app = with_pages(run("revocation.md", until="The sessions stay in their cookies")["app"])
    Coatcheck(app, revocations=store, revocations_down=setting, clock=clock)
    user, guest = app.test_client(), app.test_client()
    user.get("/in")
    guest.get("/set")
    store.down = True
    clock.advance(2)
    assert user.get("/me").status_code == status
    assert guest.get("/me").json == [None, {"cart": 3}]
    assert [user.get("/out").status_code, guest.get("/in").status_code] == [503, 503]
    store.down = False
    clock.advance(2)
    assert user.get("/me").json == [7, {}]


def test_without_a_list_the_calls_say_what_is_missing() -> None:
    app = run("revocation.md", until="The sessions stay in their cookies")["app"]
    coatcheck = Coatcheck(app)
    with app.app_context():
        for call in (coatcheck.sessions_of, coatcheck.revoke_user):
            with pytest.raises(UsageError, match=r"revocations= a URL"):
                call(7)
        with pytest.raises(UsageError, match=r"revocations= a URL"):
            coatcheck.revoke_everyone()


@pytest.fixture
def hybrid(clock: Clock) -> tuple[FlaskClient, MemoryStore]:
    names = run("hybrid.md")
    store = MemoryStore(clock=clock)
    Coatcheck(names["app"], **names["coatcheck"].options | {"store": store, "clock": clock})
    return with_pages(names["app"]).test_client(), store


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


def test_guests_leave_no_record_and_users_do(hybrid: tuple[FlaskClient, MemoryStore]) -> None:
    client, store = hybrid
    assert client.post("/cart/pear").text == "1 in the cart"
    assert repr(store) == "<MemoryStore, 0 records>"
    guest = copy(client)
    client.post("/login")
    assert client.get("/me").json == ["xiaoming", {"cart": ["pear"]}]
    assert guest.get("/me").json == [None, {}]
    cookie = client.get_cookie("session")
    assert cookie
    assert len(cookie.value) == 44
    assert repr(store) != "<MemoryStore, 0 records>"


def test_who_signs_out_takes_what_is_kept_into_the_cookie(hybrid: tuple[FlaskClient, MemoryStore]) -> None:
    client, _ = hybrid
    client.get("/dark")
    client.post("/login")
    copied = copy(client)
    client.post("/logout")
    assert client.get("/me").json == [None, {"theme": "dark"}]
    assert copied.get("/me").json == [None, {}]
    cookie = client.get_cookie("session")
    assert cookie
    assert len(cookie.value) > 100


def test_what_is_too_much_for_a_cookie_goes_to_the_store(hybrid: tuple[FlaskClient, MemoryStore]) -> None:
    client, store = hybrid
    client.get("/dark")
    assert repr(store) == "<MemoryStore, 0 records>"
    client.get("/much")
    assert client.get("/me").json == [None, {"theme": "dark", "much": "x" * 4000}]
    cookie = client.get_cookie("session")
    assert cookie
    assert len(cookie.value) == 44
