"""Flask-Login's `login_user`, `logout_user` and `confirm_login` do what `session.login` and `session.logout` do.

`coatcheck.flask.Coatcheck` imports this where Flask-Login is installed; an application needs no line for it.
"""

from __future__ import annotations

from typing import Any

import flask
from flask_login import signals

from coatcheck.core.session import Session

_USER = "_user_id"
# What Flask-Login keeps in a session, and what it leaves there for the page that somebody was on the way to.
_KEYS = (_USER, "_fresh", "_id", "_remember", "_remember_seconds", "next")


def _session() -> Session | None:
    """Gives the session of this request, if it is one of ours."""
    found: Any = flask.session._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return found if isinstance(found, Session) else None


def _sign_in(_app: flask.Flask, **_: object) -> None:
    """Gives the session a new id, in which the user stays signed in. Another user's content does not stay."""
    session = _session()
    user_id = None if session is None else session.get(_USER)
    if session is not None and user_id is not None:
        session.login(user_id, keep=_KEYS)


def _sign_out(_app: flask.Flask, user: Any = None, **_: object) -> None:
    """Ends the session. What Flask-Login leaves in it begins another, which is nobody's."""
    session = _session()
    if session is None or session.get(_USER) is not None:
        return
    # The session may be older than this library in the application.
    if session.user_id is not None or getattr(user, "is_authenticated", False):
        session.logout(keep=tuple(session))


signals.user_logged_in.connect(_sign_in)
signals.user_login_confirmed.connect(_sign_in)
# By the cookie that remembers a user, when the session is over.
signals.user_loaded_from_cookie.connect(_sign_in)
signals.user_logged_out.connect(_sign_out)
# The browser has another address or agent than at the login, and the application wants that to end it.
signals.session_protected.connect(_sign_out)
