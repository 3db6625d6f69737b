"""Flask."""

import os

from flask import Flask
from shared.apps.pages import run

from coatcheck.flask import Coatcheck, session

app = Flask(__name__)
Coatcheck(app, secret_key=os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))


@app.get("/<name>")
def page(name: str) -> str:
    return run(name, session, "Flask")
