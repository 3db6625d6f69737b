"""The same pages in Starlette."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from replay.settings import options
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from coatcheck.asgi import SessionMiddleware

Page = Callable[[Request, Any, SessionMiddleware], Awaitable[dict[str, Any]]]


async def who(_: Request, session: Any, __: SessionMiddleware) -> dict[str, Any]:
    return {"user": session.user_id, "items": dict(session), "pid": os.getpid()}


async def write(_: Request, session: Any, __: SessionMiddleware) -> dict[str, Any]:
    session["n"] = session.get("n", 0) + 1
    return {}


async def login(request: Request, session: Any, _: SessionMiddleware) -> dict[str, Any]:
    session.login(request.query_params["user"])
    session["whose"] = request.query_params["user"]
    return {}


async def rotate(_: Request, session: Any, __: SessionMiddleware) -> dict[str, Any]:
    session.regenerate()
    return {}


async def logout(_: Request, session: Any, __: SessionMiddleware) -> dict[str, Any]:
    session.logout()
    return {}


async def handles(request: Request, _: Any, coatcheck: SessionMiddleware) -> dict[str, Any]:
    return {"handles": [info.handle for info in await coatcheck.sessions_of(request.query_params["user"])]}


async def revoke(request: Request, _: Any, coatcheck: SessionMiddleware) -> dict[str, Any]:
    query = request.query_params
    return {"revoked": await coatcheck.revoke(query["handle"], user_id=query["user"])}


async def user(request: Request, _: Any, coatcheck: SessionMiddleware) -> dict[str, Any]:
    return {"revoked": await coatcheck.revoke_user(request.query_params["user"])}


async def others(request: Request, session: Any, coatcheck: SessionMiddleware) -> dict[str, Any]:
    return {"revoked": await coatcheck.revoke_user(request.query_params["user"], keep=session)}


async def everyone(_: Request, __: Any, coatcheck: SessionMiddleware) -> dict[str, Any]:
    await coatcheck.revoke_everyone()
    return {}


def route(page: Page) -> Route:
    async def endpoint(request: Request) -> JSONResponse:
        return JSONResponse(await page(request, request.session, request.scope["coatcheck"]))

    return Route(f"/{page.__name__}", endpoint)


PAGES: list[Page] = [who, write, login, rotate, logout, handles, revoke, user, others, everyone]
app = Starlette(routes=[route(page) for page in PAGES])
app.add_middleware(SessionMiddleware, **{"max_age": None, **options()})
