"""Quart."""

import os

from quart import Quart
from shared.apps.pages import run

from coatcheck.quart import Coatcheck, session

app = Quart(__name__)
Coatcheck(app, secret_key=os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))


@app.get("/<name>")
async def page(name: str) -> str:
    return run(name, session, "Quart")
