"""The page of the documentation runs as it stands, and what it says of its views is so."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from asgi.exchange import in_loop
from quart_host.served import serving, text

PAGE = Path(__file__).parents[2] / "docs/quart.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the examples of the page make, one after the other."""
    monkeypatch.setenv("SECRET_KEY", "7d3c1f0a9be84265d0c4f1a27e5b8396")
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {"__name__": "example"}
    for block in BLOCK.findall(PAGE.read_text()):
        exec(compile(block, str(PAGE), "exec"), found)

    async def show() -> str:
        return str(dict(found["session"]))

    async def out() -> str:
        found["session"].destroy()
        return "out"

    found["app"].add_url_rule("/show", view_func=show)
    found["app"].add_url_rule("/out", view_func=out)
    return found


@in_loop
async def test_the_application_keeps_what_its_stream_its_task_and_its_websocket_change(names: dict[str, Any]) -> None:
    app = names["app"]
    async with serving(app) as client:
        assert [await text(client, "/") for _ in range(2)] == ["visit 1", "visit 2"]
        assert await text(client, "/export") == "row 0\nrow 1\nrow 2\n"
        assert await text(client, "/order") == "we are at work"
        await asyncio.gather(*app.background_tasks)
        async with client.ws_connect("/chat") as socket:
            await socket.send_str("hello")
            shown = ""
            for _ in range(1000):
                # The view saves before it waits for the next message, and answers nothing.
                if "said" in (shown := await text(client, "/show")):
                    break
        assert shown == "{'visits': 2, 'rows': 3, 'ready': True, 'said': 1}"


@in_loop
async def test_the_websocket_hears_of_a_logout(names: dict[str, Any]) -> None:
    async with serving(names["app"]) as client:
        await text(client, "/")
        async with client.ws_connect("/chat") as socket:
            await text(client, "/out")
            await socket.send_str("hello")
            closed = await socket.receive()
            assert closed.extra == "signed out"


@in_loop
async def test_the_page_for_an_outage_is_shown(names: dict[str, Any]) -> None:
    async with serving(names["app"]) as client:
        await text(client, "/")
        names["app"].config["SESSION_STORE"] = "redis://127.0.0.1:1/0"
        async with client.get("/") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
            assert await answer.text() == "Please come again in a minute."
