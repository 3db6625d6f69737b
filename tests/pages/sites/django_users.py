"""A site with Django's own users: who signs out on the page is signed out as by Django's view."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings
from kit import SECRET

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    LOGIN_URL="/enter/",
    MIDDLEWARE=["coatcheck.django.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=SECRET,
    SESSION_ENGINE="coatcheck.django",
    SESSION_STORE="memory://",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import login, user_logged_out  # noqa: E402  # they want the settings
from django.contrib.auth.models import User  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from pages.guest import IPHONE, Guest, call_wsgi  # noqa: E402

from coatcheck.pages.django import sessions_page  # noqa: E402


def index(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.user.get_username() or 'nobody'}")


def enter(request: HttpRequest) -> HttpResponse:
    login(request, User.objects.get(username="ada"))
    return HttpResponse("in")


urlpatterns = [path("", index), path("enter/", enter), path("account/sessions/", include(sessions_page()))]


def main() -> None:
    call_command("migrate", verbosity=0)
    User.objects.create_user("ada")
    signed_out: list[Any] = []
    user_logged_out.connect(lambda user, **_: signed_out.append(user.get_username()), weak=False)
    call = call_wsgi(WSGIHandler())
    phone, laptop = Guest(call, IPHONE), Guest(call)
    for guest in (phone, laptop):
        guest.get("/enter/")
    devices = [card.device for card in laptop.get().page.cards]
    assert devices == ["Firefox on Windows", "Safari on iPhone"], devices
    laptop.press(laptop.get().page.handle_of("Safari on iPhone"))
    assert (phone.greeting, laptop.greeting, signed_out) == ("nobody", "ada", [])
    answer = laptop.press(laptop.get().page.handle_of("Firefox on Windows"))
    assert answer["Location"] == "/enter/"
    assert (laptop.greeting, signed_out) == ("nobody", ["ada"])


if __name__ == "__main__":
    main()
