"""Sessions that the browser can neither read nor change.

export FLASK_SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
flask --app examples/flask_minimal run
"""

from flask import Flask, session

from coatcheck.flask import Coatcheck

app = Flask(__name__)
app.config.from_prefixed_env()
Coatcheck(app)


@app.get("/")
def index() -> str:
    session["visits"] = session.get("visits", 0) + 1
    return f"Visit {session['visits']}"
