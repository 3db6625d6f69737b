"""Single sign-on with Flask: sign in at an OpenID provider, and be signed out when the provider says so.

pip install 'coatcheck[flask]' Authlib requests
export FLASK_SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
export FLASK_PROVIDER_CLIENT_ID=... FLASK_PROVIDER_CLIENT_SECRET=...
export FLASK_PROVIDER_SERVER_METADATA_URL=https://provider.example/.well-known/openid-configuration
flask --app examples/single_sign_on_flask run

Register there: http://127.0.0.1:5000/callback to come back to after signing in, http://127.0.0.1:5000/
after signing out, and /backchannel-logout for a provider that can reach this machine.
docs/single-sign-on.md says why each of these lines is there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from time import time
from typing import Any

from authlib.integrations.flask_client import OAuth, OAuthError
from flask import Flask, redirect, render_template_string, request, url_for
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from werkzeug import Response

from coatcheck import CsrfError, ReauthenticationRequired
from coatcheck.flask import Coatcheck, session

LIFETIME = timedelta(hours=12)
LEEWAY = 60
ALGORITHMS = ["RS256", "PS256", "ES256"]
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
NO_STORE = {"Cache-Control": "no-store"}

PAGE = """<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<h1>{{ title }}</h1>
{% if session.user_id %}
{% for path, label in {"/email": "Change the e-mail address", "/logout": "Sign out"}.items() %}
<form method="post" action="{{ path }}">
  <input type="hidden" name="csrf" value="{{ session.csrf_token() }}">
  <button>{{ label }}</button>
</form>
{% endfor %}
{% else %}
<p><a href="/login">Sign in</a></p>
{% endif %}
</html>"""

app = Flask(__name__)
app.config.from_mapping(SESSION_REVOCATIONS="sqlite:///revoked.db", SESSION_ABSOLUTE_LIFETIME=LIFETIME)
app.config.from_prefixed_env()
coatcheck = Coatcheck(app)
provider = OAuth(app).register(
    "provider", client_kwargs={"scope": "openid", "code_challenge_method": "S256", "default_timeout": 5}
)


@contextmanager
def ledger() -> Iterator[sqlite3.Connection]:
    """Which session of the provider has begun which of ours, and which logout tokens have been used."""
    with closing(sqlite3.connect("single_sign_on.db")) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS logins (sid TEXT, sub TEXT, handle TEXT, ends REAL)")
        db.execute("CREATE TABLE IF NOT EXISTS used (jti TEXT PRIMARY KEY, ends REAL)")
        db.execute("DELETE FROM logins WHERE ends < ?", [time()])
        db.execute("DELETE FROM used WHERE ends < ?", [time()])
        yield db


def note_login(sid: str, sub: str, handle: str) -> None:
    with ledger() as db:
        db.execute("INSERT INTO logins VALUES (?, ?, ?, ?)", [sid, sub, handle, time() + LIFETIME.total_seconds()])


def show(title: str) -> str:
    return render_template_string(PAGE, title=title)


@app.before_request
def prepare() -> None:
    if request.endpoint in (None, "static", "end_session"):
        return
    if session.user_id is None:
        return
    if request.method == "POST":
        session.check_csrf(request.form.get("csrf"))
    if "sid" in session:
        # The handle that stays when the session gets another id is known from the request after `login` on.
        for info in coatcheck.sessions_of(session.user_id):
            if info.current:
                note_login(session.pop("sid"), str(session.user_id), info.handle)


@app.errorhandler(CsrfError)
def refuse_form(_: CsrfError) -> tuple[str, int]:
    return show("This form is too old. Go back, and load its page again."), 403


@app.errorhandler(ReauthenticationRequired)
def ask_again(error: ReauthenticationRequired) -> Response:
    return go_to_provider(prompt="login", max_age=0) if error.signed_in else redirect("/login")


@app.get("/")
def index() -> str:
    return show(f"Hello {session.user_id or 'stranger'}!")


def go_to_provider(**wishes: Any) -> Response:
    # Each sign-in that was begun and left would stay in the cookie for an hour.
    for key in [key for key in session if key.startswith("_state_provider_")]:
        del session[key]
    answer: Response = provider.authorize_redirect(url_for("callback", _external=True), **wishes)
    return answer


def expected() -> dict[str, Any]:
    issuer = provider.load_server_metadata()["issuer"]
    return {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": provider.client_id}}


@app.get("/login")
def login() -> Response:
    return go_to_provider(max_age=int(LIFETIME.total_seconds()))


@app.get("/callback")
def callback() -> Response | tuple[str, int]:
    wanted = {**expected(), "auth_time": {"essential": True}}
    try:
        claims = provider.authorize_access_token(claims_options=wanted)["userinfo"]
    except (OAuthError, JoseError):
        return show("That did not work, or took too long."), 403
    if time() - claims["auth_time"] > LIFETIME.total_seconds() + 2 * LEEWAY:
        return show("You have signed in there too long ago. Sign out there first."), 403
    session.login(claims["sub"])
    session["auth_time"] = claims["auth_time"]
    if "sid" in claims:
        session["sid"] = claims["sid"]
        note_login(claims["sid"], claims["sub"], session.handle)
    return redirect("/")


@app.post("/callback")
def callback_by_form() -> Response:
    # What another site posts comes without the cookie; the GET that it leads to has it.
    fields: dict[str, Any] = {name: request.form[name] for name in ("code", "state", "error") if name in request.form}
    return redirect(url_for("callback", **fields), 303)


@app.post("/email")
def change_email() -> str:
    age = timedelta(minutes=10)
    session.require_fresh(age)
    # `login` may have come hours after the password: the provider knew the browser.
    if time() - session.get("auth_time", 0) > age.total_seconds():
        raise ReauthenticationRequired(signed_in=True)
    return show("changed")


@app.post("/logout")
def logout() -> Response:
    session.logout()
    if "end_session_endpoint" not in provider.load_server_metadata():
        return redirect("/", 303)
    back = url_for("index", _external=True)
    there = provider.create_logout_url(post_logout_redirect_uri=back, client_id=provider.client_id, state="out")
    return redirect(there["url"], 303)


def read_logout_token(text: str) -> dict[str, Any]:
    """Gives the claims of a good token. Raises `JoseError` or `ValueError` for all others."""
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    try:
        token = jwt.decode(text, KeySet.import_key_set(provider.fetch_jwk_set()), registry=registry)
    except InvalidKeyIdError:  # the provider has a new key
        token = jwt.decode(text, KeySet.import_key_set(provider.fetch_jwk_set(force=True)), registry=registry)
    needed: dict[str, Any] = {name: {"essential": True} for name in ("iat", "exp", "jti", "events")}
    jwt.JWTClaimsRegistry(leeway=LEEWAY, **expected(), **needed).validate(token.claims)
    claims, events = token.claims, token.claims["events"]
    about_logout = isinstance(events, dict) and isinstance(events.get(LOGOUT), dict) and "nonce" not in claims
    if not about_logout or not isinstance(claims.get("sid", claims.get("sub")), str):
        raise ValueError("that is no logout token")
    return claims


@app.post("/backchannel-logout")
def end_session() -> tuple[Any, int, dict[str, str]]:
    try:
        claims = read_logout_token(request.form.get("logout_token", ""))
    except (JoseError, ValueError):
        return {"error": "invalid_request"}, 400, NO_STORE
    with ledger() as db:
        # Undone if what follows raises: the provider may send the token again.
        new = db.execute("INSERT OR IGNORE INTO used VALUES (?, ?)", [claims["jti"], claims["exp"] + LEEWAY])
        if not new.rowcount:
            return {"error": "invalid_request"}, 400, NO_STORE
        if "sid" not in claims:
            coatcheck.revoke_user(claims["sub"])
        else:
            ended = db.execute("DELETE FROM logins WHERE sid = ? RETURNING handle, sub", [claims["sid"]])
            for handle, sub in ended.fetchall():
                coatcheck.revoke(handle, user_id=sub)
    return "", 200, NO_STORE
