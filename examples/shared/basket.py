"""The basket service: what `shop.py` says."""

from __future__ import annotations

import os
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from starlette.requests import HTTPConnection

from coatcheck.asgi import AsyncSession, SessionMiddleware

app = FastAPI()
# Until the browser closes, as in the shop.
app.add_middleware(
    SessionMiddleware, secret_key=os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"), max_age=None
)


def of_somebody(connection: HTTPConnection) -> AsyncSession:
    session: AsyncSession = connection.scope["session"]
    if "name" not in session:
        raise HTTPException(401, "sign in at the shop first")
    return session


Session = Annotated[AsyncSession, Depends(of_somebody)]


@app.get("/basket")
def basket(session: Session) -> list[str]:
    found: list[str] = session.get("basket", [])
    return found


@app.post("/basket/{article}")
def add(article: str, session: Session) -> list[str]:
    found: list[str] = session.setdefault("basket", [])
    found.append(article)
    return found
