"""Sessions for Litestar: sealed into the cookie, or kept where SESSION_STORE says.

export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
uvicorn --app-dir examples litestar_minimal:app

curl -c jar -b jar -X POST 'http://127.0.0.1:8000/login?name=xiaoming'
curl -c jar -b jar http://127.0.0.1:8000/
"""

from __future__ import annotations

import os
from typing import Any, cast

from litestar import Litestar, MediaType, Request, get, post

from coatcheck.litestar import AsyncSession, Coatcheck

Visit = Request[Any, Any, Any]


@get("/", media_type=MediaType.TEXT)
async def index(request: Visit) -> str:
    return f"Hello {request.session.get('name', 'stranger')}!"


@post("/login")
async def login(request: Visit) -> None:
    # Check a password here.
    session = cast(AsyncSession, request.session)
    session.regenerate()
    session["name"] = request.query_params["name"]


@post("/logout")
async def logout(request: Visit) -> None:
    request.clear_session()


coatcheck = Coatcheck(os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))
app = Litestar([index, login, logout], plugins=[coatcheck])
