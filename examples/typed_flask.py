"""A session that is a dataclass.

export FLASK_SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
flask --app examples/typed_flask run
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import Flask, request
from markupsafe import escape

from coatcheck import InvalidSession
from coatcheck.flask import Coatcheck, session
from coatcheck.typed import TypedSession


@dataclass
class Visitor:
    user: str | None = None
    visits: int = 0
    seen: list[str] = field(default_factory=list)


visitor = TypedSession(Visitor)

app = Flask(__name__)
app.config.from_prefixed_env()
Coatcheck(app)


@app.get("/<page>")
def show(page: str) -> str:
    me = visitor.of(session)
    me.visits += 1
    if page not in me.seen:
        me.seen.append(page)
    return f"Visit {me.visits} of {escape(me.user or 'a stranger')}, who has seen {escape(', '.join(me.seen))}."


@app.post("/login")
def login() -> str:
    session.regenerate()
    visitor.of(session).user = request.form["user"]
    return "Welcome!"


@app.errorhandler(InvalidSession)
def begin_anew(_: InvalidSession) -> tuple[str, int]:
    session.destroy()
    return "This site was changed since your last visit. Please sign in again.", 409
