"""The call that Starlette's users write, with what they write into it."""

from __future__ import annotations

import json
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kit import OTHER_SECRET, SECRET, attributes
from pydantic import SecretBytes, SecretStr
from starlette.applications import Starlette
from starlette.config import Config
from starlette.datastructures import Secret
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware as StarlettesOwn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette_host.conftest import Browse

import coatcheck
from coatcheck import UsageError
from coatcheck.asgi import SessionMiddleware
from coatcheck.testing import Clock

PACKAGE = str(Path(coatcheck.__file__).parent)
DAY = 24 * 60 * 60


def put(request: Request) -> JSONResponse:
    request.session["user"] = "ann"
    return JSONResponse({"session": request.session})


def look(request: Request) -> JSONResponse:
    return JSONResponse(request.session)


def end(request: Request) -> JSONResponse:
    request.session.clear()
    return JSONResponse(request.session)


def shop(secret_key: Any = SECRET, *, keeper: Any = SessionMiddleware, **options: Any) -> Starlette:
    routes = [Route("/put", put), Route("/look", look), Route("/end", end)]
    return Starlette(routes=routes, middleware=[Middleware(keeper, secret_key=secret_key, **options)])


def cookie(client: TestClient, path: str = "/put") -> dict[str, str]:
    (header,) = client.get(path).headers.get_list("set-cookie")
    return {name.lower(): value for name, value in attributes(header).items()}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"max-age": "1209600", "path": "/", "samesite": "Lax", "httponly": "", "secure": ""}),
        ({"max_age": 60}, {"max-age": "60"}),
        ({"max_age": timedelta(hours=1)}, {"max-age": "3600"}),
        ({"path": "/shop"}, {"path": "/shop"}),
        ({"domain": "shop.example"}, {"domain": "shop.example"}),
        ({"domain": ".shop.example"}, {"domain": "shop.example"}),
        ({"same_site": "strict"}, {"samesite": "Strict"}),
        ({"same_site": "none", "https_only": True}, {"samesite": "None", "secure": ""}),
        ({"same_site": None}, {"samesite": "Lax"}),
        ({"https_only": True, "partitioned": True}, {"secure": "", "partitioned": ""}),
    ],
    ids=str,
)
def test_each_option_says_what_it_says_in_starlette(
    browse: Browse, options: dict[str, Any], expected: dict[str, str]
) -> None:
    found = cookie(browse(shop(**options)))
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("options", "absent"),
    [
        ({"max_age": None}, {"max-age", "expires"}),
        ({"https_only": False}, {"secure"}),
        ({}, {"domain", "partitioned"}),
    ],
    ids=str,
)
def test_what_is_not_wanted_is_left_out(browse: Browse, options: dict[str, Any], absent: set[str]) -> None:
    assert not absent & cookie(browse(shop(**options))).keys()


def test_it_is_secure_exactly_when_the_request_came_by_https(browse: Browse) -> None:
    app = shop()
    assert "secure" in cookie(browse(app))
    assert "secure" not in cookie(browse(app, base_url="http://shop.example"))


def test_the_options_may_stand_in_their_order(browse: Browse) -> None:
    bare = Starlette(routes=[Route("/put", put)])
    app = SessionMiddleware(bare, SECRET, "sid", 60, "/", "strict", True, "shop.example", True)
    client = browse(app)
    found = cookie(client)
    assert list(client.cookies) == ["sid"]
    assert (found["max-age"], found["samesite"], found["domain"]) == ("60", "Strict", "shop.example")
    assert found.keys() >= {"secure", "partitioned"}


def test_our_options_go_with_starlettes(browse: Browse) -> None:
    clock = Clock()
    client = browse(shop(clock=clock, absolute_lifetime=DAY))
    client.get("/put")
    clock.advance(DAY)
    assert client.get("/look").json() == {"user": "ann"}
    clock.advance(1)
    assert client.get("/look").json() == {}


def test_a_session_lives_so_long_unseen_and_being_seen_extends_its_life(browse: Browse) -> None:
    """Starlette's own ends so long after its last change, however often it is used."""
    clock = Clock()
    client = browse(shop(clock=clock, max_age=60))
    client.get("/put")
    for _ in range(3):
        clock.advance(59)
        assert client.get("/look").json() == {"user": "ann"}
    clock.advance(61)
    assert client.get("/look").json() == {}


def test_a_session_without_max_age_ends_on_the_server_too(browse: Browse) -> None:
    clock = Clock()
    client = browse(shop(clock=clock, max_age=None))
    client.get("/put")
    clock.advance(31 * DAY + 1)
    assert client.get("/look").json() == {}


@pytest.mark.parametrize(
    "secret",
    [SECRET, SECRET.encode(), Secret(SECRET), SecretStr(SECRET), SecretBytes(SECRET.encode())],
    ids=["text", "bytes", "Secret", "SecretStr", "SecretBytes"],
)
def test_a_key_may_be_text_bytes_or_a_secret_of_a_configuration(browse: Browse, secret: Any) -> None:
    client = browse(shop(secret))
    client.get("/put")
    same = browse(shop(SECRET), cookies=dict(client.cookies))
    assert same.get("/look").json() == {"user": "ann"}


def test_a_key_may_come_from_the_environment(browse: Browse) -> None:
    config = Config(environ={"SECRET_KEY": SECRET, "OLD_KEY": OTHER_SECRET})
    options = {"secret_key_fallbacks": [config("OLD_KEY", cast=Secret)]}
    old, new = shop(OTHER_SECRET), shop(config("SECRET_KEY", cast=Secret), **options)
    client = browse(old)
    client.get("/put")
    moved = browse(new, cookies=dict(client.cookies))
    assert moved.get("/look").json() == {"user": "ann"}


def test_a_session_of_starlettes_own_is_an_empty_one_and_is_replaced(browse: Browse) -> None:
    own = browse(shop(keeper=StarlettesOwn))
    own.get("/put")
    client = browse(shop(), cookies=dict(own.cookies))
    assert client.get("/look").json() == {}
    client.get("/put")
    assert client.get("/look").json() == {"user": "ann"}


def test_the_session_is_a_dict_for_whoever_asks(browse: Browse) -> None:
    def ask(request: Request) -> JSONResponse:
        session = request.session
        return JSONResponse([isinstance(session, dict), json.dumps(session), {**session}, sorted(session)])

    app = shop()
    app.add_route("/ask", ask)
    client = browse(app)
    client.get("/put")
    assert client.get("/ask").json() == [True, '{"user": "ann"}', {"user": "ann"}, ["user"]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret_key": "kestrel-osprey"},
        {"secret_key": ""},
        {"secret_key": None, "allow_weak_key": True},
        {"secret_key": SecretStr("kestrel-osprey")},
        {"secret_key": "kestrel-osprey-kite-harrier", "max_age": 0},
        {"secret_key": "kestrel-osprey-kite-harrier", "same_site": "sometimes"},
        {"secret_key": "kestrel-osprey-kite-harrier", "same_site": "none", "https_only": False},
        {"secret_key": "kestrel-osprey-kite-harrier", "nonsense": True},
        {"secret_key": "kestrel-osprey-kite-harrier", "store": "nosuch://kestrel:osprey@there"},
        {"secret_key": Secret("kestrel-osprey")},
        {"secret_key": "kestrel-osprey-kite-harrier", "secret_key_fallbacks": ["osprey"]},
    ],
    ids=",".join,
)
def test_what_cannot_be_right_is_said_at_once_and_shows_no_key(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        SessionMiddleware(Starlette(), **wrong)
    report: Any = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert report.__cause__ is None
    shown = [str(caught.value)]
    while report is not None:
        shown += [str(frame.locals) for frame in report.stack if frame.filename.startswith(PACKAGE)]
        report = report.__context__
    assert len(shown) > 1
    for secret in ("kestrel", "osprey"):
        assert secret not in "".join(shown)


def test_the_middleware_shows_no_key() -> None:
    middleware = SessionMiddleware(Starlette(), SECRET)
    assert SECRET not in repr(middleware) + repr(vars(middleware))
