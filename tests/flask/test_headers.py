"""What a response says to caches, and the cookies in it."""

from __future__ import annotations

import pytest
from flask import Flask, Response, make_response, request
from flask.testing import FlaskClient

from coatcheck.flask import Coatcheck, session


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Views that say `Vary` and `Cache-Control` as they are asked to, and look at the session or change it."""
    Coatcheck(app)

    @app.get("/look")
    def look() -> Response:
        session.get("user")
        return answer()

    @app.get("/change")
    def change() -> Response:
        session["user"] = session.get("user", "") + "a"
        return answer()

    def answer() -> Response:
        response = make_response("page")
        for name in ("Vary", "Cache-Control"):
            for value in request.args.getlist(name):
                response.headers.add(name, value)
        return response

    return app.test_client()


@pytest.mark.parametrize("page", ["/look", "/change"])
@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ([], ["Cookie"]),
        (["Accept-Encoding"], ["Accept-Encoding, Cookie"]),
        (["Accept, Accept-Language"], ["Accept, Accept-Language, Cookie"]),
        (["Accept", "Accept-Language"], ["Accept, Accept-Language, Cookie"]),
        (["*"], ["*"]),
        (["Accept, *"], ["Accept, *"]),
        (["Accept", "*"], ["Accept", "*"]),
        (["Cookie"], ["Cookie"]),
        (["cookie"], ["cookie"]),
        (["Accept,COOKIE ,Origin"], ["Accept,COOKIE ,Origin"]),
        (["Accept", "cookie"], ["Accept", "cookie"]),
        (["X-Cookie"], ["X-Cookie, Cookie"]),
        ([""], ["Cookie"]),
    ],
)
def test_vary_is_merged_with_what_the_application_says(
    client: FlaskClient, page: str, said: list[str], sent: list[str]
) -> None:
    assert client.get(page, query_string={"Vary": said}).headers.getlist("Vary") == sent


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ([], ["no-store"]),
        (["public, max-age=60"], ["no-store"]),
        (["public", "max-age=60"], ["no-store"]),
        (["no-cache"], ["no-store"]),
        (["no-store"], ["no-store"]),
        (["private, no-store"], ["private, no-store"]),
        (["NO-STORE"], ["NO-STORE"]),
        (["private", "no-store"], ["private", "no-store"]),
    ],
)
def test_a_response_with_our_cookie_is_not_to_be_stored(client: FlaskClient, said: list[str], sent: list[str]) -> None:
    response = client.get("/change", query_string={"Cache-Control": said})
    assert "Set-Cookie" in response.headers
    assert response.headers.getlist("Cache-Control") == sent


def test_a_response_that_only_depends_on_the_session_may_be_stored_as_the_application_says(client: FlaskClient) -> None:
    response = client.get("/look", query_string={"Cache-Control": "private, max-age=60"})
    assert response.headers.getlist("Cache-Control") == ["private, max-age=60"]
    assert "Cache-Control" not in client.get("/look").headers


def test_a_deletion_is_not_to_be_stored_either(client: FlaskClient) -> None:
    client.get("/change")
    headers = client.get("/clear").headers
    assert headers["Cache-Control"] == "no-store" and headers["Vary"] == "Cookie"


def test_a_response_has_one_cookie_of_ours_however_often_the_session_changes(client: FlaskClient) -> None:
    @client.application.after_request
    def again(response: Response) -> Response:
        session["again"] = True
        session.permanent = True
        return response

    @client.application.get("/much")
    def much() -> str:
        for number in range(5):
            session[f"key{number}"] = number
        session.clear()
        session["end"] = 1
        session.regenerate()
        return ""

    assert len(client.get("/much").headers.getlist("Set-Cookie")) == 1


def test_the_cookies_of_the_application_are_left_as_they_are(client: FlaskClient) -> None:
    @client.application.get("/cookies")
    def cookies() -> Response:
        session["user"] = "ada"
        response = make_response("")
        response.set_cookie("theme", "dark", max_age=60, samesite="Strict")
        response.set_cookie("sessions", "other")
        response.delete_cookie("old")
        return response

    theme, sessions, old, ours = client.get("/cookies").headers.getlist("Set-Cookie")
    assert theme.startswith("theme=dark; ") and "SameSite=Strict" in theme
    assert sessions == "sessions=other; Path=/"
    assert old.startswith("old=; ")
    assert ours.startswith("session=")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"SESSION_COOKIE_NAME": "sid"},
        {"SESSION_COOKIE_PATH": "/shop"},
        {"SESSION_COOKIE_DOMAIN": "shop.example"},
        {"SESSION_COOKIE_SECURE": True},
        {"SESSION_COOKIE_HTTPONLY": False},
        {"SESSION_COOKIE_SAMESITE": "Strict"},
        {"SESSION_COOKIE_SAMESITE": False},
        {"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_SECURE": True},
        {"SESSION_COOKIE_PARTITIONED": True, "SESSION_COOKIE_SECURE": True},
        {"SESSION_COOKIE_NAME": "__Host-sid", "SESSION_COOKIE_SECURE": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_cookie_is_deleted_with_the_attributes_that_it_was_set_with(
    app: Flask, client: FlaskClient, config: dict[str, object], scheme: str
) -> None:
    app.config.update(config)
    bare = app.test_client(use_cookies=False)
    base_url = f"{scheme}://shop.example"
    name_and_value, *attributes = bare.get("/change", base_url=base_url).headers["Set-Cookie"].split("; ")
    deletion = bare.get("/clear", base_url=base_url, headers={"Cookie": name_and_value}).headers["Set-Cookie"]
    name, *rest = deletion.split("; ")
    assert name == name_and_value.partition("=")[0] + "="
    assert set(rest) == {*attributes, "Expires=Thu, 01 Jan 1970 00:00:00 GMT", "Max-Age=0"}


def test_a_browser_session_is_deleted_like_a_permanent_one(client: FlaskClient) -> None:
    client.get("/stay/user/ada")
    permanent = client.get("/clear").headers["Set-Cookie"]
    client.get("/keep/user/ada")
    assert client.get("/clear").headers["Set-Cookie"] == permanent
    assert client.get_cookie("session") is None


def test_clearing_what_is_not_there_deletes_nothing(client: FlaskClient) -> None:
    assert "Set-Cookie" not in client.get("/clear").headers


def test_clearing_deletes_a_cookie_that_is_rubbish(client: FlaskClient) -> None:
    client.set_cookie("session", "rubbish")
    client.get("/clear")
    assert client.get_cookie("session") is None


def test_an_answer_that_is_not_modified_still_varies(client: FlaskClient) -> None:
    @client.application.get("/tagged")
    def tagged() -> Response:
        response = make_response(str(session.get("user")))
        response.add_etag()
        response.make_conditional(request)
        return response

    tag = client.get("/tagged").headers["ETag"]
    response = client.get("/tagged", headers={"If-None-Match": tag})
    assert response.status_code == 304 and response.headers["Vary"] == "Cookie"
