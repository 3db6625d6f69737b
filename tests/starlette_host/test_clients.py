"""Starlette's test client, with a new event loop for each request, and with one for all."""

from __future__ import annotations

from collections.abc import Iterator
from gc import collect
from typing import Any
from warnings import catch_warnings, simplefilter

import pytest
from kit import SECRET
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette_host.conftest import Browse

from coatcheck.asgi import SessionMiddleware


async def count(request: Request) -> JSONResponse:
    request.session["count"] = request.session.get("count", 0) + 1
    return JSONResponse(dict(request.session))


def shop(**options: Any) -> Starlette:
    middleware = [Middleware(SessionMiddleware, secret_key=SECRET, **options)]
    return Starlette(routes=[Route("/count", count)], middleware=middleware)


@pytest.fixture
def _closed_loops() -> Iterator[None]:
    """For connections to a server whose event loop is gone, and which nobody can close but the garbage collector."""
    with catch_warnings():
        simplefilter("ignore", ResourceWarning)
        yield
        collect()


def counted(client: TestClient, times: int = 3) -> list[int]:
    return [client.get("/count").json()["count"] for _ in range(times)]


@pytest.mark.usefixtures("_closed_loops")
def test_each_request_may_have_an_event_loop_of_its_own(browse: Browse, place: dict[str, Any]) -> None:
    assert counted(browse(shop(**place))) == [1, 2, 3]


def test_all_requests_may_share_one_event_loop(browse: Browse, place: dict[str, Any]) -> None:
    with browse(shop(**place)) as client:
        assert counted(client) == [1, 2, 3]


def test_an_application_may_be_ended_and_begun_again(browse: Browse, place: dict[str, Any]) -> None:
    """As the tests of an application do, one after the other."""
    app = shop(**place)
    for _ in range(2):
        with browse(app) as client:
            assert counted(client) == [1, 2, 3]


@pytest.mark.usefixtures("_closed_loops")
def test_loops_of_one_request_may_follow_the_one_of_many(browse: Browse, place: dict[str, Any]) -> None:
    app = shop(**place)
    with browse(app) as client:
        assert counted(client, 1) == [1]
    assert counted(browse(app)) == [1, 2, 3]


@pytest.mark.usefixtures("_closed_loops")
def test_two_clients_have_two_sessions(browse: Browse, place: dict[str, Any]) -> None:
    app = shop(**place)
    one, other = browse(app), browse(app)
    assert (counted(one), counted(other, 1)) == ([1, 2, 3], [1])


def test_sealed_sessions_need_no_asyncio(browse: Browse) -> None:
    assert counted(browse(shop(), backend="trio")) == [1, 2, 3]
