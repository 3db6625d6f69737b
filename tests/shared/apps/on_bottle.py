"""Bottle."""

import os

from bottle import Bottle, request
from shared.apps.pages import run

from coatcheck.wsgi import SessionMiddleware

site = Bottle()


@site.get("/<name>")  # type: ignore[untyped-decorator]
def page(name: str) -> str:
    return run(name, request.environ["coatcheck.session"], "Bottle")


app = SessionMiddleware(site, os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))
