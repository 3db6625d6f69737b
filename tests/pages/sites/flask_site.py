"""A site on Flask with the page. `python -m gunicorn 'pages.sites.flask_site:serve()'` serves it."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, redirect, request, session
from kit import SECRET
from werkzeug import Response

from coatcheck.flask import Coatcheck
from coatcheck.flask import session as ours
from coatcheck.pages.flask import sessions_page


def make(page: dict[str, Any], **options: Any) -> Flask:
    """Gives the site.

    Args:
        page: the options of the page.
        options: those of the sessions.
    """
    app = Flask(__name__)
    app.config["SECRET_KEY"] = SECRET
    Coatcheck(app, **options)

    @app.get("/")
    def index() -> str:
        return f"{ours.user_id or 'nobody'} has {dict(session).get('cart', 'nothing')}"

    @app.get("/login")
    def login() -> Response:
        ours.login(request.args["user"])
        return redirect("/")

    @app.get("/buy")
    def buy() -> str:
        session["cart"] = "figs"
        return "bought"

    app.register_blueprint(sessions_page(**page), url_prefix="/account/sessions")
    return app


def serve() -> Flask:
    return make({"login_url": "/"}, store=os.environ["SESSION_STORE"])
