"""The model as a dependency of FastAPI, in requests and websockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from kit import SECRET
from starlette.testclient import TestClient

from coatcheck import InvalidSession
from coatcheck.asgi import SessionMiddleware
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FailingStore
from coatcheck.typed import TypedSession


@dataclass
class Cart:
    user: str | None = None
    items: list[str] = field(default_factory=list)


typed = TypedSession(Cart)
CurrentCart = Annotated[Cart, Depends(typed.dependency)]


def application(**options: Any) -> FastAPI:
    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key=SECRET, **options)

    @app.get("/items")
    async def items(cart: CurrentCart) -> list[str]:
        return cart.items

    @app.post("/items")
    def add(item: str, cart: CurrentCart, again: CurrentCart, request: Request) -> bool:
        # A sync endpoint runs in a thread of its own.
        cart.items.append(item)
        return cart is again is typed.of(request.session)

    @app.post("/raw")
    async def raw(key: str, value: str, request: Request) -> None:
        request.session[key] = value

    @app.get("/raw")
    async def all_keys(request: Request) -> dict[str, Any]:
        return dict(request.session)

    @app.get("/both")
    async def both(cart: CurrentCart, request: Request) -> JSONResponse:
        cart.items.append("fig")
        typed.of(request.session)
        return JSONResponse(request.session)

    @app.post("/later")
    async def later(cart: CurrentCart, tasks: BackgroundTasks) -> None:
        tasks.add_task(cart.items.append, "later")

    @app.get("/stream")
    async def stream(cart: CurrentCart) -> StreamingResponse:
        def pieces() -> Iterator[str]:
            yield "begun"
            cart.items.append("streamed")

        return StreamingResponse(pieces())

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, cart: CurrentCart) -> None:
        await websocket.accept()
        cart.items.append(await websocket.receive_text())
        await websocket.scope["session"].save()
        await websocket.send_json(cart.items)
        await websocket.close()

    @app.exception_handler(InvalidSession)
    async def invalid(request: Request, error: InvalidSession) -> JSONResponse:
        return JSONResponse([list(problem) for problem in error.problems], 409)

    return app


@contextmanager
def browser(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="https://shop.example") as client:
        yield client


@pytest.fixture(params=["cookie", "store"])
def client(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    options = {"store": MemoryStore()} if request.param == "store" else {}
    with browser(application(**options)) as client:
        yield client


@pytest.fixture
def on_server() -> Iterator[TestClient]:
    with browser(application(store=MemoryStore())) as client:
        yield client


def test_an_endpoint_has_the_session_as_its_model(client: TestClient) -> None:
    assert client.get("/items").json() == []
    assert not client.cookies
    assert client.post("/items?item=pear").json() is True
    assert client.post("/items?item=fig").json() is True
    assert client.get("/items").json() == ["pear", "fig"]
    answer = client.get("/items")
    assert "set-cookie" not in answer.headers
    assert answer.headers["vary"] == "Cookie"


def test_the_model_asks_nothing_of_the_visitor(client: TestClient) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/items"]["get"]
    assert "parameters" not in operation
    assert "requestBody" not in operation


def test_a_session_that_is_sent_as_json_has_what_the_model_was_told(client: TestClient) -> None:
    assert client.get("/both").json() == {"items": ["fig"]}


def test_an_invalid_session_is_for_a_handler_of_the_application(client: TestClient) -> None:
    client.post("/raw?key=items&value=pear")
    answer = client.get("/items")
    assert (answer.status_code, answer.json()) == (409, [["session['items']", "list_type"]])
    assert client.get("/raw").json() == {"items": "pear"}


def test_a_test_can_put_another_model_in_its_place(client: TestClient) -> None:
    app = client.app
    assert isinstance(app, FastAPI)
    app.dependency_overrides[typed.dependency] = lambda: Cart(items=["given"])
    assert client.get("/items").json() == ["given"]


def test_what_a_stream_or_a_task_changes_is_kept_in_a_store(on_server: TestClient) -> None:
    on_server.post("/items?item=pear")
    assert on_server.get("/stream").text == "begun"
    assert on_server.post("/later").status_code == 200
    assert on_server.get("/items").json() == ["pear", "streamed", "later"]


def test_a_websocket_has_the_model_too_and_saves_it(on_server: TestClient) -> None:
    on_server.post("/items?item=pear")
    with on_server.websocket_connect("/socket", headers={"Cookie": cookie(on_server)}) as socket:
        socket.send_text("fig")
        assert socket.receive_json() == ["pear", "fig"]
    assert on_server.get("/items").json() == ["pear", "fig"]


def cookie(client: TestClient) -> str:
    """The test client speaks ws, and its cookie is for https."""
    return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


def test_a_store_that_fails_is_answered_with_503() -> None:
    store = FailingStore(MemoryStore())
    with browser(application(store=store)) as client:
        client.post("/items?item=pear")
        store.down = True
        assert client.get("/items").status_code == 503
