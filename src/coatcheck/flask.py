"""Flask's sessions, kept by coatcheck.

from flask import Flask, session
from coatcheck.flask import Coatcheck

Coatcheck(app)                                       # encrypted, in the cookie
Coatcheck(app, store="redis://localhost:6379/0")     # or on the server
"""

from __future__ import annotations

from abc import ABCMeta
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

try:
    import flask
    from flask.sessions import SessionInterface, SessionMixin
except ImportError as _error:
    raise ImportError("coatcheck.flask needs Flask: pip install 'coatcheck[flask]'") from _error

from coatcheck.accounts import AccountCalls
from coatcheck.bodies import KeepingBody
from coatcheck.config import Configuration, Extension
from coatcheck.core.loaded import Loaded
from coatcheck.core.session import Session
from coatcheck.errors import ReauthenticationRequired, StoreError, TooManySessions
from coatcheck.request_session import RequestSession
from coatcheck.sessions import Sessions
from coatcheck.werkzeug import StoreUnavailable, answerable, protect

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ["Coatcheck", "CoatcheckSessionInterface", "session"]

session: Session = cast(Session, flask.session)
"""Flask's own `session`, typed as what it is here."""

# What extensions ask before they take an object for one of Flask's sessions.
cast(ABCMeta, SessionMixin).register(Session)


class _FlaskSession(RequestSession):
    """The session of one Flask request."""

    _configured: Sessions | None = None

    def __init__(self, interface: CoatcheckSessionInterface, app: flask.Flask, environ: WSGIEnvironment) -> None:
        self._interface = interface
        self._app = app
        self.environ: WSGIEnvironment = environ

    @property
    def sessions(self) -> Sessions:
        """What the configuration came to when this session was first looked at."""
        if self._configured is None:
            self._configured = self._sessions = self._interface.sessions(self._app)
            self.header: str = self.environ.get("HTTP_COOKIE", "")
        return self._configured

    def _load(self) -> Loaded:
        self.sessions  # noqa: B018
        return super()._load()

    def _answerable(self, error: StoreError) -> StoreError:
        return StoreUnavailable(error)

    def _client(self) -> tuple[str, str]:
        return self.environ.get("REMOTE_ADDR", ""), self.environ.get("HTTP_USER_AGENT", "")

    def require_fresh(self, age: timedelta) -> None:
        super().require_fresh(age)
        if self.get("_fresh") is False:
            # Flask-Login's cookie that remembers a user proves nothing anew.
            raise ReauthenticationRequired(True)

    def save(self) -> bool:
        self.sessions  # noqa: B018
        return super().save()


class CoatcheckSessionInterface(Configuration[Sessions], SessionInterface):
    """Keeps Flask's sessions. Takes no arguments and reads everything from `app.config`, as late as possible.

    A subclass may override Flask's `get_cookie_name` and its relatives.
    """

    _kind = Sessions
    _framework = SessionInterface

    def open_session(self, app: flask.Flask, request: flask.Request) -> Session | None:  # type: ignore[override]
        """Gives a session that reads nothing before it is looked at; None, as Flask has it, without a secret key."""
        if not self.has_key(app):
            return None
        session = _FlaskSession(self, app, request.environ)
        if self._overridden:
            # A subclass may look at the request, which is gone when a test's transaction looks at the session.
            session.sessions  # noqa: B018
        return session

    def save_session(self, app: flask.Flask, session: _FlaskSession, response: flask.Response) -> None:  # type: ignore[override]
        """Adds to the response what it must say. Raises `SessionTooLarge`, `Unserializable` and `UsageError`.

        Where the store fails, what the application answers to a `StoreError` takes the
        place of the response: it would have confirmed what is not kept.
        """
        streamed = response.is_streamed and "Content-Length" not in response.headers
        try:
            vary, cookies, _, clears = session.sessions.commit(
                session,
                # In no variable: an error reporter shows them, and the environment has the cookie.
                https=session.environ["wsgi.url_scheme"] == "https",
                host=session.environ.get("HTTP_HOST", ""),
                streamed=streamed,
            )
        except (StoreError, TooManySessions) as error:
            if not _is_current(session):
                # A transaction of a test has no response that anybody sees.
                raise
            _answer_in_place(app, error, response)
            return
        if vary:
            protect(response.headers, no_store=bool(cookies), clears=clears)
        for cookie in cookies:
            response.headers.add("Set-Cookie", cookie)
        if streamed:
            response.response = KeepingBody(cast(Any, response.response), session)
        elif session.accessed and session.sessions.on_server:
            response.call_on_close(session.finish)


class Coatcheck(AccountCalls, Extension[flask.Flask]):
    """Keeps the sessions of a Flask application: in encrypted cookies, or with `store=` on the server.

    `sessions_of`, `revoke`, `revoke_user` and `revoke_everyone` work within an application context.

    Options are Flask's configuration keys in lower case without `SESSION_`
    (`secret_key=`, `cookie_name=`, `permanent_lifetime=`). They win over the
    configuration, which may still change after this.

    Raises `UsageError` for what cannot be right: here, if the configuration
    shows it already, and else when a session is first used.
    """

    _interface = CoatcheckSessionInterface
    _application = flask.Flask

    def init_app(self, app: flask.Flask) -> None:
        """Does for an application what the constructor does for the one it is given."""
        super().init_app(app)
        if find_spec("flask_login") is not None:
            # Here and not above: it is the application's choice to have it.
            import coatcheck.flask_login  # noqa: F401, PLC0415

    def _accounts(self) -> Sessions:
        app: flask.Flask = flask.current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
        return cast(Sessions, self._sessions_of(app))

    def _current(self) -> Session | None:
        return flask.session._get_current_object() if flask.has_request_context() else None  # type: ignore[attr-defined]  # noqa: SLF001

    def _answerable(self, error: StoreError) -> StoreError:
        return StoreUnavailable(error)


def _is_current(session: Session) -> bool:
    try:
        return cast(Any, flask.session)._get_current_object() is session  # noqa: SLF001
    except RuntimeError:
        return False


def _answer_in_place(app: flask.Flask, error: StoreError | TooManySessions, response: flask.Response) -> None:
    """Has the application answer to the error, and makes the response say that."""
    answer = app.make_response(app.handle_user_exception(answerable(error)))
    # The body that is not sent holds what it was made of, a file perhaps.
    getattr(response.response, "close", lambda: None)()
    response.call_on_close(answer.close)
    response.status = answer.status
    response.headers = answer.headers
    response.response = answer.response
    response.direct_passthrough = answer.direct_passthrough
    protect(response.headers, no_store=True)


@flask.got_request_exception.connect
def _reopen(_app: flask.Flask, **_: object) -> None:
    """An error page takes the place of the response that the session may have been committed to."""
    try:
        if isinstance(flask.session, _FlaskSession):
            flask.session.reopen()
    except (AssertionError, AttributeError):
        # The error came before the session was opened, and Flask has none to give.
        return
