"""Sessions for Starlette: sealed into the cookie, or kept where SESSION_STORE says.

export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
uvicorn --app-dir examples starlette_minimal:app

curl -c jar -b jar -X POST 'http://127.0.0.1:8000/login?name=xiaoming'
curl -c jar -b jar http://127.0.0.1:8000/
"""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from coatcheck.asgi import AsyncSession, SessionMiddleware


async def index(request: Request) -> Response:
    return PlainTextResponse(f"Hello {request.session.get('name', 'stranger')}!")


async def login(request: Request) -> Response:
    # Check a password here.
    session: AsyncSession = request.scope["session"]
    session.regenerate()
    session["name"] = request.query_params["name"]
    return RedirectResponse("/", 303)


async def logout(request: Request) -> Response:
    request.session.clear()
    return RedirectResponse("/", 303)


app = Starlette(
    routes=[Route("/", index), Route("/login", login, methods=["POST"]), Route("/logout", logout, methods=["POST"])],
    middleware=[
        Middleware(SessionMiddleware, secret_key=os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))
    ],
)
