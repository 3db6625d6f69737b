"""A site on FastAPI with the page. `python -m uvicorn --factory pages.sites.fastapi_site:serve` serves it."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI, Request
from kit import SECRET
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from coatcheck.asgi import SessionMiddleware
from coatcheck.pages.starlette import sessions_page


def make(page: dict[str, Any], **options: Any) -> FastAPI:
    """Gives the site.

    Args:
        page: the options of the page.
        options: those of the sessions.
    """
    app = FastAPI()
    app.add_middleware(SessionMiddleware, SECRET, **options)

    @app.get("/")
    async def index(request: Request) -> Response:
        session: Any = request.session
        return PlainTextResponse(f"{session.user_id or 'nobody'} has {dict(session).get('cart', 'nothing')}")

    @app.get("/login")
    async def login(request: Request, user: str) -> Response:
        session: Any = request.session
        session.login(user)
        return RedirectResponse("/", 303)

    @app.get("/buy")
    async def buy(request: Request) -> Response:
        request.session["cart"] = "figs"
        return PlainTextResponse("bought")

    app.mount("/account/sessions", sessions_page(**page))
    return app


def serve() -> FastAPI:
    return make({"login_url": "/"}, store=os.environ["SESSION_STORE"])
