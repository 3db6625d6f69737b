"""Django."""

import os
from typing import Any, cast

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path
from shared.apps.pages import run

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["SECRET_KEY"],
    MIDDLEWARE=["coatcheck.django.SessionMiddleware"],
    SESSION_ENGINE="coatcheck.django",
    # Its own default is "sessionid".
    SESSION_COOKIE_NAME="session",
    SESSION_STORE=os.environ.get("SESSION_STORE"),
)


def page(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(run(name, cast(Any, request.session), "Django"))


urlpatterns = [path("<name>", page)]
app = WSGIHandler()
