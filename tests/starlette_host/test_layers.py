"""Mounted applications, other middleware above and below, and several of ours."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest
from kit import OTHER_SECRET, SECRET
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware as StarletteSessions
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette_host.conftest import Browse

from coatcheck import UsageError
from coatcheck.asgi import SessionMiddleware

Next = Callable[[Request], Awaitable[Response]]


def put(request: Request) -> Response:
    request.session[request.path_params["key"]] = "set"
    return PlainTextResponse("put")


def look(request: Request) -> Response:
    return PlainTextResponse(" ".join(sorted(request.session)))


def plain(request: Request) -> Response:
    return PlainTextResponse("nobody looks")


ROUTES = [Route("/put/{key}", put), Route("/look", look), Route("/plain", plain)]


def ours(**options: Any) -> Middleware:
    return Middleware(SessionMiddleware, **{"secret_key": SECRET, **options})


# Mounts


def test_a_mounted_application_has_the_session_of_the_one_above(browse: Browse, storage: dict[str, Any]) -> None:
    shop = Starlette(routes=[*ROUTES, Mount("/admin", Starlette(routes=ROUTES))], middleware=[ours(**storage)])
    with browse(shop) as client:
        client.get("/put/above")
        assert client.get("/admin/look").text == "above"
        client.get("/admin/put/below")
        assert client.get("/look").text == "above below"


def test_a_mounted_application_may_have_sessions_of_its_own(browse: Browse) -> None:
    admin = Starlette(routes=ROUTES, middleware=[ours(session_cookie="admin", path="/admin")])
    shop = Starlette(routes=[*ROUTES, Mount("/admin", admin)], middleware=[ours()])
    client = browse(shop)
    client.get("/put/above")
    (cookie,) = client.get("/admin/put/below").headers.get_list("set-cookie")
    assert cookie.startswith("admin=") and "Path=/admin;" in cookie
    assert client.get("/look").text == "above"
    assert client.get("/admin/look").text == "below"


def test_below_two_of_the_same_name_only_the_inner_one_speaks(browse: Browse, storage: dict[str, Any]) -> None:
    admin = Starlette(routes=ROUTES, middleware=[ours(secret_key=OTHER_SECRET, **storage)])
    shop = Starlette(routes=[*ROUTES, Mount("/admin", admin)], middleware=[ours(**storage)])
    with browse(shop) as client:
        (cookie,) = client.get("/admin/put/below").headers.get_list("set-cookie")
        assert cookie.startswith("session=")
        assert client.get("/admin/look").text == "below"
        assert client.get("/look").text == ""


def test_two_in_one_stack_keep_two_sessions(browse: Browse) -> None:
    class Between:
        """Uses the outer session, which the inner one hides from the pages."""

        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope["session"]["visits"] = scope["session"].get("visits", 0) + 1
                scope["visits"] = scope["session"]["visits"]
            await self.app(scope, receive, send)

    def visits(request: Request) -> Response:
        return PlainTextResponse(f"{request.scope['visits']} {sorted(request.session)}")

    routes = [*ROUTES, Route("/visits", visits)]
    stack = [ours(session_cookie="outer"), Middleware(Between), ours(session_cookie="inner")]
    client = browse(Starlette(routes=routes, middleware=stack))
    cookies = client.get("/put/key").headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["inner", "outer"]
    answer = client.get("/visits")
    assert answer.text == "2 ['key']"
    assert answer.headers.get_list("vary") == ["Cookie"]


# Sessions of another library above or below


def theirs(**options: Any) -> Middleware:
    return Middleware(StarletteSessions, **{"secret_key": OTHER_SECRET, **options})


def test_a_mounted_application_may_have_sessions_of_another_library(
    browse: Browse, storage: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    admin = Starlette(routes=ROUTES, middleware=[theirs(session_cookie="admin", path="/admin")])
    shop = Starlette(routes=[*ROUTES, Mount("/admin", admin)], middleware=[ours(**storage)])
    with browse(shop) as client:
        client.get("/put/above")
        for _ in range(2):
            assert client.get("/admin/plain").headers.get_list("set-cookie") == []
        (cookie,) = client.get("/admin/put/below").headers.get_list("set-cookie")
        assert cookie.startswith("admin=")
        assert [client.get(path).text for path in ("/look", "/admin/look", "/look")] == ["above", "below", "above"]
    (warning,) = [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert "starlette.middleware.sessions.Session" in warning


def test_a_session_of_another_library_above_is_not_told_what_is_in_ours(
    browse: Browse, storage: dict[str, Any]
) -> None:
    members = Starlette(routes=ROUTES, middleware=[ours(**storage)])
    shop = Starlette(routes=[*ROUTES, Mount("/members", members)], middleware=[theirs(session_cookie="old")])
    with browse(shop) as client:
        client.get("/put/above")
        (cookie,) = client.get("/members/put/below").headers.get_list("set-cookie")
        assert cookie.startswith("session=")
        assert [client.get(path).text for path in ("/look", "/members/look")] == ["above", "below"]


@pytest.mark.parametrize("theirs_above", [True, False])
def test_who_has_left_the_old_middleware_beside_ours_loses_no_session(
    browse: Browse, storage: dict[str, Any], theirs_above: bool
) -> None:
    both = [theirs(), ours(**storage)]
    with browse(Starlette(routes=ROUTES, middleware=both if theirs_above else both[::-1])) as client:
        for count in (1, 2, 3):
            cookies = client.get(f"/put/{count}").headers.get_list("set-cookie")
            # The inner one has them, and each is kept once.
            assert len(cookies) <= 1
        assert client.get("/look").text == "1 2 3"


# Starlette's own way to write middleware


def test_a_middleware_below_uses_the_session_before_and_after_the_page(browse: Browse, storage: dict[str, Any]) -> None:
    async def around(request: Request, call_next: Next) -> Response:
        request.session["before"] = True
        response = await call_next(request)
        # Nothing has been sent yet.
        request.session["after"] = True
        return response

    shop = Starlette(routes=ROUTES, middleware=[ours(**storage), Middleware(BaseHTTPMiddleware, dispatch=around)])
    with browse(shop) as client:
        client.get("/put/page")
        assert client.get("/look").text == "after before page"


def test_a_middleware_above_sees_what_is_sent_and_can_change_nothing_any_more(browse: Browse) -> None:
    seen: list[Any] = []

    async def around(request: Request, call_next: Next) -> Response:
        assert "session" not in request.scope
        response = await call_next(request)
        seen.append("set-cookie" in response.headers)
        seen.append(dict(request.session))
        with pytest.raises(UsageError, match="headers of this response are gone"):
            request.session["late"] = True
        return response

    shop = Starlette(routes=ROUTES, middleware=[Middleware(BaseHTTPMiddleware, dispatch=around), ours()])
    client = browse(shop)
    client.get("/put/page")
    assert seen == [True, {"page": "set"}]
    assert client.get("/look").text == "page"


def test_a_page_that_does_not_look_sends_nothing_through_all_of_them(browse: Browse, storage: dict[str, Any]) -> None:
    async def around(request: Request, call_next: Next) -> Response:
        return await call_next(request)

    between = Middleware(BaseHTTPMiddleware, dispatch=around)
    middleware = [between, ours(**storage), between, Middleware(GZipMiddleware)]
    with browse(Starlette(routes=ROUTES, middleware=middleware)) as client:
        client.get("/put/page")
        headers = client.get("/plain").headers
        assert "set-cookie" not in headers
        assert "cookie" not in headers.get("vary", "").lower()


def test_what_compresses_below_and_what_sessions_say_is_one_vary_header(browse: Browse) -> None:
    client = browse(Starlette(routes=ROUTES, middleware=[ours(), Middleware(GZipMiddleware, minimum_size=1)]))
    client.get("/put/key")
    assert client.get("/look").headers.get_list("vary") == ["Accept-Encoding, Cookie"]


# What an application puts in the place of its session


def test_a_dict_in_the_place_of_the_session_becomes_its_content(browse: Browse, storage: dict[str, Any]) -> None:
    def swap(request: Request) -> Response:
        request.scope["session"] = {"new": True}
        return PlainTextResponse("swapped")

    shop = Starlette(routes=[*ROUTES, Route("/swap", swap)], middleware=[ours(**storage)])
    with browse(shop) as client:
        client.get("/put/old")
        client.get("/swap")
        assert client.get("/look").text == "new"


@pytest.mark.parametrize("nothing", [{}, None])
def test_nothing_in_the_place_of_the_session_ends_it(
    browse: Browse, storage: dict[str, Any], nothing: dict[str, Any] | None
) -> None:
    def end(request: Request) -> Response:
        request.scope["session"] = nothing
        return PlainTextResponse("ended")

    shop = Starlette(routes=[*ROUTES, Route("/end", end)], middleware=[ours(**storage)])
    with browse(shop) as client:
        client.get("/put/old")
        copied = dict(client.cookies)
        (cookie,) = client.get("/end").headers.get_list("set-cookie")
        assert "Max-Age=0" in cookie
        assert not client.cookies
        if storage:
            client.cookies.update(copied)
            assert client.get("/look").text == ""


def test_what_is_no_dict_in_the_place_of_the_session_is_an_error(browse: Browse) -> None:
    """It would have ended the session, though somebody meant to keep something."""

    def swap(request: Request) -> Response:
        request.scope["session"] = ["a", "list"]
        return PlainTextResponse("swapped")

    shop = Starlette(routes=[*ROUTES, Route("/swap", swap)], middleware=[ours()])
    client = browse(shop, raise_server_exceptions=False)
    client.get("/put/old")
    answer = client.get("/swap")
    assert (answer.status_code, answer.headers.get_list("set-cookie")) == (500, [])
    assert client.get("/look").text == "old"


def test_a_session_that_was_taken_out_of_the_scope_is_ended(browse: Browse) -> None:
    def forget(request: Request) -> Response:
        del request.scope["session"]
        return PlainTextResponse("forgotten")

    client = browse(Starlette(routes=[*ROUTES, Route("/forget", forget)], middleware=[ours()]))
    client.get("/put/old")
    client.get("/forget")
    assert not client.cookies


def test_what_takes_its_place_when_the_answer_is_gone_is_kept_where_a_store_exists(browse: Browse) -> None:
    def swap(request: Request) -> None:
        request.scope["session"] = {"late": True}

    def page(request: Request) -> Response:
        return PlainTextResponse(str(len(request.session)), background=BackgroundTask(swap, request))

    routes = [*ROUTES, Route("/page", page)]
    with browse(Starlette(routes=routes, middleware=[ours(store="memory:")])) as client:
        client.get("/put/old")
        client.get("/page")
        assert client.get("/look").text == "late"
    client = browse(Starlette(routes=routes, middleware=[ours()]))
    client.get("/put/old")
    with pytest.raises(UsageError, match="headers of this response are gone"):
        client.get("/page")


def test_a_dict_in_the_place_of_the_session_signs_nobody_out(browse: Browse, storage: dict[str, Any]) -> None:
    def login(request: Request) -> Response:
        request.scope["session"].login("ann")
        request.session["old"] = True
        return PlainTextResponse("in")

    def swap(request: Request) -> Response:
        request.scope["session"] = {**request.session, "new": True}
        return PlainTextResponse("swapped")

    def who(request: Request) -> Response:
        return PlainTextResponse(f"{request.scope['session'].user_id} {sorted(request.session)}")

    routes = [Route("/login", login), Route("/swap", swap), Route("/who", who)]
    with browse(Starlette(routes=routes, middleware=[ours(**storage)])) as client:
        client.get("/login")
        client.get("/swap")
        assert client.get("/who").text == "ann ['new', 'old']"
