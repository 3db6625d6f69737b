"""Pages that sign in and out, and end sessions, in Flask."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, request
from replay.settings import options

from coatcheck.flask import Coatcheck, session

app = Flask(__name__)
coatcheck = Coatcheck(app, **options())


@app.get("/who")
def who() -> dict[str, Any]:
    return {"user": session.user_id, "items": dict(session), "pid": os.getpid()}


@app.get("/write")
def write() -> dict[str, Any]:
    session["n"] = session.get("n", 0) + 1
    return {}


@app.get("/login")
def login() -> dict[str, Any]:
    session.login(request.args["user"])
    session["whose"] = request.args["user"]
    return {}


@app.get("/rotate")
def rotate() -> dict[str, Any]:
    session.regenerate()
    return {}


@app.get("/logout")
def logout() -> dict[str, Any]:
    session.logout()
    return {}


@app.get("/handles")
def handles() -> dict[str, Any]:
    return {"handles": [info.handle for info in coatcheck.sessions_of(request.args["user"])]}


@app.get("/revoke")
def revoke() -> dict[str, Any]:
    return {"revoked": coatcheck.revoke(request.args["handle"], user_id=request.args["user"])}


@app.get("/user")
def user() -> dict[str, Any]:
    return {"revoked": coatcheck.revoke_user(request.args["user"])}


@app.get("/others")
def others() -> dict[str, Any]:
    return {"revoked": coatcheck.revoke_user(request.args["user"], keep=session)}


@app.get("/everyone")
def everyone() -> dict[str, Any]:
    coatcheck.revoke_everyone()
    return {}


if os.environ.get("WARM"):
    # What is read, and opened, before the server forks.
    with app.test_client() as client:
        client.get("/login?user=warm")
        client.get("/who")
