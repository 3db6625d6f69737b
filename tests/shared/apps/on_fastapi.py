"""FastAPI."""

import os
from typing import cast

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from shared.apps.pages import run

from coatcheck import Session
from coatcheck.asgi import SessionMiddleware

app = FastAPI()
app.add_middleware(
    SessionMiddleware, secret_key=os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"), max_age=None
)


# Without async: it runs in a thread.
@app.get("/{name}", response_class=PlainTextResponse)
def page(name: str, request: Request) -> str:
    return run(name, cast(Session, request.session), "FastAPI")
