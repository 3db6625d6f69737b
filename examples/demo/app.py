"""A Flask program that keeps a name in the session, and a page that shows what becomes of it.

python examples/demo/app.py
"""

from __future__ import annotations

import os
from datetime import timedelta

from flask import Flask, session
from inspector import inspector
from markupsafe import escape
from server import serve
from words import say

from coatcheck.flask import Coatcheck

app = Flask(__name__)
# A new key with each start: cookies of an earlier start open no more. flask_factory.py keeps its key.
app.config["SECRET_KEY"] = os.urandom(24)
app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(days=7)
Coatcheck(app)
app.register_blueprint(inspector)


@app.get("/")
def index() -> str:
    session["username"] = "xiaoming"
    session.permanent = True
    return "Hello World!"


@app.get("/username/")
def username() -> str:
    name = session.get("username")
    return say("nobody") if name is None else escape(name)


@app.get("/delete_user/")
def delete_user() -> str:
    name = session.pop("username", None)
    return say("nothing_deleted") if name is None else say("deleted")


if __name__ == "__main__":
    serve(app)
