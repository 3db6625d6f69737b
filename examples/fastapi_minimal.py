"""Sessions for FastAPI: sealed into the cookie, or kept where SESSION_STORE says.

export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
uvicorn --app-dir examples fastapi_minimal:app

curl -c jar -b jar -X POST 'http://127.0.0.1:8000/login?name=xiaoming'
curl -c jar -b jar http://127.0.0.1:8000/
"""

from __future__ import annotations

import os
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from starlette.requests import HTTPConnection

from coatcheck.asgi import AsyncSession, SessionMiddleware

app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key=os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))


def of_this_request(connection: HTTPConnection) -> AsyncSession:
    session: AsyncSession = connection.scope["session"]
    return session


Session = Annotated[AsyncSession, Depends(of_this_request)]


@app.get("/")
def index(session: Session) -> str:
    if "name" not in session:
        raise HTTPException(401, "sign in first")
    return f"Hello {session['name']}!"


@app.post("/login")
def login(name: str, session: Session) -> None:
    # Check a password here.
    session.regenerate()
    session["name"] = name


@app.post("/logout")
def logout(session: Session) -> None:
    session.destroy()
