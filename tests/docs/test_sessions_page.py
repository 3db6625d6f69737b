"""The page about the page "where you are signed in" runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test.utils import override_settings
from flask.testing import FlaskClient
from hosts.adapters.django import configure
from jinja2 import DictLoader
from kit import SECRET
from pages.guest import LIST, Guest, Page, call_wsgi, calling_asgi

from coatcheck.stores.memory import MemoryStore

DOCUMENT = Path(__file__).parents[2] / "docs" / "sessions-page.md"
BASE = "<html lang='en'><body><header>Shop</header>{% block main %}{% endblock %}</body></html>"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What a reader has who has run all examples one after the other."""
    configure()
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {"__name__": "example"}
    with override_settings(SESSION_STORE=MemoryStore()):
        for block in blocks("python"):
            exec(compile(block, str(DOCUMENT), "exec"), found)
    return found


def sign_in(names: dict[str, Any]) -> FlaskClient:
    client: FlaskClient = names["app"].test_client()
    assert client.post("/login").headers["Location"] == LIST
    return client


def test_the_page_of_the_flask_example_lists_two_browsers(names: dict[str, Any]) -> None:
    sign_in(names)
    assert len(Page(sign_in(names).get(LIST).text).cards) == 2
    assert names["app"].test_client().get(LIST).headers["Location"] == "/login"


def test_the_page_of_the_fastapi_example_lists_this_browser(names: dict[str, Any]) -> None:
    with calling_asgi(names["api"]) as call:
        guest = Guest(call)
        guest.ask("POST", "/enter")
        assert len(guest.get().page.cards) == 1


def test_the_patterns_of_the_django_example_are_those_of_a_site(names: dict[str, Any]) -> None:
    urls = type("urls", (), {"urlpatterns": names["urlpatterns"]})
    middleware = ("coatcheck.django.SessionMiddleware",)
    with override_settings(ROOT_URLCONF=urls, MIDDLEWARE=middleware, SESSION_STORE=MemoryStore()):
        answer = Guest(call_wsgi(WSGIHandler())).get()
    assert (answer.status, answer["Location"]) == (303, "/accounts/login/")


def test_the_templates_of_the_document_are_shown_and_work(names: dict[str, Any]) -> None:
    templates = {re.findall(r"templates/(\S+)", block)[0]: block for block in blocks("html")}
    names["app"].jinja_loader = DictLoader({**templates, "base.html": BASE})
    there, here = sign_in(names), sign_in(names)
    page = Page(here.get(LIST).text)
    assert page.texts("header") == ["Shop"]
    assert page.texts("button") == ["Sign out", "Sign out", "Sign out all others"]
    assert here.post(LIST, data={"csrf": page.csrf, "end": "others"}).status_code == 303
    assert there.get(LIST).headers["Location"] == "/login"


def test_the_table_of_names_has_all_that_a_template_is_given() -> None:
    from dataclasses import fields

    from coatcheck.pages.rows import Row

    text = DOCUMENT.read_text()
    assert [each.name for each in fields(Row) if f"`{each.name}`" not in text] == []
    assert [
        name for name in ("rows", "others", "notice", "csrf", "fields", "words", "nonce") if f"`{name}`" not in text
    ] == []


def test_all_options_are_in_the_document() -> None:
    from coatcheck.pages.options import PageOptions

    text = DOCUMENT.read_text()
    assert [option for option in (*PageOptions.__annotations__, "templates") if f"{option}=" not in text] == []


def test_the_name_of_the_device_is_as_the_document_says(names: dict[str, Any]) -> None:
    (call, words) = re.findall(r"^(name_device\(.*\))  # (.*)$", DOCUMENT.read_text(), re.MULTILINE)[0]
    assert eval(call, names) == words
