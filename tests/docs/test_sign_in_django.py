"""What the page about signing in says of Django: its settings make a site, and its views work."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.test.utils import override_settings
from django.urls import path
from hosts.adapters.django import configure
from kit import NOON

from coatcheck.testing import Clock

PAGE = Path(__file__).parents[2] / "docs/sign-in.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Users:
    """What Django's own middleware does, without a database."""

    def __init__(self, respond: Callable[[Any], Any]) -> None:
        self._respond = respond

    def __call__(self, request: Any) -> Any:
        user_id = request.session.user_id
        request.user = SimpleNamespace(pk=user_id, is_authenticated=user_id is not None)
        return self._respond(request)


def login(request: Any) -> HttpResponse:
    request.session.login("7")
    return HttpResponse("welcome")


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: Clock) -> Iterator[None]:
    configure()
    monkeypatch.chdir(tmp_path)
    module = ModuleType("example_site")
    monkeypatch.setitem(sys.modules, "example_site", module)
    names = vars(module)
    section = PAGE.read_text().partition("\n## In Django\n")[2].partition("\n## ")[0]
    for block in BLOCK.findall(section):
        exec(compile(block, str(PAGE), "exec", dont_inherit=True), names)
    urls = ModuleType("urls")
    urls.urlpatterns = [  # type: ignore[attr-defined]
        path("login", login),
        path("address", names["change_address"]),
        path("sessions", names["my_sessions"]),
        path("end/<handle>", names["end_session"]),
        path("end-others", names["end_other_sessions"]),
    ]
    names["Users"] = Users
    settings = {name: value for name, value in names.items() if name.isupper()}
    # Django keeps a store open that has been opened once, and each test has a folder of its own.
    settings["SESSION_REVOCATIONS"] = settings["SESSION_REVOCATIONS"].replace("///", f"///{tmp_path}/")
    middleware = ["coatcheck.django.SessionMiddleware", "example_site.Users", "example_site.AskAgain"]
    with override_settings(
        **settings,
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
        ROOT_URLCONF=urls,
        MIDDLEWARE=middleware,
        LOGIN_URL="/login",
        SESSION_CLOCK=clock,
    ):
        yield


@pytest.fixture
def sign_in(site: None) -> Callable[[], Client]:
    def enter() -> Client:
        client = Client()
        assert client.get("/login").content == b"welcome"
        return client

    return enter


def test_the_middleware_of_the_page_asks_for_the_password_again(sign_in: Callable[[], Client], clock: Clock) -> None:
    client = sign_in()
    assert client.get("/address").content == b"changed"
    clock.advance(601)
    assert client.get("/address")["Location"] == "/login?next=/address"
    client.get("/login")
    assert client.get("/address").content == b"changed"


def test_the_views_of_the_page_end_sessions(sign_in: Callable[[], Client]) -> None:
    here, *there = (sign_in() for _ in range(3))
    handle, _ = here.get("/sessions").json()
    assert here.get(f"/end/{handle}").content == b"ended"
    assert here.get(f"/end/{handle}").status_code == 404
    assert sorted(each.get("/sessions").status_code for each in (here, *there)) == [200, 200, 302]
    assert here.get("/end-others").content == b"ended 1"
    assert [each.get("/sessions").status_code for each in (here, *there)] == [200, 302, 302]


def test_the_sixth_session_of_the_settings_ends_the_first(sign_in: Callable[[], Client]) -> None:
    clients = [sign_in() for _ in range(6)]
    assert [each.get("/sessions").status_code for each in clients] == [302, 200, 200, 200, 200, 200]
