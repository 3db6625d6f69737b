"""`request.session`, and Litestar's own ways to set and clear it, in handlers, guards, dependencies and websockets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from litestar import Litestar, MediaType, Request, Response, WebSocket, get, post, websocket
from litestar.background_tasks import BackgroundTask
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import NotAuthorizedException, WebSocketDisconnect
from litestar.handlers import BaseRouteHandler
from litestar.plugins.flash import flash, get_flashes
from litestar.response import Stream
from litestar.testing import TestClient
from litestar_host.conftest import Browse
from litestar_host.test_plugin import look, plain, put
from pydantic import BaseModel

Visit = Request[Any, Any, Any]
Connection = ASGIConnection[Any, Any, Any, Any]


@dataclass
class Cart:
    items: list[str]
    paid: bool = False


class Profile(BaseModel):
    name: str
    age: int


@post("/set/{kind:str}")
async def set_session(request: Visit) -> None:
    values: dict[str, Any] = {
        "dict": {"items": ["pear"], "paid": False},
        "dataclass": Cart(["pear"]),
        "pydantic": Profile(name="ann", age=37),
        "empty": {},
    }
    request.set_session(values[request.path_params["kind"]])


@post("/clear")
async def clear_session(request: Visit) -> None:
    request.clear_session()


@post("/clear_and_fill")
async def clear_and_fill(request: Visit) -> None:
    request.clear_session()
    request.set_session({"fresh": True})


PAGES = [put, look, plain, set_session, clear_session, clear_and_fill]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("dict", {"items": ["pear"], "paid": False}),
        ("dataclass", {"items": ["pear"], "paid": False}),
        ("pydantic", {"name": "ann", "age": 37}),
    ],
)
def test_a_dict_or_a_model_can_be_set(browse: Browse, storage: dict[str, Any], kind: str, content: object) -> None:
    client = browse(PAGES, storage)
    client.get("/put")
    assert client.post(f"/set/{kind}").status_code == 201
    assert client.get("/look").text == str(content)


@pytest.mark.parametrize("path", ["/clear", "/set/empty"])
def test_clearing_ends_the_session(browse: Browse, storage: dict[str, Any], path: str) -> None:
    client = browse(PAGES, storage)
    client.get("/put")
    copied = dict(client.cookies)
    (cookie,) = client.post(path).headers.get_list("set-cookie")
    assert "Max-Age=0" in cookie
    assert client.get("/look").text == "{}"
    if storage:
        client.cookies.update(copied)
        assert client.get("/look").text == "{}"


def test_what_is_set_after_clearing_is_kept(browse: Browse, storage: dict[str, Any]) -> None:
    client = browse(PAGES, storage)
    client.get("/put")
    client.post("/clear_and_fill")
    assert client.get("/look").text == "{'fresh': True}"


def test_what_is_no_content_of_a_session_is_an_error(browse: Browse) -> None:
    @get("/odd")
    async def odd(request: Visit) -> None:
        request.set_session(["a", "list"])  # type: ignore[arg-type]

    client = browse([*PAGES, odd])
    client.get("/put")
    assert client.get("/odd").status_code == 500
    assert client.get("/look").text == "{'user': 'ann'}"


# Guards, dependencies, hooks


def signed_in(connection: Connection, _: BaseRouteHandler) -> None:
    if "user" not in connection.session:
        raise NotAuthorizedException


def test_a_guard_has_the_session(browse: Browse, storage: dict[str, Any]) -> None:
    @get("/private", guards=[signed_in])
    async def private() -> str:
        return "come in"

    client = browse([*PAGES, private], storage)
    answer = client.get("/private")
    assert (answer.status_code, answer.headers["vary"]) == (401, "Cookie")
    client.get("/put")
    assert client.get("/private").text == "come in"


def test_a_dependency_has_the_session_and_may_change_it(browse: Browse, storage: dict[str, Any]) -> None:
    async def cart(request: Visit) -> list[str]:
        items: list[str] = request.session.setdefault("cart", [])
        return items

    @post("/buy", dependencies={"cart": Provide(cart)})
    async def buy(request: Visit) -> None:
        items = await cart(request)
        items.append("pear")

    client = browse([*PAGES, buy], storage)
    client.post("/buy")
    client.post("/buy")
    assert client.get("/look").text == "{'cart': ['pear', 'pear']}"


def test_what_litestar_calls_before_and_after_a_handler_has_the_session(browse: Browse) -> None:
    async def before(request: Visit) -> None:
        request.session["before"] = True

    @get("/around", before_request=before)
    async def around() -> str:
        return ""

    client = browse([*PAGES, around])
    client.get("/around")
    assert client.get("/look").text == "{'before': True}"


def test_the_handler_of_an_exception_has_the_session_and_keeps_what_it_changes(
    browse: Browse, storage: dict[str, Any]
) -> None:
    @get("/fail")
    async def fail(request: Visit) -> None:
        request.session["tried"] = True
        raise LookupError

    def say(request: Visit, _: Exception) -> Response[str]:
        request.session["told"] = True
        return Response("sorry", status_code=409)

    client = browse([*PAGES, fail], storage, exception_handlers={LookupError: say})
    assert client.get("/fail").status_code == 409
    assert client.get("/look").text == "{'tried': True, 'told': True}"


def test_litestars_messages_for_the_next_page_are_kept(browse: Browse) -> None:
    @get("/say")
    async def say(request: Visit) -> None:
        flash(request, "kept for you", "info")

    @get("/hear")
    async def hear(request: Visit) -> list[str]:
        return [each["message"] for each in get_flashes({"request": request})]

    client = browse([say, hear])
    client.get("/say")
    assert client.get("/hear").json() == ["kept for you"]
    assert client.get("/hear").json() == []


# When the answer is gone


def test_a_background_task_may_change_it_where_a_store_exists(browse: Browse) -> None:
    @get("/later")
    async def later(request: Visit) -> Response[str]:
        request.session.get("user")

        async def change() -> None:
            request.session["late"] = True

        return Response("sent", background=BackgroundTask(change))

    client = browse([*PAGES, later], {"store": "memory:"})
    client.get("/put")
    client.get("/later")
    assert client.get("/look").text == "{'user': 'ann', 'late': True}"


def test_a_stream_may_change_it_where_a_store_exists(browse: Browse) -> None:
    @get("/stream")
    async def stream(request: Visit) -> Stream:
        async def body() -> Any:
            yield "one"
            request.session["late"] = True
            yield "two"

        return Stream(body(), media_type=MediaType.TEXT)

    client = browse([*PAGES, stream], {"store": "memory:"})
    client.get("/put")
    assert client.get("/stream").text == "onetwo"
    assert client.get("/look").text == "{'user': 'ann', 'late': True}"


# Websockets


@websocket("/socket")
async def talk(socket: WebSocket[Any, Any, Any]) -> None:
    session: Any = socket.session
    session["visits"] = session.get("visits", 0) + 1
    await socket.accept()
    await socket.send_text(str(dict(session)))
    if await socket.receive_text() == "keep":
        session["kept"] = True
        await session.save()
        await socket.send_text("kept")
    await socket.close()


def header(client: TestClient[Litestar]) -> dict[str, str]:
    # The client sends cookies with Secure to https alone, and knows no wss.
    return {"cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}


def test_a_websocket_has_the_session_of_its_handshake(browse: Browse, storage: dict[str, Any]) -> None:
    client = browse([*PAGES, talk], storage)
    client.get("/put")
    with client.websocket_connect("/socket", headers=header(client)) as socket:
        assert socket.receive_text() == "{'user': 'ann', 'visits': 1}"
        socket.send_text("no more")


def test_a_websocket_keeps_where_a_store_exists(browse: Browse) -> None:
    client = browse([*PAGES, talk], {"store": "memory:"})
    client.get("/put")
    with client.websocket_connect("/socket", headers=header(client)) as socket:
        socket.receive_text()
        socket.send_text("keep")
        assert socket.receive_text() == "kept"
    assert client.get("/look").text == "{'user': 'ann', 'visits': 1, 'kept': True}"


def test_a_websocket_that_ends_its_session_ends_it(browse: Browse, storage: dict[str, Any]) -> None:
    @websocket("/end")
    async def end(socket: WebSocket[Any, Any, Any]) -> None:
        socket.clear_session()
        await socket.accept()
        await socket.close()

    client = browse([*PAGES, end], storage)
    client.get("/put")
    with client.websocket_connect("/end", headers=header(client)):
        pass
    if storage:
        assert client.get("/look").text == "{}"


@websocket("/replace/{how:str}")
async def replace(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    if socket.path_params["how"] == "clear":
        socket.clear_session()
    else:
        socket.set_session(Cart(["pear"]))
    await socket.send_text("done")
    await socket.close()


@pytest.mark.parametrize(("how", "content"), [("clear", "{}"), ("set", "{'items': ['pear'], 'paid': False}")])
def test_what_a_websocket_sets_or_clears_late_is_kept_where_a_store_exists(
    browse: Browse, how: str, content: str
) -> None:
    client = browse([*PAGES, replace], {"store": "memory:"})
    client.get("/put")
    with client.websocket_connect(f"/replace/{how}", headers=header(client)) as socket:
        assert socket.receive_text() == "done"
        # The client does not wait for the handler; and what it has changed is kept before this is sent.
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()
    assert client.get("/look").text == content


def test_what_a_websocket_sets_late_is_an_error_where_none_exists(browse: Browse) -> None:
    told: list[Any] = []
    client = browse([*PAGES, replace], {"on_event": told.append})
    client.get("/put")
    with client.websocket_connect("/replace/set", headers=header(client)) as socket:
        assert socket.receive_text() == "done"
        with pytest.raises(WebSocketDisconnect, match="Internal Server Error"):
            socket.receive()
    assert told[-1].reason == "late"
    assert client.get("/look").text == "{'user': 'ann'}"
