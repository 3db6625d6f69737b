"""What is particular to each framework that the page is mounted in."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_login import LoginManager, UserMixin, login_user
from flask_wtf import CSRFProtect  # type: ignore[import-untyped]
from kit import SECRET
from pages.guest import LIST, Guest, Page, call_wsgi, calling_asgi
from pages.sites import django_site, flask_site
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from coatcheck import UsageError
from coatcheck.asgi import SessionMiddleware
from coatcheck.flask import Coatcheck, session
from coatcheck.pages.flask import sessions_page as flask_page
from coatcheck.pages.starlette import sessions_page as starlette_page
from coatcheck.stores.memory import MemoryStore

NOWHERE = "nothing remembers which sessions a user has"
HERE = "Firefox on Windows"


# Flask


def test_flask_says_at_registration_that_there_is_no_list() -> None:
    with pytest.raises(UsageError, match=NOWHERE):
        flask_site.make({})


def test_flask_says_with_the_first_request_what_it_could_not_know_before() -> None:
    app = Flask(__name__)
    app.testing = True
    app.register_blueprint(flask_page(), url_prefix="/account/sessions")
    client = app.test_client()
    with pytest.raises(UsageError, match="there is no session: the application needs"):
        client.get(LIST)
    app.config["SECRET_KEY"] = SECRET
    with pytest.raises(UsageError, match="there is no session: the application needs"):
        client.get(LIST)
    Coatcheck(app, store="memory://")
    assert client.get(LIST).status_code == 401


def test_flask_names_its_endpoint() -> None:
    app = flask_site.make({"name": "devices"}, store="memory://")
    with app.test_request_context():
        assert app.url_for("devices.page") == LIST


def test_the_address_may_have_parts_that_vary_in_flask() -> None:
    app = flask_site.make({}, store="memory://")
    app.register_blueprint(flask_page("other"), url_prefix="/<shop>/sessions")
    client = app.test_client()
    client.get("/login?user=ada")
    page = Page(client.get("/figs%20&c/sessions/").text)
    answer = client.post("/figs%20&c/sessions/", data={"csrf": page.csrf, "end": "others"})
    assert answer.headers["Location"] == "/figs%20&c/sessions/"


def test_the_forms_of_the_page_pass_where_flask_wtf_checks_all_forms() -> None:
    app = flask_site.make({}, store="memory://")
    CSRFProtect(app)
    guest = Guest(call_wsgi(app)).sign_in()
    page = guest.get().page
    fields = {field["name"]: field["value"] for field, _ in page.find("input")}
    assert set(fields) == {"csrf", "csrf_token"}
    assert guest.post({"csrf": fields["csrf"], "end": "others"}).status == 400
    assert guest.post({"csrf_token": fields["csrf_token"], "end": "others"}).status == 403
    assert guest.post({**fields, "end": "others"}).status == 303


class Ada(UserMixin):  # type: ignore[misc]  # as above
    id = "ada"


def test_flask_login_forgets_whom_it_remembers_when_the_page_signs_out_here() -> None:
    app = flask_site.make({}, store="memory://")
    manager = LoginManager(app)
    manager.user_loader(lambda _: Ada())

    @app.get("/remember")
    def remember() -> str:
        login_user(Ada(), remember=True)
        session.login("ada", keep=session.keys())
        return "in"

    guest = Guest(call_wsgi(app))
    guest.get("/remember")
    assert set(guest.cookies) == {"session", "remember_token"}
    guest.press(guest.get().page.handle_of(HERE))
    assert "remember_token" not in guest.cookies
    assert guest.greeting.startswith("nobody")


# Starlette


async def sign_in(request: Request) -> Response:
    session: Any = request.session
    session.login("ada")
    return PlainTextResponse("in")


def starlette_app(**options: Any) -> Starlette:
    routes = [Route("/login", sign_in), Mount("/account/sessions", starlette_page(**options))]
    return Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, SECRET, store=MemoryStore())])


def test_the_router_is_one_of_starlette_without_fastapi() -> None:
    with calling_asgi(starlette_app()) as call:
        guest = Guest(call)
        assert guest.get().status == 401
        guest.get("/login")
        assert len(guest.get().page.cards) == 1
        assert guest.get("/account/sessions")["Location"].endswith(LIST)


def test_the_page_leads_back_to_itself_below_another_path() -> None:
    app = starlette_app()
    with calling_asgi(Starlette(routes=[Mount("/shop", app)])) as call:
        guest = Guest(call)
        guest.get("/shop/login")
        page = guest.get(f"/shop{LIST}").page
        body = f"csrf={page.csrf}&end=others".encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        assert guest.ask("POST", f"/shop{LIST}", body, **kind)["Location"] == f"/shop{LIST}"


def test_the_page_leads_back_to_itself_where_its_path_is_of_any_language() -> None:
    routes = [Route("/login", sign_in), Mount("/账户", starlette_page())]
    app = Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, SECRET, store=MemoryStore())])
    with calling_asgi(app) as call:
        guest = Guest(call)
        guest.get("/login")
        page = guest.get("/账户/").page
        body = f"csrf={page.csrf}&end=others".encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        assert guest.ask("POST", "/账户/", body, **kind)["Location"] == "/%E8%B4%A6%E6%88%B7/"


def test_a_resolver_may_be_awaited_in_asyncio() -> None:
    async def place(address: str) -> str:
        return f"near {address}"

    with calling_asgi(starlette_app(place=place)) as call:
        guest = Guest(call)
        guest.get("/login")
        (card,) = guest.get().page.cards
        assert "Place near 203.0.113.7 Address" in card.text


def test_starlette_says_that_the_middleware_is_missing() -> None:
    app = Starlette(routes=[Mount("/account/sessions", starlette_page())])
    with calling_asgi(app) as call, pytest.raises(UsageError, match="add_middleware"):
        Guest(call).get()


# Django


def test_django_says_with_its_urls_that_there_is_no_list() -> None:
    with ExitStack() as stack, pytest.raises(UsageError, match=NOWHERE):
        stack.enter_context(django_site.making({}))


def test_django_leads_guests_to_the_address_of_its_settings() -> None:
    with django_site.making({}, store=MemoryStore(), LOGIN_URL="/enter/") as app:
        assert Guest(call_wsgi(app)).get()["Location"] == "/enter/"


def test_django_chooses_the_language_where_it_has_a_middleware_for_it() -> None:
    middleware = ("coatcheck.django.SessionMiddleware", "django.middleware.locale.LocaleMiddleware")
    settings = {"MIDDLEWARE": middleware, "LANGUAGES": [("zh-hans", "中文"), ("fr", "français")], "USE_I18N": True}
    with django_site.making({}, store=MemoryStore(), LANGUAGE_CODE="zh-hans", **settings) as app:
        page = Guest(call_wsgi(app), language="en").sign_in().get().page
        assert page.texts("h1") == ["已登录的设备"]
        # What the page does not speak, it leaves to the browser.
        page = Guest(call_wsgi(app), language="fr,en;q=0.5").sign_in().get().page
        assert page.texts("h1") == ["Where you are signed in"]


def test_django_says_that_its_sessions_are_others() -> None:
    with (
        django_site.making(
            {},
            SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
            MIDDLEWARE=("django.contrib.sessions.middleware.SessionMiddleware",),
            DEBUG_PROPAGATE_EXCEPTIONS=True,
        ) as app,
        pytest.raises(UsageError, match="SESSION_ENGINE"),
    ):
        Guest(call_wsgi(app)).get()


def test_django_signs_its_own_users_out() -> None:
    # In a process of its own: Django takes its applications but once.
    tests = Path(__file__).parents[1]
    command = [sys.executable, "-W", "error", str(tests / "pages" / "sites" / "django_users.py")]
    subprocess.run(command, check=True, timeout=60, env={**os.environ, "PYTHONPATH": str(tests)})
