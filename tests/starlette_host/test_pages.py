"""Each form that a page may have in Starlette and FastAPI, and what they do when the answer is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, cast

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from kit import SECRET
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette_host.conftest import Browse

from coatcheck import Session, UsageError
from coatcheck.asgi import AsyncSession, SessionMiddleware


def look(request: Request) -> Response:
    return PlainTextResponse(str(dict(request.session)))


def shop(page: Any, **options: Any) -> Starlette:
    middleware = [Middleware(SessionMiddleware, secret_key=SECRET, **options)]
    return Starlette(routes=[Route("/page", page), Route("/look", look)], middleware=middleware)


# Forms of a page


def in_a_thread(request: Request) -> Response:
    request.session["user"] = "ann"
    return PlainTextResponse("kept")


async def in_the_loop(request: Request) -> Response:
    request.session["user"] = "ann"
    return PlainTextResponse("kept")


class OfAClass(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        request.session["user"] = "ann"
        return PlainTextResponse("kept")


async def that_redirects(request: Request) -> Response:
    request.session["user"] = "ann"
    return RedirectResponse("/look", 303)


async def that_streams(request: Request) -> Response:
    async def body() -> AsyncIterator[str]:
        yield "kept"

    request.session["user"] = "ann"
    return StreamingResponse(body())


async def that_regenerates(request: Request) -> Response:
    cast(Session, request.session).regenerate()
    request.session["user"] = "ann"
    return PlainTextResponse("kept")


@pytest.mark.parametrize("page", [in_a_thread, in_the_loop, OfAClass, that_redirects, that_streams, that_regenerates])
def test_a_page_of_each_form_keeps_its_session(browse: Browse, storage: dict[str, Any], page: Any) -> None:
    with browse(shop(page, **storage)) as client:
        client.get("/page")
        assert client.get("/look").text == "{'user': 'ann'}"


def test_the_session_is_ours(browse: Browse) -> None:
    found: list[Any] = []

    def page(request: Request) -> Response:
        found.append(request.session)
        return PlainTextResponse("")

    browse(shop(page)).get("/page")
    assert isinstance(found[0], AsyncSession)


# After the answer


def background(late: Callable[[Request], None]) -> Any:
    async def page(request: Request) -> Response:
        request.session.get("user")
        return PlainTextResponse("sent", background=BackgroundTask(late, request))

    return page


def set_late(request: Request) -> None:
    request.session["late"] = True


def test_what_a_background_task_changes_is_kept_where_a_store_exists(browse: Browse) -> None:
    app = shop(background(set_late), store="memory:")
    app.add_route("/put", in_a_thread)
    with browse(app) as client:
        client.get("/put")
        assert client.get("/page").text == "sent"
        assert client.get("/look").text == "{'user': 'ann', 'late': True}"


def test_what_a_background_task_changes_is_an_error_where_none_exists(browse: Browse) -> None:
    with pytest.raises(UsageError, match="headers of this response are gone"):
        browse(shop(background(set_late))).get("/page")


def test_a_background_task_can_read_the_session(browse: Browse, storage: dict[str, Any]) -> None:
    seen: list[Any] = []
    app = shop(background(lambda request: seen.append(dict(request.session))), **storage)
    app.add_route("/put", in_a_thread)
    with browse(app) as client:
        client.get("/put")
        client.get("/page")
    assert seen == [{"user": "ann"}]


# FastAPI


def current_user(connection: HTTPConnection) -> str:
    return str(connection.session.get("user", "nobody"))


def own_session(connection: HTTPConnection) -> Session:
    return cast(Session, connection.session)


User = Annotated[str, Depends(current_user)]
OwnSession = Annotated[Session, Depends(own_session)]


@pytest.fixture
def api(storage: dict[str, Any]) -> FastAPI:
    api = FastAPI()
    api.add_middleware(SessionMiddleware, secret_key=SECRET, **storage)

    @api.get("/login/{user}")
    def login(user: str, session: OwnSession) -> str:
        session.regenerate()
        session["user"] = user
        return session.handle

    @api.get("/me")
    async def me(user: User) -> str:
        return user

    @api.get("/session")
    async def session(request: Request) -> dict[str, Any]:
        return request.session

    @api.get("/late")
    async def late(session: OwnSession, tasks: BackgroundTasks) -> str:
        tasks.add_task(session.update, late=True)
        return str(session["user"])

    @api.websocket("/socket")
    async def socket(socket: WebSocket, user: User) -> None:
        await socket.accept()
        await socket.send_text(user)
        await socket.close()

    return api


def test_a_dependency_has_the_session(browse: Browse, api: FastAPI) -> None:
    with browse(api) as client:
        assert client.get("/me").json() == "nobody"
        handle = client.get("/login/ann").json()
        assert len(handle) in (32, 64)
        assert client.get("/me").json() == "ann"


def test_a_websocket_has_the_session_of_its_handshake(browse: Browse, api: FastAPI) -> None:
    with browse(api) as client:
        client.get("/login/ann")
        # The client sends cookies with Secure to https alone, and knows no wss.
        header = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        with client.websocket_connect("/socket", headers={"cookie": header}) as socket:
            assert socket.receive_text() == "ann"


def test_a_page_may_give_the_session_as_its_answer(browse: Browse, api: FastAPI) -> None:
    with browse(api) as client:
        client.get("/login/ann")
        assert client.get("/session").json() == {"user": "ann"}


def test_background_tasks_follow_the_rule(browse: Browse, api: FastAPI, storage: dict[str, Any]) -> None:
    with browse(api) as client:
        client.get("/login/ann")
        if storage:
            assert client.get("/late").json() == "ann"
            assert client.get("/session").json() == {"user": "ann", "late": True}
        else:
            with pytest.raises(UsageError, match="headers of this response are gone"):
                client.get("/late")
