"""Sessions in Bottle.

export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
gunicorn --chdir examples bottle_minimal:app
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from bottle import Bottle, request, response

from coatcheck.wsgi import RequestSession, SessionMiddleware

bottle = Bottle()


def session() -> RequestSession:
    found: RequestSession = request.environ["coatcheck.session"]
    return found


@bottle.get("/")
def index() -> str:
    response.content_type = "text/plain; charset=utf-8"
    return f"Hello {session().get('user', 'stranger')}!"


@bottle.post("/login")
def login() -> str:
    # Check a password here. Then the old id, which somebody may have planted, is dead.
    session().regenerate()
    session()["user"] = request.query.getunicode("name")
    return "welcome"


@bottle.post("/logout")
def logout() -> str:
    session().destroy()
    return "good bye"


@bottle.get("/stream")
def stream() -> Iterator[str]:
    # Before the body: `request` is another visitor's when the last pieces are sent.
    found = session()
    found["streams"] = found.get("streams", 0) + 1
    return (f"{number} " for number in range(3))


app = SessionMiddleware(bottle, os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))
