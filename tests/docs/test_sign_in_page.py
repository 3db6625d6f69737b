"""The page about signing in runs as it stands: the program of Flask, and that of FastAPI."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask.testing import FlaskClient
from kit import NOON, SECRET
from starlette.testclient import TestClient

from coatcheck.core.settings import PRESETS
from coatcheck.testing import Clock

PAGE = Path(__file__).parents[2] / "docs/sign-in.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
HTTPS = "https://shop.example"
PASSWORD = {"name": "xiaoming", "password": "correct horse"}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Runs the examples of a section, and gives what a reader has then who has run all of them."""
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.chdir(tmp_path)

    def run_section(title: str) -> dict[str, Any]:
        module = ModuleType("example")
        # FastAPI looks there for the types that a handler names.
        monkeypatch.setitem(sys.modules, "example", module)
        section = PAGE.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        for block in BLOCK.findall(section):
            exec(compile(block, str(PAGE), "exec", dont_inherit=True), vars(module))
        return vars(module)

    return run_section


@pytest.fixture
def names(run: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    return run("In Flask")


@pytest.fixture
def clock(names: dict[str, Any]) -> Clock:
    clock = Clock(NOON)
    names["app"].config["SESSION_CLOCK"] = clock
    return clock


@pytest.fixture
def sign_in(names: dict[str, Any], clock: Clock) -> Callable[[], FlaskClient]:
    def enter() -> FlaskClient:
        client: FlaskClient = names["app"].test_client()
        assert client.post("/login", data=PASSWORD).location == "/"
        return client

    return enter


def token(client: FlaskClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/email").text)
    assert found
    return found[1]


def test_the_program_of_the_page_greets_who_has_signed_in(
    names: dict[str, Any], sign_in: Callable[[], FlaskClient]
) -> None:
    stranger = names["app"].test_client()
    assert stranger.get("/").text == "Hello stranger!"
    assert stranger.post("/login", data={**PASSWORD, "password": "wrong"}).status_code == 403
    assert stranger.get("/account").status_code == 401
    client = sign_in()
    assert client.get("/").text == "Hello xiaoming!"
    assert client.get("/account").text == "the account of xiaoming"


def test_a_copy_of_the_cookie_is_dead_after_the_logout_of_the_page(
    names: dict[str, Any], sign_in: Callable[[], FlaskClient]
) -> None:
    client = sign_in()
    cookie = client.get_cookie("session")
    assert cookie
    thief = names["app"].test_client()
    thief.set_cookie("session", cookie.value)
    assert thief.get("/").text == "Hello xiaoming!"
    client.post("/logout", data={"csrf": token(client)})
    assert [each.get("/").text for each in (client, thief)] == ["Hello stranger!"] * 2


@pytest.mark.parametrize(("unseen", "greeting"), [(3600, "Hello xiaoming!"), (3601, "Hello stranger!")])
def test_the_preset_of_the_page_ends_a_session_after_an_hour(
    sign_in: Callable[[], FlaskClient], clock: Clock, unseen: int, greeting: str
) -> None:
    client = sign_in()
    clock.advance(unseen)
    assert client.get("/").text == greeting


def test_the_page_has_the_limits_of_each_preset() -> None:
    words = {30 * 24: "30 days", 24: "24 hours", 12: "12 hours", 1: "1 hour", 0.25: "15 minutes"}

    def word(limit: timedelta | None) -> str:
        return "none" if limit is None else words[limit / timedelta(hours=1)]

    for preset, limits in PRESETS.items():
        assert f'| `"{preset}"` | {" | ".join(map(word, limits))} |' in PAGE.read_text()


def test_the_password_is_asked_for_again_after_ten_minutes(sign_in: Callable[[], FlaskClient], clock: Clock) -> None:
    client = sign_in()
    assert client.post("/email", data={"csrf": token(client)}).text == "changed"
    clock.advance(601)
    assert client.post("/email", data={"csrf": token(client)}).location == "/confirm"
    wrong = {"csrf": token(client), "password": "wrong"}
    assert client.post("/confirm", data=wrong).status_code == 403
    assert client.post("/confirm", data={**wrong, "password": "correct horse"}).location == "/account"
    assert client.post("/email", data={"csrf": token(client)}).text == "changed"


def test_a_payment_from_another_network_wants_the_password_again(
    sign_in: Callable[[], FlaskClient], clock: Clock
) -> None:
    client = sign_in()
    clock.advance(60)
    for address, goes_on in (("127.0.200.1", True), ("192.0.2.7", False), ("2001:db8::7", False), ("", True)):
        answer = client.post("/payment", data={"csrf": token(client)}, environ_base={"REMOTE_ADDR": address})
        assert (answer.text == "paid", answer.location == "/confirm") == (goes_on, not goes_on)
    there = {"REMOTE_ADDR": "192.0.2.7"}
    client.post("/confirm", data={"csrf": token(client), "password": "correct horse"}, environ_base=there)
    assert client.post("/payment", data={"csrf": token(client)}, environ_base=there).text == "paid"


def test_a_form_of_another_site_is_refused(sign_in: Callable[[], FlaskClient]) -> None:
    client, other = sign_in(), sign_in()
    for data in ({}, {"csrf": ""}, {"csrf": token(other)}):
        answer = client.post("/email", data=data)
        assert (answer.status_code, answer.text[:32]) == (403, "This form is no longer good. Go ")


def test_the_sixth_sign_in_is_refused_in_words(names: dict[str, Any], sign_in: Callable[[], FlaskClient]) -> None:
    clients = [sign_in() for _ in range(5)]
    answer = names["app"].test_client().post("/login", data=PASSWORD)
    assert (answer.status_code, answer.text[:38]) == (403, "You are signed in at 5 places already.")
    assert "Set-Cookie" not in answer.headers
    assert {client.get("/").text for client in clients} == {"Hello xiaoming!"}
    clients[0].post("/logout", data={"csrf": token(clients[0])})
    sign_in()


def test_a_user_ends_one_session_and_then_all_others(names: dict[str, Any], sign_in: Callable[[], FlaskClient]) -> None:
    here, *there = (sign_in() for _ in range(4))
    shown: Any = here.get("/sessions").json
    assert [each["here"] for each in shown] == [True, False, False, False]
    csrf = {"csrf": token(here)}
    assert here.post(f"/sessions/{shown[1]['handle']}/end", data=csrf).text == "ended"
    assert here.post(f"/sessions/{'0' * 32}/end", data=csrf).status_code == 404
    assert sorted(each.get("/").text for each in there).count("Hello stranger!") == 1
    assert here.post("/sessions/end-others", data=csrf).text == "ended 2"
    assert {each.get("/").text for each in there} == {"Hello stranger!"}
    assert here.get("/").text == "Hello xiaoming!"
    with names["app"].app_context():
        names["block"]("xiaoming")
    assert here.get("/").text == "Hello stranger!"


@pytest.fixture
def api(run: Callable[[str], dict[str, Any]]) -> Iterator[Callable[[], TestClient]]:
    app = run("In FastAPI and Starlette")["api"]
    with TestClient(app, base_url=HTTPS) as first:
        clients = [first]

        def browse() -> TestClient:
            clients.append(TestClient(app, base_url=HTTPS, follow_redirects=False))
            assert clients[-1].post("/login", data=PASSWORD).status_code == 303
            return clients[-1]

        yield browse
        for client in clients[1:]:
            client.close()


def test_the_endpoints_of_the_page_know_their_user(api: Callable[[], TestClient]) -> None:
    client = api()
    assert client.get("/account").json() == "xiaoming"
    assert client.post("/email").json() == "changed"
    csrf = client.get("/form").json()
    assert client.post("/profile", data={"csrf": csrf}).json() == "changed"
    assert client.post("/profile", data={"csrf": csrf[::-1]}).status_code == 403
    cookies = dict(client.cookies)
    client.post("/logout")
    assert client.get("/account").status_code == 401
    assert client.post("/email").headers["location"] == "/login"
    client.cookies.update(cookies)
    assert client.get("/account").status_code == 401


def test_the_endpoints_of_the_page_end_sessions(api: Callable[[], TestClient]) -> None:
    here, *there = (api() for _ in range(3))
    shown = here.get("/sessions").json()
    assert [each["here"] for each in shown] == [True, False, False]
    assert here.delete(f"/sessions/{shown[1]['handle']}").status_code == 200
    assert here.delete(f"/sessions/{shown[1]['handle']}").status_code == 404
    assert here.delete("/sessions").json() == 1
    assert [each.get("/account").status_code for each in (here, *there)] == [200, 401, 401]
