"""A Flask program that keeps a name in the session, and pages that show what becomes of it, and who is signed in.

python examples/demo/app.py
"""

from __future__ import annotations

import os
from datetime import timedelta

from account import account
from flask import Flask
from inspector import inspector
from markupsafe import escape
from server import serve
from words import language, say, vocabulary

from coatcheck.flask import Coatcheck, session
from coatcheck.pages.flask import sessions_page

app = Flask(__name__)
# A new key with each start: cookies of an earlier start open no more. flask_factory.py keeps its key.
app.config["SECRET_KEY"] = os.urandom(24)
app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(days=7)
# What was ended is forgotten with the key, and known in this process only. A site has "sqlite:///revoked.db" here.
app.config["SESSION_REVOCATIONS"] = "memory:"
Coatcheck(app)
app.context_processor(vocabulary)
app.register_blueprint(inspector)
app.register_blueprint(account)
where_signed_in = sessions_page(
    login_url="/account/login/",
    language=lambda _: language(),
    # Of the demo's own layout.
    policy={"style-src": "'self'", "img-src": "'self'"},
)
app.register_blueprint(where_signed_in, url_prefix="/account/sessions")


@app.get("/")
def index() -> str:
    session["username"] = "xiaoming"
    session.permanent = True
    return "Hello World!"


@app.get("/username/")
def username() -> str:
    name = session.get("username", session.user_id)
    return say("nobody") if name is None else escape(name)


@app.get("/delete_user/")
def delete_user() -> str:
    name = session.pop("username", None)
    return say("nothing_deleted") if name is None else say("deleted")


if __name__ == "__main__":
    serve(app)
