"""Sessions in Pyramid.

export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
gunicorn --chdir examples pyramid_minimal:app
"""

from __future__ import annotations

import os

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response


def index(request: Request) -> Response:
    return Response(f"Hello {request.session.get('user', 'stranger')}!", content_type="text/plain")


def login(request: Request) -> Response:
    # Check a password here. Then the old id, which somebody may have planted, is dead.
    request.session.regenerate()
    request.session["user"] = request.params["name"]
    return Response("welcome")


def logout(request: Request) -> Response:
    request.session.invalidate()
    return Response("good bye")


def stream(request: Request) -> Response:
    request.session["streams"] = request.session.get("streams", 0) + 1
    return Response(app_iter=(f"{number} ".encode() for number in range(3)), content_type="text/plain")


settings = {"session.secret_key": os.environ["SECRET_KEY"], "coatcheck.store": os.environ.get("SESSION_STORE")}
with Configurator(settings=settings) as config:
    config.include("coatcheck.pyramid")
    for path, view, method in (
        ("/", index, "GET"),
        ("/login", login, "POST"),
        ("/logout", logout, "POST"),
        ("/stream", stream, "GET"),
    ):
        config.add_route(view.__name__, path)
        config.add_view(view, route_name=view.__name__, request_method=method)
    app = config.make_wsgi_app()
