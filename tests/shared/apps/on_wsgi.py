"""WSGI, without a framework."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from shared.apps.pages import run

from coatcheck.wsgi import SessionMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def site(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    body = run(environ["PATH_INFO"][1:], environ["coatcheck.session"], "WSGI").encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


app = SessionMiddleware(site, os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))
