"""An application on hypercorn, and a client of aiohttp that keeps its cookies."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse, ClientSession, ClientWebSocketResponse, CookieJar
from hypercorn.asyncio import serve
from hypercorn.config import Config
from kit import SECRET
from quart import Quart
from quart.signals import websocket_tearing_down

from coatcheck.quart import Coatcheck, session
from coatcheck.testing import Clock


def shop(**options: Any) -> Quart:
    """Gives an application with sessions, and with `/put`, `/look` and `/plain`."""
    app = Quart("shop", static_folder=None)
    Coatcheck(app, **{"secret_key": SECRET, "clock": Clock(), **options})

    @app.get("/put")
    async def put() -> str:
        session["user"] = "ann"
        return "put"

    @app.get("/look")
    async def look() -> str:
        return str(dict(session))

    @app.get("/plain")
    async def plain() -> str:
        return "nobody looks"

    return app


@asynccontextmanager
async def serving(app: Quart) -> AsyncIterator[ClientSession]:
    """Serves an application."""
    config, stop = Config(), asyncio.Event()
    with socket.socket() as listening:
        # The socket takes connections before the server does: nobody has to wait for it.
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config.bind = [f"fd://{listening.fileno()}"]
        config.graceful_timeout = 5
        server = asyncio.create_task(serve(app, config, shutdown_trigger=stop.wait))
        try:
            async with ClientSession(address, cookie_jar=CookieJar(unsafe=True)) as client:
                yield client
        finally:
            stop.set()
            await server
            # The server closes what it was given.
            listening.detach()


@asynccontextmanager
async def connected(app: Quart, client: ClientSession, path: str) -> AsyncIterator[ClientWebSocketResponse]:
    """Opens a websocket. At the end it is closed, and the application is done with it."""
    done = asyncio.Event()

    # When all that the application has for the end of a websocket is done.
    async def end(_: Quart, exc: BaseException | None) -> None:
        done.set()

    with websocket_tearing_down.connected_to(end, app):
        async with client.ws_connect(path) as ws:
            yield ws
        await done.wait()


async def text(client: ClientSession, path: str) -> str:
    async with client.get(path) as answer:
        return await answer.text()


def cookies(answer: ClientResponse) -> list[str]:
    return answer.headers.getall("Set-Cookie", [])
