"""A shop in Flask and a basket service in FastAPI beside it, with one session.

Both have the same SECRET_KEY and the same SESSION_STORE; the name of the cookie, its path and its domain are the
defaults of both. Who signs in at the shop is known to the service, and who signs out is gone from both.

    export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
    export SESSION_STORE=sqlite:////tmp/sessions.db
    gunicorn --chdir examples/shared --bind 127.0.0.1:8000 shop:app
    uvicorn --app-dir examples/shared --port 8001 basket:app

    curl -c jar -b jar -X POST 'http://127.0.0.1:8000/login?name=xiaoming'
    curl -c jar -b jar -X POST http://127.0.0.1:8001/basket/tea
    curl -c jar -b jar http://127.0.0.1:8000/

Browsers do not tell ports apart where cookies are concerned. In production both stand behind one host name:
`/basket` leads to the service, and everything else to the shop. Without SESSION_STORE, the session is sealed
into its cookie, and the two share it all the same. But a store merges what both change at the same time; a
cookie keeps what was answered last.
"""

from __future__ import annotations

import os

from flask import Flask, request

from coatcheck.flask import Coatcheck, session

app = Flask(__name__)
Coatcheck(app, secret_key=os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))


@app.get("/")
def index() -> str:
    basket = ", ".join(session.get("basket", [])) or "nothing"
    return f"{session.get('name', 'stranger')} takes {basket}"


@app.post("/login")
def login() -> str:
    # Check a password here.
    session.regenerate()
    session["name"] = request.args["name"]
    return "welcome"


@app.post("/logout")
def logout() -> str:
    session.destroy()
    return "good bye"
