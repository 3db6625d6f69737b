"""Flask's sessions, kept by coatcheck.

from flask import Flask, session
from coatcheck.flask import Coatcheck

Coatcheck(app)                                       # encrypted, in the cookie
Coatcheck(app, store="redis://localhost:6379/0")     # or on the server
"""

from __future__ import annotations

import os
from abc import ABCMeta
from collections.abc import Iterable
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

try:
    import flask
    from flask.sessions import SessionInterface, SessionMixin
    from werkzeug.datastructures import Headers
    from werkzeug.exceptions import ServiceUnavailable
except ImportError as _error:
    raise ImportError("coatcheck.flask needs Flask: pip install 'coatcheck[flask]'") from _error

from coatcheck.core.headers import protection
from coatcheck.core.session import Loaded, Session
from coatcheck.core.settings import OPTIONS, Settings, config_key, normalize
from coatcheck.errors import StoreError, UsageError
from coatcheck.sessions import RequestSession, Sessions
from coatcheck.stores.protocols import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ["Coatcheck", "CoatcheckSessionInterface", "session"]

session: Session = cast(Session, flask.session)
"""Flask's own `session`, typed as what it is here."""

# What extensions ask before they take an object for one of Flask's sessions.
cast(ABCMeta, SessionMixin).register(Session)

_LISTS = ("SECRET_KEY_FALLBACKS", "SESSION_EARLIER_COOKIE_NAMES", "SESSION_MERGE")
_CONFIG_KEYS = (*_LISTS, *map(config_key, OPTIONS), "APPLICATION_ROOT", "TESTING", "DEBUG")
_read_all = itemgetter(*_CONFIG_KEYS)
_GETTERS = {
    f"cookie_{name}": f"get_cookie_{name}"
    for name in ("name", "domain", "path", "httponly", "secure", "samesite", "partitioned")
}
# Configurations that one interface remembers: an application has one, or a few
# where a subclass chooses the cookie name by the request.
_CONFIGURATIONS_KEPT = 16


class _StoreUnavailable(StoreError, ServiceUnavailable):
    """Answers 503 where the application has no handler for `StoreError`. The visitor is told no more than that."""

    def __init__(self, error: StoreError) -> None:
        ServiceUnavailable.__init__(self)
        self.args = error.args

    def __str__(self) -> str:
        return Exception.__str__(self)


class _FlaskSession(RequestSession):
    """The session of one Flask request."""

    __slots__ = ("_app", "_configured", "_interface", "environ")

    def __init__(self, interface: CoatcheckSessionInterface, app: flask.Flask, environ: WSGIEnvironment) -> None:
        self._random = os.urandom
        self._data = None
        self._closed = self._forced = self.accessed = self._failed_to_load = False
        self._configured: Sessions | None = None
        self._interface = interface
        self._app = app
        self.environ: WSGIEnvironment = environ

    @property
    def sessions(self) -> Sessions:
        """What the configuration came to when this session was first looked at."""
        if self._configured is None:
            self._configured = self._sessions = self._interface.sessions(self._app)
            self.header = self.environ.get("HTTP_COOKIE", "")
        return self._configured

    def _load(self) -> Loaded:
        try:
            self.sessions  # noqa: B018
            return super()._load()
        except StoreError as error:
            raise _StoreUnavailable(error) from None

    def finish(self) -> None:
        """Keeps what the body of the response has changed."""
        if self._data is not None:
            self.save()


class CoatcheckSessionInterface(SessionInterface):
    """Keeps Flask's sessions. Takes no arguments and reads everything from `app.config`, as late as possible.

    A subclass may override Flask's `get_cookie_name` and its relatives.
    """

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self._configured: list[tuple[tuple[object, ...], Sessions]] = []
        self._warned: set[str] = set()
        self._stores: dict[str, Store] = {}
        self._overridden = [
            getter
            for getter in _GETTERS.values()
            if getattr(type(self), getter) is not getattr(SessionInterface, getter)
        ]

    def open_session(self, app: flask.Flask, request: flask.Request) -> Session | None:  # type: ignore[override]
        """Gives a session that reads nothing before it is looked at; None, as Flask has it, without a secret key."""
        if not app.config["SECRET_KEY"] and "secret_key" not in self.options:
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
        environ = session.environ
        streamed = response.is_streamed and "Content-Length" not in response.headers
        try:
            vary, cookies, _ = session.sessions.commit(
                session,
                https=environ["wsgi.url_scheme"] == "https",
                host=environ.get("HTTP_HOST", ""),
                streamed=streamed,
            )
        except StoreError as error:
            if not _is_current(session):
                # A transaction of a test has no response that anybody sees.
                raise
            _answer_in_place(app, error, response)
            return
        if vary:
            _protect(response.headers, no_store=bool(cookies))
        for cookie in cookies:
            response.headers.add("Set-Cookie", cookie)
        if streamed or (session.accessed and session.sessions.on_server):
            response.call_on_close(session.finish)

    def check(self, app: flask.Flask) -> None:
        """Raises `UsageError` if the configuration, as far as it is there, cannot be right."""
        if app.config["SECRET_KEY"] or "secret_key" in self.options:
            self.sessions(app)
            return
        try:
            Settings.read(self._read(app))
        except UsageError as error:
            raise error.with_traceback(None) from None

    def sessions(self, app: flask.Flask) -> Sessions:
        """Gives what the configuration comes to now. It is built anew only when something in it has changed."""
        config = app.config
        try:
            seen: tuple[object, ...] = _read_all(config)
        except KeyError:
            # Asking for all keys in one call takes a third of the time, and needs all to be there.
            for key in _CONFIG_KEYS:
                config.setdefault(key, None)
            seen = _read_all(config)
        if seen[0] or seen[1] or seen[2] or self._overridden:
            # By their members: these may be changed in place, as when keys are rotated.
            seen += (
                *_members(seen[0]),
                None,
                *_members(seen[1]),
                *_members(seen[2]),
                *[getattr(self, name)(app) for name in self._overridden],
            )
        for known, sessions in self._configured:
            if known == seen:
                return sessions
        try:
            sessions = self._build(app)
        except (UsageError, ImportError) as error:
            # An error reporter shows the variables of the frames, and these hold keys.
            del config, seen
            self._configured = []
            raise error.with_traceback(None) from None
        self._configured = [(seen, sessions), *self._configured[: _CONFIGURATIONS_KEPT - 1]]
        return sessions

    def _build(self, app: flask.Flask) -> Sessions:
        options = self._read(app)
        sessions = Sessions(options, debug=app.debug or app.testing, warned=self._warned, opened=self._stores)
        if app.config.get("SESSION_TYPE") and sessions.stores[0] is None:
            sessions.watch.session_type()
        return sessions

    def _read(self, app: flask.Flask) -> dict[str, Any]:
        options: dict[str, Any] = {option: app.config.get(config_key(option)) for option in OPTIONS}
        options |= {option: getattr(self, getter)(app) for option, getter in _GETTERS.items()}
        # Flask's default says False where nobody has said anything. A keyword means what it says.
        options["cookie_secure"] = options["cookie_secure"] or None
        return {**options, **self.options}


class Coatcheck:
    """Keeps the sessions of a Flask application: in encrypted cookies, or with `store=` on the server.

    Options are Flask's configuration keys in lower case without `SESSION_`
    (`secret_key=`, `cookie_name=`, `permanent_lifetime=`). They win over the
    configuration, which may still change after this.

    Raises `UsageError` for what cannot be right: here, if the configuration
    shows it already, and else when a session is first used.
    """

    def __init__(self, app: flask.Flask | None = None, **options: Any) -> None:
        try:
            self.options: dict[str, Any] = normalize(options)
        except UsageError as error:
            del options
            raise error.with_traceback(None) from None
        del options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Does for an application what the constructor does for the one it is given."""
        interface = CoatcheckSessionInterface()
        interface.options = self.options
        interface.check(app)
        app.session_interface = interface
        app.extensions["coatcheck"] = self


def _is_current(session: Session) -> bool:
    try:
        return cast(Any, flask.session)._get_current_object() is session  # noqa: SLF001
    except RuntimeError:
        return False


def _answer_in_place(app: flask.Flask, error: StoreError, response: flask.Response) -> None:
    """Has the application answer to the error, and makes the response say that."""
    if not isinstance(error, _StoreUnavailable):
        error = _StoreUnavailable(error)
    answer = app.make_response(app.handle_user_exception(error))
    # The body that is not sent holds what it was made of, a file perhaps.
    getattr(response.response, "close", lambda: None)()
    response.call_on_close(answer.close)
    response.status = answer.status
    response.headers = answer.headers
    response.response = answer.response
    response.direct_passthrough = answer.direct_passthrough
    _protect(response.headers, no_store=True)


def _protect(headers: Headers, *, no_store: bool) -> None:
    """Tells caches that the response depends on the session, and that they must not store it."""
    for name, value in protection(headers, no_store=no_store).items():
        headers[name] = value


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.items()
    return value if isinstance(value, (list, tuple)) else ()


@flask.got_request_exception.connect
def _reopen(_app: flask.Flask, **_: object) -> None:
    """An error page takes the place of the response that the session may have been committed to."""
    try:
        if isinstance(flask.session, _FlaskSession):
            flask.session.reopen()
    except (AssertionError, AttributeError):
        # The error came before the session was opened, and Flask has none to give.
        return
