"""The settings on the page of Django are what a site can be run with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import Client
from django.test.utils import override_settings
from django.urls import path
from hosts.adapters.django import configure
from hosts.wsgi_call import WsgiCaller
from kit import SECRET
from servers.redis import RedisServer

PAGE = Path(__file__).parents[2] / "docs" / "django.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def page(request: Any) -> HttpResponse:
    request.session["cart"] = [3]
    request.session.set_expiry(60 * 60 * 24 * 90)
    return HttpResponse("done")


def cart(request: Any) -> HttpResponse:
    return HttpResponse(str(request.session.get("cart")))


def test_a_site_runs_with_the_settings_of_the_page(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configure()
    monkeypatch.chdir(tmp_path)
    settings: dict[str, Any] = {}
    for block in BLOCK.findall(PAGE.read_text()):
        exec(compile(block.replace("redis://localhost:6379/0", redis_server.url()), str(PAGE), "exec"), {}, settings)
    urls = type("urls", (), {"urlpatterns": [path("page", page)]})
    settings = {name: value for name, value in settings.items() if name.isupper()}
    with override_settings(SECRET_KEY=SECRET, ROOT_URLCONF=urls, **settings):
        answer = WsgiCaller(WSGIHandler()).get("/page")
    (cookie,) = answer.cookies
    lasting = "Expires=[^;]+; Max-Age=(7775999|7776000)"
    assert re.fullmatch(rf"sessionid=A[\w-]{{43}}; {lasting}; Secure; HttpOnly; Path=/; SameSite=Lax", cookie.strip())
    assert answer.cache == ["no-store", "private"]


def test_the_test_on_the_page_passes_and_needs_the_store_that_the_page_says() -> None:
    configure()
    names: dict[str, Any] = {}
    (block,) = [block for block in BLOCK.findall(PAGE.read_text()) if "def test_" in block]
    exec(compile(block, str(PAGE), "exec"), names)
    named: dict[str, Any] = {
        "SECRET_KEY": SECRET,
        "ROOT_URLCONF": type("urls", (), {"urlpatterns": [path("cart", cart)]}),
        "SESSION_ENGINE": "coatcheck.django",
        "MIDDLEWARE": ["coatcheck.django.SessionMiddleware"],
    }
    with override_settings(**named, SESSION_STORE="memory:"):
        names["test_the_cart_is_shown"](Client())
    with override_settings(**named):
        client = Client()
        with pytest.raises(AssertionError):
            names["test_the_cart_is_shown"](client)
        # What the page says to do then.
        session = client.session
        session["cart"] = [7]
        session.save()
        assert session.session_key is not None
        client.cookies[django_settings.SESSION_COOKIE_NAME] = session.session_key
        assert client.get("/cart").content == b"[7]"
