"""Flask's sessions, kept by coatcheck.

from flask import Flask, session
from coatcheck.flask import Coatcheck

Coatcheck(app)                                       # encrypted, in the cookie
Coatcheck(app, store="redis://localhost:6379/0")     # or on the server
"""

from __future__ import annotations

import os
import time
from abc import ABCMeta
from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

try:
    import flask
    from flask.sessions import SessionInterface, SessionMixin
    from werkzeug.datastructures import Headers
    from werkzeug.exceptions import ServiceUnavailable
except ImportError as _error:
    raise ImportError("coatcheck.flask needs Flask: pip install 'coatcheck[flask]'") from _error

from coatcheck.core.engine import Engine
from coatcheck.core.headers import add_no_store, add_vary
from coatcheck.core.keys import Keyring
from coatcheck.core.session import Loaded, Session
from coatcheck.core.settings import OPTIONS, Settings, config_key, normalize
from coatcheck.drive import run
from coatcheck.errors import StoreError, UsageError
from coatcheck.log import Watch
from coatcheck.stores.opening import open_store
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
_KEEPERS_KEPT = 16


class _Keeper(NamedTuple):
    """What one configuration comes to."""

    engine: Engine
    watch: Watch
    clock: Callable[[], float]
    stores: tuple[Store | None, ...]


class _StoreUnavailable(StoreError, ServiceUnavailable):
    """Answers 503 where the application has no handler for `StoreError`. The visitor is told no more than that."""

    def __init__(self, error: StoreError) -> None:
        ServiceUnavailable.__init__(self)
        self.args = error.args

    def __str__(self) -> str:
        return Exception.__str__(self)


class _FlaskSession(Session):
    """The session of one Flask request."""

    __slots__ = ("_app", "_interface", "_store_down", "environ", "keeper")

    def __init__(self, interface: CoatcheckSessionInterface, app: flask.Flask, environ: WSGIEnvironment) -> None:
        self._random = os.urandom
        self._data = None
        self._closed = self._forced = self.accessed = False
        self._interface = interface
        self._app = app
        self.environ: WSGIEnvironment = environ
        self.keeper: _Keeper | None = None
        self._store_down = False

    def _load(self) -> Loaded:
        if self.keeper is None:
            self.keeper = self._interface.keeper(self._app)
        keeper = self.keeper
        now = keeper.clock()
        if self._store_down:
            # The application knows. Its error page may look too, as layouts do, and must not wait and fail again.
            return Loaded({}, None, False, (), int(now), down=True)
        try:
            return run(keeper.engine.load(self.environ.get("HTTP_COOKIE", ""), now=now), keeper.stores)
        except StoreError as error:
            self._store_down = True
            keeper.watch.store_down(error)
            raise _StoreUnavailable(error) from None


class CoatcheckSessionInterface(SessionInterface):
    """Keeps Flask's sessions. Takes no arguments and reads everything from `app.config`, as late as possible.

    A subclass may override Flask's `get_cookie_name` and its relatives.
    """

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self._keepers: list[tuple[tuple[object, ...], _Keeper]] = []
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
            session.keeper = self.keeper(app)
        return session

    def save_session(self, app: flask.Flask, session: _FlaskSession, response: flask.Response) -> None:  # type: ignore[override]
        """Adds to the response what it must say. Raises `SessionTooLarge`, `Unserializable` and `UsageError`.

        Where the store fails, what the application answers to a `StoreError` takes the
        place of the response: it would have confirmed what is not kept.
        """
        keeper = session.keeper or self.keeper(app)
        https = session.environ["wsgi.url_scheme"] == "https"
        now = keeper.clock()
        try:
            vary, cookies, insecure = run(keeper.engine.commit(session, now=now, https=https), keeper.stores)
        except StoreError as error:
            keeper.watch.store_down(error)
            if not _is_current(session):
                # A transaction of a test has no response that anybody sees.
                raise
            _answer_in_place(app, error, response)
            return
        if vary:
            _protect(response.headers, no_store=bool(cookies))
        for cookie in cookies:
            response.headers.add("Set-Cookie", cookie)
        if insecure:
            keeper.watch.insecure(session.environ.get("HTTP_HOST", ""))

    def check(self, app: flask.Flask) -> None:
        """Raises `UsageError` if the configuration, as far as it is there, cannot be right."""
        if app.config["SECRET_KEY"] or "secret_key" in self.options:
            self.keeper(app)
            return
        try:
            self._read(app)
        except UsageError as error:
            raise error.with_traceback(None) from None

    def keeper(self, app: flask.Flask) -> _Keeper:
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
        for known, keeper in self._keepers:
            if known == seen:
                return keeper
        try:
            keeper = self._build(app)
        except (UsageError, ImportError) as error:
            # An error reporter shows the variables of the frames, and these hold keys.
            del config, seen
            self._keepers = []
            raise error.with_traceback(None) from None
        self._keepers = [(seen, keeper), *self._keepers[: _KEEPERS_KEPT - 1]]
        return keeper

    def _build(self, app: flask.Flask) -> _Keeper:
        settings, others = self._read(app)
        watch = Watch(others.get("on_event"), self._warned)
        keyring = Keyring(
            others["secret_key"],
            others.get("secret_key_fallbacks", ()),
            allow_weak=settings.allow_weak_key or app.debug or app.testing,
        )
        for weakness in keyring.weaknesses:
            watch.weak_key(weakness)
        clock = others.get("clock", time.time)
        stores = tuple(self._open_store(others.get(option), option) for option in ("store", "earlier_store"))
        if stores[0] is not None and stores[0] is stores[1]:
            raise UsageError("store and earlier_store are the same")
        if app.config.get("SESSION_TYPE") and stores[0] is None:
            watch.session_type()
        store, earlier_store = (opened is not None for opened in stores)
        engine = Engine(settings, keyring, random=os.urandom, emit=watch, store=store, earlier_store=earlier_store)
        return _Keeper(engine, watch, clock, stores)

    def _open_store(self, store: Any, option: str) -> Store | None:
        if isinstance(store, str):
            # Another configuration of the same application may name it too: the connections are shared.
            return self._stores.get(store) or self._stores.setdefault(store, open_store(store))
        if store is None:
            return None
        if isinstance(store, type) or not isinstance(store, Store):
            raise UsageError(f"{option} must be a URL, or an object with the methods of coatcheck.stores.Store")
        if iscoroutinefunction(store.read):
            raise UsageError(f"{option} is a store for asyncio, and Flask needs a sync one")
        return store

    def _read(self, app: flask.Flask) -> tuple[Settings, dict[str, Any]]:
        """Gives the policy, and the options that are no part of it."""
        options: dict[str, Any] = {option: app.config.get(config_key(option)) for option in OPTIONS}
        options |= {option: getattr(self, getter)(app) for option, getter in _GETTERS.items()}
        # Flask's default says False where nobody has said anything. A keyword means what it says.
        options["cookie_secure"] = options["cookie_secure"] or None
        options |= self.options
        return Settings.read({option: value for option, value in options.items() if value is not None})


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
    vary: list[str] = []
    control: list[str] = []
    # One walk: each of Werkzeug's look-ups is another, and asking and setting takes twice as long.
    for name, value in headers:
        if len(name) == 4 and name.lower() == "vary":
            vary.append(value)
        elif len(name) == 13 and name.lower() == "cache-control":
            control.append(value)
    _put(headers, "Vary", vary, add_vary(vary))
    if no_store:
        _put(headers, "Cache-Control", control, add_no_store(control))


def _put(headers: Headers, name: str, present: list[str], value: str | None) -> None:
    if value is None:
        return
    if present:
        headers[name] = value
    else:
        headers.add(name, value)


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
