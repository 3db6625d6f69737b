"""A site on Django with the page. `python -m gunicorn 'pages.sites.django_site:serve()'` serves it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.test.utils import override_settings
from django.urls import include, path
from hosts.adapters.django import configure, rename

from coatcheck.pages.django import sessions_page


def index(request: HttpRequest) -> HttpResponse:
    session: Any = request.session
    return HttpResponse(f"{session.user_id or 'nobody'} has {session.get('cart', 'nothing')}", "text/plain")


def login(request: HttpRequest) -> HttpResponse:
    session: Any = request.session
    session.login(request.GET["user"])
    return HttpResponseRedirect("/")


def buy(request: HttpRequest) -> HttpResponse:
    request.session["cart"] = "figs"
    return HttpResponse("bought")


@contextmanager
def making(page: dict[str, Any], **options: Any) -> Iterator[WSGIHandler]:
    """Gives the site, as long as Django's settings are its own.

    Args:
        page: the options of the page.
        options: those of the sessions; in capitals, settings of Django.
    """
    configure()
    settings = {name: options.pop(name) for name in list(options) if name.isupper()}
    urls = ModuleType("urls")
    middleware = (
        "coatcheck.django.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    )
    with override_settings(**{"MIDDLEWARE": middleware, "ROOT_URLCONF": urls, **rename(options), **settings}):
        urls.urlpatterns = [  # type: ignore[attr-defined]
            path("", index),
            path("login", login),
            path("buy", buy),
            path("account/sessions/", include(sessions_page(**page))),
        ]
        yield WSGIHandler()


_served = ExitStack()


def serve() -> WSGIHandler:
    """Gives the site for the rest of this process."""
    return _served.enter_context(making({"login_url": "/"}, store=os.environ["SESSION_STORE"]))
