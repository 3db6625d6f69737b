"""Signing in and out: whose session it is, and since when.

A name is enough here. Wherever `session.login` is called, a real site has just checked a password.
"""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, g, redirect, request, url_for
from pages import show
from werkzeug import Response as AnyResponse
from words import say

from coatcheck import CsrfError, ReauthenticationRequired
from coatcheck.flask import session

FRESH = timedelta(minutes=1)
LONGEST_NAME = 60

account = Blueprint("account", __name__, url_prefix="/account")


@account.before_request
def check_form() -> None:
    if request.method == "POST":
        session.check_csrf(request.form.get("csrf"))


@account.get("/")
def page() -> Response:
    return _show("account.html")


@account.get("/login/")
def login() -> Response:
    return _show("login.html")


@account.post("/login/")
def sign_in() -> AnyResponse:
    name = request.form.get("name", "").strip()
    if not 0 < len(name) <= LONGEST_NAME:
        return _show("login.html", say("no_name", longest=LONGEST_NAME), 422)
    session.login(name)
    return _go("page")


@account.post("/logout/")
def logout() -> AnyResponse:
    session.logout()
    return _go("page")


@account.get("/private/")
def private() -> Response:
    session.require_fresh(FRESH)
    return _show("private.html")


@account.get("/confirm/")
def confirm() -> AnyResponse:
    if session.user_id is None:
        return _go("login")
    return _show("confirm.html")


@account.post("/confirm/")
def confirmed() -> AnyResponse:
    if session.user_id is not None:
        session.login(session.user_id)
    return _go("private")


@account.errorhandler(ReauthenticationRequired)
def ask_again(error: ReauthenticationRequired) -> AnyResponse:
    return _go("confirm" if error.signed_in else "login")


@account.errorhandler(CsrfError)
def refuse_form(_: CsrfError) -> Response:
    return _show("login.html" if session.user_id is None else "account.html", say("old_form"), 403)


def _show(template: str, problem: str = "", status: int = 200) -> Response:
    # Why a browser that sent a cookie has no session: it was ended from elsewhere, perhaps. Known after the first look.
    reason = g.get("reason") if session.new else None
    response = show(template, problem=problem, reason=reason, fresh=FRESH, longest_name=LONGEST_NAME)
    response.status_code = status
    return response


def _go(view: str) -> AnyResponse:
    return redirect(url_for(f"account.{view}"), 303)
