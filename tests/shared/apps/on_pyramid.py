"""Pyramid."""

import os

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from shared.apps.pages import run

from coatcheck.pyramid import session_factory

factory = session_factory(os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))


def page(request: Request) -> Response:
    return Response(run(request.matchdict["name"], request.session, "Pyramid"))


with Configurator(session_factory=factory) as config:
    config.add_route("page", "/{name}")
    config.add_view(page, route_name="page")
    app = config.make_wsgi_app()
