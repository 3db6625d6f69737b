"""Sessions on a server: in a file beside the program, or where the environment says.

export FLASK_SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
flask --app examples/flask_on_server run

To keep them in Redis, and to have everybody who is in the file stay logged in:

pip install 'coatcheck[redis]'
export FLASK_SESSION_STORE=redis://localhost:6379/0 FLASK_SESSION_EARLIER_STORE=sqlite:///sessions.db
"""

from __future__ import annotations

from flask import Flask, redirect, request
from markupsafe import escape
from werkzeug import Response

from coatcheck import StoreError
from coatcheck.flask import Coatcheck, session


def join(before: list[str] | None, mine: list[str], other: list[str]) -> list[str]:
    """Gives the cart where two tabs have filled it at the same time: what was added in each of them."""
    return other + mine[len(before or []) :]


app = Flask(__name__)
app.config.update(
    # The one option that puts sessions on a server. The views below would be the same without.
    SESSION_STORE="sqlite:///sessions.db",
    SESSION_MERGE={"cart": join},
)
app.config.from_prefixed_env()
Coatcheck(app)


@app.get("/")
def index() -> str:
    things = ", ".join(session.get("cart", [])) or "nothing"
    return f"Hello {escape(session.get('user', 'stranger'))}! In your cart: {escape(things)}."


@app.post("/cart")
def fill() -> Response:
    session.setdefault("cart", []).append(request.form["thing"])
    return redirect("/", 303)


@app.post("/login")
def login() -> Response:
    # Check a password here. Then the old id, which somebody may have planted, is dead; the cart stays.
    session.regenerate()
    session["user"] = request.form["user"]
    return redirect("/", 303)


@app.post("/logout")
def logout() -> Response:
    # For every copy of the cookie, and whatever other requests are doing.
    session.destroy()
    return redirect("/", 303)


@app.errorhandler(StoreError)
def out_of_order(_: StoreError) -> tuple[str, int, dict[str, str]]:
    return "Please come again in a minute.", 503, {"Retry-After": "60"}
