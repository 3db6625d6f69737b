"""A subclass of the interface chooses by the request what the configuration says once for all."""

from __future__ import annotations

import os

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from coatcheck import Event, Reason
from coatcheck.flask import CoatcheckSessionInterface


class ByPath(CoatcheckSessionInterface):
    """Two sessions in one application: the one of the office, and the one of everybody."""

    def get_cookie_name(self, app: Flask) -> str:
        return "office" if request.args.get("in") == "office" else "session"


class ByHost(CoatcheckSessionInterface):
    def get_cookie_domain(self, app: Flask) -> str | None:
        return request.host if request.host.startswith("shared.") else None

    def get_cookie_path(self, app: Flask) -> str:
        return "/" + request.path.split("/")[1]

    def get_cookie_samesite(self, app: Flask) -> str | None:
        return "Strict" if "strict" in request.host else None

    def get_cookie_secure(self, app: Flask) -> bool:
        return "secure" in request.host

    def get_cookie_httponly(self, app: Flask) -> bool:
        return "scripts" not in request.host


def attributes(client: FlaskClient, host: str) -> set[str]:
    response = client.get("/keep/user/ada", base_url=f"http://{host}")
    return set(response.headers["Set-Cookie"].split("; ")[1:])


@pytest.fixture
def office(app: Flask) -> FlaskClient:
    app.session_interface = ByPath()
    return app.test_client()


def test_one_application_may_have_two_cookies(office: FlaskClient) -> None:
    office.get("/keep/user/ada")
    office.get("/keep/user/bob?in=office")
    assert office.get("/read").json == {"user": "ada"}
    assert office.get("/read?in=office").json == {"user": "bob"}


def test_clearing_one_of_two_sessions_leaves_the_other(office: FlaskClient) -> None:
    office.get("/keep/user/ada")
    office.get("/keep/user/bob?in=office")
    office.get("/clear")
    assert office.get_cookie("session") is None
    assert office.get("/read?in=office").json == {"user": "bob"}


def test_a_cookie_does_not_open_under_the_other_name(office: FlaskClient) -> None:
    office.get("/keep/user/ada")
    cookie = office.get_cookie("session")
    assert cookie is not None
    office.set_cookie("office", cookie.value)
    assert office.get("/read?in=office").json == {}


def test_a_subclass_still_follows_the_configuration(app: Flask) -> None:
    app.session_interface = ByPath()
    client = app.test_client()
    client.get("/keep/user/ada")
    app.config["SECRET_KEY"] = os.urandom(24)
    assert client.get("/read").json == {}


def test_every_getter_of_flask_may_be_overridden(app: Flask) -> None:
    app.session_interface = ByHost()
    client = app.test_client()
    usual = {"HttpOnly", "Path=/keep", "SameSite=Lax"}
    assert attributes(client, "plain.example") == usual
    assert attributes(client, "shared.example") == usual | {"Domain=shared.example"}
    assert attributes(client, "strict.example") == usual - {"SameSite=Lax"} | {"SameSite=Strict"}
    assert attributes(client, "secure.example") == usual | {"Secure"}
    assert attributes(client, "scripts.example") == usual - {"HttpOnly"}


def test_a_partitioned_cookie_may_be_chosen_by_a_subclass(app: Flask) -> None:
    class Embedded(CoatcheckSessionInterface):
        def get_cookie_partitioned(self, app: Flask) -> bool:
            return True

    app.config["SESSION_COOKIE_SECURE"] = True
    app.session_interface = Embedded()
    assert "Partitioned" in attributes(app.test_client(), "plain.example")


def test_more_names_than_an_interface_remembers_still_work(app: Flask) -> None:
    class ByTenant(CoatcheckSessionInterface):
        def get_cookie_name(self, app: Flask) -> str:
            return "session-" + request.args.get("tenant", "none")

    app.session_interface = ByTenant()
    client = app.test_client()
    tenants = [f"t{number}" for number in range(40)]
    for tenant in tenants:
        client.get(f"/keep/tenant/{tenant}?tenant={tenant}")
    for tenant in tenants:
        assert client.get(f"/read?tenant={tenant}").json == {"tenant": tenant}


def test_a_subclass_reads_the_options_of_this_library_from_the_configuration(app: Flask) -> None:
    now = 1_800_000_000
    events: list[Event] = []
    app.config.update(SESSION_ABSOLUTE_LIFETIME=60, SESSION_CLOCK=lambda: now, SESSION_ON_EVENT=events.append)
    app.session_interface = ByPath()
    client = app.test_client()
    response = client.get("/stay/user/ada?in=office")
    assert response.headers["Set-Cookie"].startswith("office=")
    assert "; Max-Age=60;" in response.headers["Set-Cookie"]
    now += 61
    assert client.get("/read?in=office").json == {}
    assert [event.reason for event in events] == [None, Reason.TOO_OLD]
