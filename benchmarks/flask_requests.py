"""What a session costs a Flask request, beside Flask's own signed session.

    python benchmarks/flask_requests.py

The cost is a request with the session minus the same request with sessions
switched off. All sides run in turn in one process, through the whole WSGI
application. The session is the reference session, which is permanent; settings
are the defaults of each side.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, session
from flask.sessions import NullSession, SessionInterface
from timing import REFERENCE, heading, microseconds
from werkzeug.test import EnvironBuilder

from coatcheck.flask import Coatcheck

GOALS = {"untouched": 0.06, "read": 0.20, "write": 0.17}


class Off(SessionInterface):
    """Sessions switched off: one shared empty session that nobody saves."""

    shared = NullSession()

    def open_session(self, app: Flask, request: object) -> NullSession:
        return self.shared

    def save_session(self, app: Flask, session: object, response: Response) -> None:
        raise AssertionError("a null session is not saved")


def make_app(*, sessions: bool) -> Flask:
    app = Flask("benchmark")
    app.secret_key = os.urandom(32)

    @app.get("/untouched")
    def untouched() -> str:
        return "x"

    @app.get("/read")
    def read() -> str:
        if sessions:
            session["username"]
        return "x"

    @app.get("/write")
    def write() -> str:
        if sessions:
            session["user_id"] += 1
        return "x"

    @app.get("/fill")
    def fill() -> str:
        session.update(REFERENCE)
        return "x"

    return app


def client_of(app: Flask, path: str, cookie: str | None) -> Callable[[], object]:
    environ = EnvironBuilder(path).get_environ()
    if cookie is not None:
        # A fresh string for each request, as a server has it.
        environ["HTTP_COOKIE"] = cookie

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        pass

    def call() -> object:
        return b"".join(app.wsgi_app(dict(environ), start_response))

    return call


def cookie_of(app: Flask) -> str:
    return app.test_client().get("/fill").headers["Set-Cookie"].partition(";")[0]


def main() -> None:
    off, flasks, ours = make_app(sessions=False), make_app(sessions=True), make_app(sessions=True)
    off.session_interface = Off()
    Coatcheck(ours)
    print(heading("coatcheck", "Flask", "Werkzeug", "cryptography", "ormsgpack"))
    print("cost of the session in one request, microseconds")
    print(f"{'':14}{'Flask':>9}{'coatcheck':>11}{'share':>8}{'goal':>7}")
    for path, goal in GOALS.items():
        taken = microseconds(
            {
                "off": client_of(off, f"/{path}", cookie_of(flasks)),
                "flask": client_of(flasks, f"/{path}", cookie_of(flasks)),
                "ours": client_of(ours, f"/{path}", cookie_of(ours)),
            },
            rounds=40,
            calls=200,
        )
        theirs, mine = taken["flask"] - taken["off"], taken["ours"] - taken["off"]
        print(f"{path:14}{theirs:9.1f}{mine:11.1f}{mine / theirs:8.3f}{goal:7.2f}")


if __name__ == "__main__":
    main()
