"""Sessions for any WSGI application, here one without a framework.

export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
gunicorn --chdir examples wsgi_minimal:app
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from coatcheck.wsgi import RequestSession, SessionMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def count(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session: RequestSession = environ["coatcheck.session"]
    session["visits"] = session.get("visits", 0) + 1
    body = f"Visit {session['visits']}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


app = SessionMiddleware(count, os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))
