"""Signing in with Flask: log in, log out, see where else you are signed in and end that, change the password.

pip install 'coatcheck[flask,pages,devices]'
export FLASK_SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
flask --app examples/sign_in_flask run

Open http://127.0.0.1:5000 in two browsers, sign in as xiaoming with the password
"correct horse", and have one of them end the other.
"""

from __future__ import annotations

from datetime import timedelta

from flask import Flask, redirect, render_template_string, request
from werkzeug import Response
from werkzeug.security import check_password_hash, generate_password_hash

from coatcheck import CsrfError, ReauthenticationRequired
from coatcheck.flask import Coatcheck, session
from coatcheck.pages.flask import sessions_page

app = Flask(__name__)
# Encrypted cookies, and a small file that remembers which of them have been ended.
app.config.from_mapping(SESSION_REVOCATIONS="sqlite:///revoked.db", SESSION_PRESET="aal1")
app.config.from_prefixed_env()
coatcheck = Coatcheck(app)
app.register_blueprint(sessions_page(login_url="/login"), url_prefix="/account/sessions")

# Yours are in a database.
USERS = {"xiaoming": generate_password_hash("correct horse")}
# Checked for names that there are not, so that they take as long.
NOBODY = generate_password_hash("")

PAGE = """<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<h1>{{ title }}</h1>
{% if problem %}<p role="alert">{{ problem }}</p>{% endif %}
{% if fields %}
<form method="post">
  <input type="hidden" name="csrf" value="{{ session.csrf_token() }}">
  {% for name, label in fields.items() %}
  <p><label>{{ label }}
    <input name="{{ name }}" required type="{{ 'text' if name == 'name' else 'password' }}"></label></p>
  {% endfor %}
  <button>{{ title }}</button>
</form>
{% elif session.user_id %}
<ul>
  <li><a href="/account/sessions/">Where you are signed in</a></li>
  <li><a href="/password">Change the password</a></li>
</ul>
<form method="post" action="/logout">
  <input type="hidden" name="csrf" value="{{ session.csrf_token() }}">
  <button>Sign out</button>
</form>
{% else %}
<p><a href="/login">Sign in</a></p>
{% endif %}
</html>"""


def show(title: str, problem: str = "", **fields: str) -> str:
    return render_template_string(PAGE, title=title, problem=problem, fields=fields)


def is_right(name: str, password: str) -> bool:
    return check_password_hash(USERS.get(name, NOBODY), password) and name in USERS


@app.before_request
def check_form() -> None:
    # The page of the sessions checks its own.
    if request.method == "POST" and request.blueprint is None:
        session.check_csrf(request.form.get("csrf"))


@app.errorhandler(CsrfError)
def refuse_form(_: CsrfError) -> tuple[str, int]:
    return show("This form is too old. Go back, and load its page again."), 403


@app.errorhandler(ReauthenticationRequired)
def ask_again(_: ReauthenticationRequired) -> Response:
    return redirect("/login", 303)


@app.get("/")
def index() -> str:
    return show(f"Hello {session.user_id or 'stranger'}!")


@app.route("/login", methods=["GET", "POST"])
def login() -> str | Response | tuple[str, int]:
    fields = {"name": "Name", "password": "Password"}
    if request.method == "GET":
        return show("Sign in", **fields)
    name = request.form.get("name", "")
    if not is_right(name, request.form.get("password", "")):
        return show("Sign in", "The name or the password is wrong.", **fields), 403
    session.login(name)
    return redirect("/", 303)


@app.post("/logout")
def logout() -> Response:
    session.logout()
    return redirect("/", 303)


@app.route("/password", methods=["GET", "POST"])
def change_password() -> str | Response | tuple[str, int]:
    # Whoever finds a browser that was left open cannot take over the account.
    session.require_fresh(timedelta(minutes=10))
    name = str(session.user_id)
    fields = {"old": "Present password", "new": "New password"}
    if request.method == "GET":
        return show("Change the password", **fields)
    if not is_right(name, request.form.get("old", "")):
        return show("Change the password", "The present password is wrong.", **fields), 403
    if len(request.form.get("new", "")) < 8:
        return show("Change the password", "The new password needs 8 characters or more.", **fields), 422
    USERS[name] = generate_password_hash(request.form["new"])
    # Whoever knew the old one is signed out, wherever that is.
    coatcheck.revoke_user(name, keep=session)
    session.regenerate()
    return redirect("/account/sessions/", 303)
