"""A program that changes its session while it sends its body, for the tests to serve."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from coatcheck.wsgi import RequestSession, SessionMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session: RequestSession = environ["coatcheck.session"]
    headers = [("Content-Type", "text/plain")]
    if environ["PATH_INFO"] == "/stream":
        start_response("200 OK", headers)
        return count(session)
    if environ["PATH_INFO"] == "/file":
        start_response("200 OK", headers)
        found: Iterable[bytes] = environ["wsgi.file_wrapper"](open(__file__, "rb"))  # noqa: PTH123, SIM115
        return found
    if environ["PATH_INFO"] == "/put":
        session["user"] = "ann"
    body = str(dict(session)).encode()
    start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
    return [body]


def count(session: RequestSession) -> Iterator[bytes]:
    yield b"one"
    session["late"] = True
    yield b"two"


app = SessionMiddleware(page, os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))
