"""The page that shows a session from both ends.

For a demonstration only: it prints the visitor's own cookie, and HttpOnly is
there so that no page can.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple, cast

from anatomy import parts, read_without_key
from flask import Blueprint, Response, current_app, g, redirect, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.sessions import SecureCookieSessionInterface
from pages import now, show

from coatcheck import Event, Keyring, Session, Settings
from coatcheck.core.cookie import LIMIT_BYTES, CookieWriter, find_values
from coatcheck.core.events import Rejected
from coatcheck.core.text import decode
from coatcheck.core.token import TokenSealer

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

inspector = Blueprint("inspector", __name__)


class Sealed(NamedTuple):
    """What the key opens beside the content."""

    key_id: str
    by_primary: bool
    created_at: int
    sealed_at: int
    ends_at: float


@inspector.record_once
def _listen(state: BlueprintSetupState) -> None:
    # As `Coatcheck(app, on_event=...)` would; the program itself then needs no word about it.
    state.app.config["SESSION_ON_EVENT"] = _note


def _note(event: Event) -> None:
    if event.reason is not None:
        g.reason = event.reason.value


@inspector.get("/inspect/")
def inspect() -> Response:
    """Shows the cookie of this request and what it opens to."""
    # A second session of this request, which nobody saves: not even its lifetime begins anew.
    session = cast(Session, current_app.session_interface.open_session(current_app, request))
    name, values = _cookies()
    value, sealed = (values[0] if values else None), None
    if not session.new:
        value, sealed = _open(values)
    return show(
        "inspect.html",
        after=request.args.get("after"),
        name=name,
        value=value,
        size=len(name) + len(value or ""),
        limit=LIMIT_BYTES,
        attributes=_attributes(session.permanent, sealed),
        parts=parts(value or ""),
        content=dict(session),
        flask_value=_flask_value(dict(session)),
        read_without_key=read_without_key,
        session=session,
        sealed=sealed,
        reason=g.get("reason"),
    )


@inspector.get("/favicon.ico")
def icon() -> Response:
    """What browsers ask for beside a page that names no icon, as Hello World! does not."""
    return current_app.send_static_file("icon.svg")


@inspector.post("/inspect/")
def play() -> Response:
    """Does what a button says, and comes back."""
    action = request.form.get("action", "")
    _, values = _cookies()
    if action in ("index", "delete_user"):
        current_app.ensure_sync(current_app.view_functions[action])()
    elif action != "tamper" or not values:
        return _back(None)
    response = _back(action)
    if action == "tamper":
        middle = len(values[0]) // 2
        value = values[0][:middle] + _other(values[0][middle]) + values[0][middle + 1 :]
        lifetime = int(current_app.permanent_session_lifetime.total_seconds())
        cookie = _writer().write(value, https=request.is_secure, max_age=lifetime, now=int(now()))
        response.headers.add("Set-Cookie", cookie)
        response.headers["Cache-Control"] = "no-store"
    return response


def _back(action: str | None) -> Response:
    return cast(Response, redirect(url_for("inspector.inspect", after=action), 303))


def _other(character: str) -> str:
    """Gives another character of a token; for that one, the first again."""
    return _ALPHABET[_ALPHABET.find(character) ^ 1]


def _cookies() -> tuple[str, tuple[str, ...]]:
    name = current_app.config["SESSION_COOKIE_NAME"]
    return name, find_values(request.headers.get("Cookie", ""), name)


def _writer() -> CookieWriter:
    lifetime = current_app.permanent_session_lifetime
    return CookieWriter(current_app.config["SESSION_COOKIE_NAME"], Settings(permanent_lifetime=lifetime))


def _attributes(permanent: bool, sealed: Sealed | None) -> list[str]:
    """Gives the attributes that the cookie came with. A browser sends none back, so they are written once more."""
    if sealed is None:
        return []
    lifetime = int(current_app.permanent_session_lifetime.total_seconds()) if permanent else None
    cookie = _writer().write("", https=request.is_secure, max_age=lifetime, now=sealed.sealed_at)
    return cookie.split("; ")[1:]


def _open(values: tuple[str, ...]) -> tuple[str, Sealed]:
    """Gives the cookie that opens, and what it says beside the content. This needs the key."""
    keyring = Keyring(current_app.config["SECRET_KEY"], current_app.config["SECRET_KEY_FALLBACKS"] or ())
    sealer = TokenSealer(keyring, "", current_app.config["SESSION_COOKIE_NAME"], os.urandom)
    lifetime = current_app.permanent_session_lifetime.total_seconds()
    for value in values:
        try:
            record, by_primary = sealer.open(value, now())
        except Rejected:
            continue
        key_id = decode(value)[1:5].hex()
        ends_at = record.sealed_at + lifetime
        return value, Sealed(key_id, by_primary, record.created_at, record.sealed_at, ends_at)
    raise AssertionError("a session that is not new was read from one of the cookies")


def _flask_value(content: dict[str, Any]) -> str | None:
    """Gives the cookie that Flask would have set; None for content that its session cannot keep."""
    serializer = SecureCookieSessionInterface().get_signing_serializer(current_app)
    try:
        return str(serializer.dumps(content)) if serializer else None
    except TypeError:
        return None
