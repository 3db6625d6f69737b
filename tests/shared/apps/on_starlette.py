"""Starlette."""

import os
from typing import cast

from shared.apps.pages import run
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from coatcheck import Session
from coatcheck.asgi import SessionMiddleware


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(run(request.path_params["name"], cast(Session, request.session), "Starlette"))


app = Starlette(routes=[Route("/{name}", page)])
app.add_middleware(
    SessionMiddleware, secret_key=os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"), max_age=None
)
