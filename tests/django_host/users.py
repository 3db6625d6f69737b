"""A Django project with users in a database, which goes through what `django.contrib.auth` does to sessions.

    python tests/django_host/users.py store own

In a process of its own, for Django takes its applications but once. Prints one word for each
check that held. The arguments are a mode, and whose middleware.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.test import AsyncClient, Client
from django.urls import path

SECRET = "4c1f0b7e9a6d42583e7c1b0a9f8e7d6c5b4a39281706f5e4d3c2b1a0f9e8d7c6"
NEW = "b7e9a6d42583e7c1b0a9f8e7d6c5b4a39281706f5e4d3c2b1a0f9e8d7c64c1f0"
MODES: dict[str, dict[str, Any]] = {
    "cookie": {},
    "list": {"SESSION_REVOCATIONS": "sqlite:///{folder}/revoked.db"},
    "store": {"SESSION_STORE": "sqlite:///{folder}/sessions.db"},
    "hybrid": {"SESSION_STORE": "sqlite:///{folder}/sessions.db", "SESSION_MODE": "hybrid"},
}
MIDDLEWARE = {
    "own": "django.contrib.sessions.middleware.SessionMiddleware",
    "ours": "coatcheck.django.SessionMiddleware",
}


def configure(mode: str, middleware: str, folder: str) -> None:
    settings.configure(
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
        MIDDLEWARE=[MIDDLEWARE[middleware], "django.contrib.auth.middleware.AuthenticationMiddleware"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/users.db"}},
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        SESSION_ENGINE="coatcheck.django",
        **{name: value.format(folder=folder) for name, value in MODES[mode].items()},
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def view(action: Any) -> Any:
    def run(request: HttpRequest) -> JsonResponse:
        action(request)
        return JsonResponse({})

    return run


def sign_in(request: HttpRequest) -> None:
    from django.contrib.auth import authenticate, login

    user = authenticate(request, username=request.GET["name"], password=request.GET.get("password", "one"))
    assert user is not None
    login(request, user)


async def asign_in(request: HttpRequest) -> JsonResponse:
    from django.contrib.auth import aauthenticate, alogin

    user = await aauthenticate(request, username=request.GET["name"], password=request.GET.get("password", "one"))
    assert user is not None
    await alogin(request, user)
    return JsonResponse({})


async def asign_out(request: HttpRequest) -> JsonResponse:
    from django.contrib.auth import alogout

    await alogout(request)
    return JsonResponse({})


def sign_out(request: HttpRequest) -> None:
    from django.contrib.auth import logout

    logout(request)


def change_password(request: HttpRequest) -> None:
    from django.contrib.auth import update_session_auth_hash

    request.user.set_password("two")
    request.user.save()
    update_session_auth_hash(request, request.user)  # type: ignore[arg-type]


def keep(request: HttpRequest) -> None:
    request.session["basket"] = "full"


def me(request: HttpRequest) -> JsonResponse:
    # The session alone: Django's own check of the password asks for the user.
    return JsonResponse({"known": request.session.user_id, "basket": request.session.get("basket")})  # type: ignore[attr-defined]


def user(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"user": request.user.get_username() or None})


urlpatterns = [
    *(path(f"{action.__name__}/", view(action)) for action in (sign_in, sign_out, change_password, keep)),
    *(path(f"{page.__name__}/", page) for page in (asign_in, asign_out, me, user)),
]


def copy_of(client: Client) -> Client:
    other = Client()
    other.cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
    return other


def get(client: Client, page: str, **query: str) -> Any:
    answer = client.get(f"/{page}/", query, HTTP_USER_AGENT="Browser/1")
    assert answer.status_code == 200, (page, answer.status_code)
    return answer.json()


def check(mode: str) -> None:
    from django.contrib.auth.models import User
    from django.test.utils import override_settings

    from coatcheck import UsageError
    from coatcheck.django import revoke, sessions_of

    ids = {name: str(User.objects.create_user(name, password="one").pk) for name in ("ann", "bob")}
    remembers = mode != "cookie"
    here, there = Client(), Client()
    get(here, "keep")
    planted = copy_of(here)
    get(here, "sign_in", name="ann")
    get(there, "sign_in", name="ann")
    assert get(here, "me") == {"known": ids["ann"], "basket": "full"}
    assert get(planted, "me") == {"known": None, "basket": None if remembers else "full"}
    sys.stdout.write("login\n")
    if remembers:
        infos = sessions_of(ids["ann"])
        assert [(info.ip, info.user_agent) for info in infos] == [("127.0.0.1", "Browser/1")] * 2
        assert not revoke(infos[0].handle, user_id=ids["bob"])
    else:
        try:
            sessions_of(ids["ann"])
        except UsageError:
            pass
        else:
            raise AssertionError
    sys.stdout.write("list\n")
    override_settings(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=[SECRET]).enable()
    # Django gives the session a new hash. It is no new password.
    assert get(here, "user") == {"user": "ann"}
    assert get(there, "me")["known"] == ids["ann"]
    sys.stdout.write("key\n")
    get(here, "change_password")
    assert get(here, "me")["known"] == ids["ann"]
    assert get(there, "me")["known"] == (None if remembers else ids["ann"])
    assert get(there, "user") == {"user": None}
    assert get(here, "user") == {"user": "ann"}
    sys.stdout.write("password\n")
    copied = copy_of(here)
    get(here, "sign_out")
    assert get(here, "me") == {"known": None, "basket": None}
    assert get(copied, "me")["known"] == (None if remembers else ids["ann"])
    sys.stdout.write("logout\n")
    get(here, "sign_in", name="ann", password="two")
    get(here, "keep")
    get(here, "sign_in", name="bob")
    assert get(here, "me") == {"known": ids["bob"], "basket": None}
    sys.stdout.write("another\n")


async def acheck(mode: str, ann: str) -> None:
    from coatcheck.django import arevoke_user, asessions_of

    client = AsyncClient()
    await client.get("/asign_in/", {"name": "ann", "password": "two"})
    assert (await client.get("/me/")).json()["known"] == ann
    if mode != "cookie":
        assert [info.ip for info in await asessions_of(ann)] == ["127.0.0.1"]
        assert await arevoke_user(ann) == 1
        assert (await client.get("/me/")).json()["known"] is None
        await client.get("/asign_in/", {"name": "ann", "password": "two"})
    await client.get("/asign_out/")
    assert (await client.get("/me/")).json()["known"] is None
    sys.stdout.write("async\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        configure(sys.argv[1], sys.argv[2], str(Path(folder)))
        from django.db import connections

        check(sys.argv[1])
        from django.contrib.auth.models import User

        asyncio.run(acheck(sys.argv[1], str(User.objects.get(username="ann").pk)))
        connections.close_all()
