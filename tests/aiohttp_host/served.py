"""An application on aiohttp's own server, and a client of aiohttp that keeps its cookies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from kit import SECRET

from coatcheck.aiohttp import AsyncSession, get_session, setup
from coatcheck.testing import Clock

Handler: TypeAlias = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]
View: TypeAlias = Callable[[AsyncSession], object]
Client: TypeAlias = TestClient[web.Request, web.Application]


def page(view: View) -> Handler:
    """Gives the handler that answers what the view gives."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=str(view(await get_session(request))))

    return handler


def put(session: AsyncSession) -> str:
    session["user"] = "ann"
    return "put"


def look(session: AsyncSession) -> str:
    return str(dict(session))


async def nobody_looks(request: web.Request) -> web.Response:
    return web.Response(text="nobody looks")


def shop(handlers: Mapping[str, Handler] | None = None, **how: Any) -> web.Application:
    """Gives an application with `/put`, `/look`, `/plain` and these handlers."""
    app = web.Application(**how)
    pages = {"put": page(put), "look": page(look), "plain": nobody_looks, **(handlers or {})}
    for name, handler in pages.items():
        app.router.add_get(f"/{name}", handler)
    return app


@asynccontextmanager
async def running(app: web.Application) -> AsyncIterator[Client]:
    """Serves an application that has its sessions already."""
    async with TestClient(TestServer(app)) as client:
        yield client


@asynccontextmanager
async def serving(app: web.Application, **options: Any) -> AsyncIterator[Client]:
    """Gives an application its sessions, and serves it."""
    setup(app, **{"secret_key": SECRET, "clock": Clock(), **options})
    async with running(app) as client:
        yield client


async def text(client: Client, path: str) -> str:
    async with client.get(path) as answer:
        return await answer.text()


async def comes_to(client: Client, path: str, expected: str) -> bool:
    """Waits until a page says this: a handler that is alone at its work is done at a time that nobody else knows."""
    async with asyncio.timeout(60):
        while await text(client, path) != expected:
            pass
    return True


def cookies(answer: ClientResponse) -> list[str]:
    return answer.headers.getall("Set-Cookie", [])
