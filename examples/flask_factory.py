"""An application factory as it runs in production: keys from the environment, rotated without a logout.

export FLASK_SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
flask --app examples/flask_factory run --cert adhoc

To rotate, the present key becomes a fallback and a new one takes its place:

export FLASK_SECRET_KEY_FALLBACKS="[\"$FLASK_SECRET_KEY\"]"
export FLASK_SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')

A session of the earlier key is sealed with the new one at its next visit. When
PERMANENT_SESSION_LIFETIME has passed, nothing needs the fallback any more.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, redirect, request
from markupsafe import escape
from werkzeug import Response

from coatcheck import Event
from coatcheck.flask import Coatcheck, session

logger = logging.getLogger(__name__)
pages = Blueprint("pages", __name__)


def report(event: Event) -> None:
    """Logs what happens to sessions. An event holds no key, no token and no content."""
    what = event.kind.value if event.reason is None else f"{event.kind.value}: {event.reason.value}"
    logger.info("session %s %s", event.handle or "-", what)


coatcheck = Coatcheck(on_event=report)


def create_app(**config: Any) -> Flask:
    """Gives the application. What is passed here wins over the environment, and both over what stands here."""
    app = Flask(__name__)
    app.config.update(
        # For this host and https alone: no other host of the domain can set it or is sent it.
        SESSION_COOKIE_NAME="__Host-session",
        SESSION_COOKIE_SECURE=True,
        # Its name before; who has that one stays logged in.
        SESSION_EARLIER_COOKIE_NAMES=["session"],
        # The server enforces both: twelve hours unseen, thirty days whatever happens.
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        SESSION_ABSOLUTE_LIFETIME=timedelta(days=30),
    )
    app.config.from_prefixed_env()
    app.config.update(config)
    coatcheck.init_app(app)
    app.register_blueprint(pages)
    return app


@pages.get("/")
def index() -> str:
    return f"Hello {escape(session.get('user', 'stranger'))}!"


@pages.post("/login")
def login() -> Response:
    # Check a password here. Then begin a new session: nothing from before the login lives on, its id least of all.
    session.destroy()
    session["user"] = request.form["user"]
    return redirect("/", 303)


@pages.post("/logout")
def logout() -> Response:
    session.destroy()
    return redirect("/", 303)
