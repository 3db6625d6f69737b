"""Falcon, by WSGI."""

import os

import falcon
from shared.apps.pages import run

from coatcheck.wsgi import SessionMiddleware


class Page:
    def on_get(self, request: falcon.Request, response: falcon.Response, name: str) -> None:
        response.text = run(name, request.env["coatcheck.session"], "Falcon")


site = falcon.App()
site.add_route("/{name}", Page())
app = SessionMiddleware(site, os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))
