"""A Django site with its admin, for real servers: `application` by WSGI, `asgi` by ASGI. SITE names its folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import django
from django.conf import settings

FOLDER = Path(os.environ["SITE"])

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(FOLDER / "site.db")}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes", "messages", "sessions")],
    MIDDLEWARE=[
        os.environ["MIDDLEWARE"],
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="9f3c1b7ad0e84c52b6e1f70a2d95c8437be00f6a1c24d98e5b37a6f0c1d2e394",
    SESSION_ENGINE="coatcheck.django",
    SESSION_STORE=os.environ.get("STORE"),
    STATIC_URL="/static/",
    USE_TZ=True,
)
django.setup()

from django.contrib import admin  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402


def count(request: Any) -> HttpResponse:
    request.session.setdefault("visits", []).append(1)
    return HttpResponse(str(len(request.session["visits"])))


async def acount(request: Any) -> HttpResponse:
    visits = await request.session.asetdefault("visits", [])
    visits.append(1)
    return HttpResponse(str(len(visits)))


urlpatterns = [path("admin/", admin.site.urls), path("count", count), path("acount", acount)]
application = get_wsgi_application()
asgi = get_asgi_application()

if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import User

    User.objects.create_superuser("ann", "ann@shop.example", "a long password")
