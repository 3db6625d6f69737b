"""The page of the documentation runs as it stands, and what it says of its handlers is so."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp_host.served import comes_to, running, text
from asgi.exchange import in_loop

from coatcheck.aiohttp import setup
from coatcheck.testing import AsyncFailingStore

PAGE = Path(__file__).parents[2] / "docs/aiohttp.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECRET = "7d3c1f0a9be84265d0c4f1a27e5b8396"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the examples of the page make, one after the other."""
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {"__name__": "example"}
    for block in BLOCK.findall(PAGE.read_text()):
        exec(compile(block, str(PAGE), "exec"), found)
    return found


def made(names: dict[str, Any], *pages: str, middleware: str = "", **options: Any) -> web.Application:
    app = web.Application(middlewares=[names[middleware]] if middleware else [])
    for page in ("index", *pages):
        app.router.add_get(f"/{page}", names[page])
    # Where the page sends whoever has signed in.
    app.router.add_get("/", names["index"])
    setup(app, SECRET, **options)
    return app


def test_every_heading_has_its_example(names: dict[str, Any]) -> None:
    functions: list[Callable[..., Any]] = [value for value in names.values() if hasattr(value, "__code__")]
    assert {each.__name__ for each in functions} >= {"index", "login", "logout", "export", "chat", "test"}


@in_loop
async def test_somebody_signs_in_and_out(names: dict[str, Any]) -> None:
    async with running(made(names, "login", "logout")) as client:
        assert await text(client, "/login") == "visit 1"
        assert await text(client, "/index") == "visit 2"
        assert await text(client, "/logout") == "good bye"
        assert await text(client, "/index") == "visit 1"


@in_loop
async def test_the_stream_and_the_websocket_keep_what_they_change(names: dict[str, Any]) -> None:
    app = made(names, "export", "chat", "logout", store="memory:")

    async def show(request: web.Request) -> web.Response:
        return web.Response(text=str(dict(await names["get_session"](request))))

    app.router.add_get("/show", show)
    async with running(app) as client:
        await text(client, "/index")
        assert await text(client, "/export") == "row 0\nrow 1\nrow 2\n"
        async with client.ws_connect("/chat") as socket:
            await socket.send_str("hello")
        assert await comes_to(client, "/show", "{'visits': 1, 'rows': 3, 'said': 1}")
        async with client.ws_connect("/chat") as socket:
            await text(client, "/logout")
            await socket.send_str("hello")
            closed = await socket.receive()
            assert closed.extra == "signed out"


@in_loop
async def test_the_middleware_of_the_page_answers_for_the_store(
    names: dict[str, Any], store: AsyncFailingStore
) -> None:
    async with running(made(names, middleware="out_of_order", store=store)) as client:
        await text(client, "/index")
        store.down = True
        async with client.get("/index") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "60")


@pytest.mark.parametrize("site", ["app", "site"])
@in_loop
async def test_the_applications_of_the_page_serve(site: str, names: dict[str, Any]) -> None:
    async with running(names[site]) as client:
        path = "/" if site == "app" else "/admin/"
        assert [await text(client, path) for _ in range(2)] == ["visit 1", "visit 2"]
