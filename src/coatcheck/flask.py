"""Flask's sessions, kept by coatcheck.

    from flask import Flask, session
    from coatcheck.flask import Coatcheck

    Coatcheck(app)
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

try:
    import flask
    from flask.sessions import SessionInterface, SessionMixin
except ImportError as error:
    raise ImportError("coatcheck.flask needs Flask: pip install 'coatcheck[flask]'") from error

from coatcheck.core.engine import Engine
from coatcheck.core.headers import add_no_store, add_vary
from coatcheck.core.keys import Keyring
from coatcheck.core.session import Loaded, Session
from coatcheck.core.settings import OPTIONS, Settings, config_key, normalize
from coatcheck.drive import run
from coatcheck.log import Watch

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ["Coatcheck", "CoatcheckSessionInterface", "session"]

session = cast(Session, flask.session)
"""Flask's own `session`, typed as what it is here."""

# What extensions ask before they take an object for one of Flask's sessions.
SessionMixin.register(Session)

_EXTENSION = "coatcheck"
_CONFIG_KEYS = (*map(config_key, OPTIONS), "APPLICATION_ROOT", "TESTING", "DEBUG")
_GETTERS = {
    f"cookie_{name}": f"get_cookie_{name}"
    for name in ("name", "domain", "path", "httponly", "secure", "samesite", "partitioned")
}
# Configurations that one interface remembers: an application has one, or a few
# where a subclass chooses the cookie name by the request.
_KEEPERS_KEPT = 16


class _Keeper(NamedTuple):
    """What one configuration comes to."""

    engine: Engine
    watch: Watch
    clock: Callable[[], float]


class _FlaskSession(Session):
    """The session of one Flask request."""

    __slots__ = ("_app", "_interface", "environ", "keeper")

    def __init__(self, interface: CoatcheckSessionInterface, app: flask.Flask, environ: WSGIEnvironment) -> None:
        super().__init__(os.urandom)
        self._interface = interface
        self._app = app
        self.environ = environ
        self.keeper: _Keeper | None = None

    def _load(self) -> Loaded:
        keeper = self.keeper = self._interface.keeper(self._app)
        return run(keeper.engine.load(self.environ.get("HTTP_COOKIE", ""), now=keeper.clock()))


class CoatcheckSessionInterface(SessionInterface):
    """Keeps Flask's sessions. Takes no arguments and reads everything from `app.config`, as late as possible.

    A subclass may override Flask's `get_cookie_name` and its relatives.
    """

    def __init__(self) -> None:
        self._keepers: list[tuple[list[object], _Keeper]] = []
        self._overridden = [
            getter for getter in _GETTERS.values() if getattr(type(self), getter) is not getattr(SessionInterface, getter)
        ]

    def open_session(self, app: flask.Flask, request: flask.Request) -> Session | None:  # type: ignore[override]
        """Gives a session that reads nothing before it is looked at; None, as Flask has it, without a secret key."""
        if not app.config["SECRET_KEY"] and not _keyword(app, "secret_key"):
            return None
        return _FlaskSession(self, app, request.environ)

    def save_session(self, app: flask.Flask, session: _FlaskSession, response: flask.Response) -> None:  # type: ignore[override]
        """Adds to the response what it must say. Raises `SessionTooLarge`, `Unserializable` and `UsageError`."""
        keeper = session.keeper or self.keeper(app)
        https = session.environ["wsgi.url_scheme"] == "https"
        vary, cookies, insecure = run(keeper.engine.commit(session, now=keeper.clock(), https=https))
        headers = response.headers
        if vary and (value := add_vary(headers.getlist("Vary"))) is not None:
            headers["Vary"] = value
        if cookies:
            for cookie in cookies:
                headers.add("Set-Cookie", cookie)
            if (value := add_no_store(headers.getlist("Cache-Control"))) is not None:
                headers["Cache-Control"] = value
            if insecure:
                keeper.watch.insecure(session.environ.get("HTTP_HOST", ""))

    def check(self, app: flask.Flask) -> None:
        """Raises `UsageError` if the configuration, as far as it is there, cannot be right."""
        if app.config["SECRET_KEY"] or _keyword(app, "secret_key"):
            self.keeper(app)
        else:
            self._read(app)

    def keeper(self, app: flask.Flask) -> _Keeper:
        """Gives what the configuration comes to now. It is built anew only when something in it has changed."""
        get = app.config.get
        seen: list[object] = [
            app.extensions.get(_EXTENSION),
            *map(get, _CONFIG_KEYS),
            # By its members too: this list is changed in place when keys are rotated.
            *(get("SECRET_KEY_FALLBACKS") or ()),
            *[getattr(self, getter)(app) for getter in self._overridden],
        ]
        for known, keeper in self._keepers:
            if known == seen:
                return keeper
        keeper = self._build(app)
        self._keepers = [(seen, keeper), *self._keepers[: _KEEPERS_KEPT - 1]]
        return keeper

    def _build(self, app: flask.Flask) -> _Keeper:
        settings, others = self._read(app)
        watch = Watch(others.get("on_event"))
        keyring = Keyring(
            others["secret_key"],
            others.get("secret_key_fallbacks", ()),
            allow_weak=settings.allow_weak_key or app.debug or app.testing,
        )
        for weakness in keyring.weaknesses:
            watch.weak_key(weakness)
        engine = Engine(settings, keyring, random=os.urandom, emit=watch)
        return _Keeper(engine, watch, others.get("clock", time.time))

    def _read(self, app: flask.Flask) -> tuple[Settings, dict[str, Any]]:
        """Gives the policy, and the options that are no part of it."""
        options: dict[str, Any] = {option: app.config.get(config_key(option)) for option in OPTIONS}
        options |= {option: getattr(self, getter)(app) for option, getter in _GETTERS.items()}
        # Flask's default says False where nobody has said anything. A keyword means what it says.
        options["cookie_secure"] = options["cookie_secure"] or None
        if (extension := app.extensions.get(_EXTENSION)) is not None:
            options |= extension.options
        return Settings.read({option: value for option, value in options.items() if value is not None})


class Coatcheck:
    """Puts the sessions of a Flask application into encrypted cookies.

    Options are Flask's configuration keys in lower case without `SESSION_`
    (`secret_key=`, `cookie_name=`, `permanent_lifetime=`). They win over the
    configuration, which may still change after this.

    Raises `UsageError` for what cannot be right: here, if the configuration
    shows it already, and else when a session is first used.
    """

    def __init__(self, app: flask.Flask | None = None, **options: Any) -> None:
        self.options = normalize(options)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Does for an application what the constructor does for the one it is given."""
        interface = CoatcheckSessionInterface()
        app.extensions[_EXTENSION] = self
        interface.check(app)
        app.session_interface = interface


def _keyword(app: flask.Flask, option: str) -> Any:
    extension = app.extensions.get(_EXTENSION)
    return None if extension is None else extension.options.get(option)
