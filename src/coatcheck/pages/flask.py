"""The page "where you are signed in" as a blueprint of Flask.

from coatcheck.pages.flask import sessions_page

app.register_blueprint(sessions_page(login_url="/login"), url_prefix="/account/sessions")
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from secrets import token_urlsafe
from typing import Any, Unpack, cast

try:
    import flask
    from flask.blueprints import BlueprintSetupState
except ImportError as _error:
    raise ImportError("coatcheck.pages.flask needs Flask: pip install 'coatcheck[flask]'") from _error

from coatcheck.core.session import Session
from coatcheck.errors import StoreError, UsageError
from coatcheck.flask import CoatcheckSessionInterface
from coatcheck.pages.handler import SessionsPage
from coatcheck.pages.options import PageOptions, PageRequest, check_memory
from coatcheck.pages.rendering import Templates, find_templates
from coatcheck.pages.running import run_page
from coatcheck.werkzeug import StoreUnavailable

__all__ = ["sessions_page"]


def sessions_page(
    name: str = "coatcheck_sessions", *, templates: Templates = None, **options: Unpack[PageOptions]
) -> flask.Blueprint:
    """Gives the blueprint, to be registered where the page is to be.

    A template `coatcheck/sessions.html` or `coatcheck/layout.html` of the application's own
    takes the place of ours.

    Args:
        name: the blueprint's. Its endpoint is `<name>.page`.
        templates: a folder, or a loader of Jinja2, to look in for what the application itself has not.
        options: those of `coatcheck.pages.options.PageOptions`.

    Raises `UsageError` for options that cannot be right, and where it is registered if the configuration
    shows already that nothing remembers which sessions a user has.
    """
    sessions = SessionsPage(options)
    blueprint = flask.Blueprint(name, __name__)
    cast(Any, blueprint).jinja_loader = find_templates(templates)

    def page(**parts: Any) -> flask.Response:
        request = cast(Any, flask.request)._get_current_object()  # noqa: SLF001  # what the proxy stands for
        asked = PageRequest(
            method=request.method,
            path=flask.url_for(".page", **parts),
            accept_language=request.headers.get("Accept-Language", ""),
            form=request.form,
            nonce=token_urlsafe(),
            source=request,
            sign_out=_flask_login(),
        )
        session = _session()
        try:
            reply = run_page(sessions.answer(asked, session), session.sessions)
        except StoreError as error:
            raise error if isinstance(error, StoreUnavailable) else StoreUnavailable(error) from None
        body = flask.render_template(reply.template, **{**reply.context, **_fields()}) if reply.template else ""
        response = flask.Response(body, reply.status)
        response.headers.update(reply.headers)
        return response

    blueprint.add_url_rule("/", view_func=page, methods=["GET", "POST"])
    blueprint.record(_check)
    return blueprint


def _session() -> Any:
    """Gives the session of this request, and with it the sessions of the application."""
    session = cast(Any, flask.session)._get_current_object()  # noqa: SLF001  # as above
    if not isinstance(session, Session):
        raise UsageError("there is no session: the application needs Coatcheck(app), and a secret key")
    return session


def _check(state: BlueprintSetupState) -> None:
    app = cast(flask.Flask, state.app)
    interface = app.session_interface
    # Either may come later; the first request asks again.
    if isinstance(interface, CoatcheckSessionInterface) and interface.has_key(app):
        check_memory(interface.sessions(app))


def _fields() -> dict[str, Any]:
    """Gives what an extension wants in every form of the application, such as Flask-WTF's CSRFProtect."""
    token = flask.current_app.jinja_env.globals.get("csrf_token")
    name = flask.current_app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token")
    return {"fields": {name: token()} if callable(token) else {}}


def _flask_login() -> Callable[[], Any] | None:
    """Gives Flask-Login's way to sign out, where the application has it: its remember cookie goes too."""
    extension = sys.modules.get("flask_login")
    if extension is None or not hasattr(flask.current_app, "login_manager"):
        return None

    def sign_out() -> None:
        extension.logout_user()
        session = _session()
        if session.user_id is not None:
            # What it tells itself to do when the response leaves.
            session.logout(keep=("_remember", "_remember_seconds"))

    return sign_out
