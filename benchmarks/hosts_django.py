"""The Django applications that `hosts.py` compares. All have the settings of the process."""

from __future__ import annotations

from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_settings
from django.urls import path
from timing import REFERENCE

OWN_MIDDLEWARE = "django.contrib.sessions.middleware.SessionMiddleware"
OUR_MIDDLEWARE = "coatcheck.django.SessionMiddleware"


def page(request: HttpRequest, name: str) -> HttpResponse:
    session: Any = getattr(request, "session", None)
    if session is not None and name == "read":
        session["username"]
    elif session is not None and name == "write":
        session["user_id"] += 1
    elif session is not None and name == "fill":
        session.update(REFERENCE)
    return HttpResponse("x")


urlpatterns = [path("<name>", page)]


def sites(ours: str, own: str) -> dict[str, WSGIHandler]:
    """Gives an application without sessions, one with Django's own, and one with ours.

    A handler reads these settings when it is built, and at no request.
    """
    return {
        "off": _handler(),
        "own": _handler(OWN_MIDDLEWARE, own),
        "ours": _handler(OUR_MIDDLEWARE, ours),
    }


def _handler(middleware: str | None = None, engine: str = "") -> WSGIHandler:
    with override_settings(MIDDLEWARE=[middleware] if middleware else [], SESSION_ENGINE=engine):
        return WSGIHandler()
