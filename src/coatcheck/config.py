"""What Flask and Quart have in common: a configuration that says what sessions are like, read as late as possible."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from coatcheck.core.settings import OPTIONS, Settings, config_key, normalize
from coatcheck.core.spelling import misspelt
from coatcheck.errors import UsageError
from coatcheck.sessions import Sessions
from coatcheck.signals import Announcer
from coatcheck.stores.opening import Opened

if TYPE_CHECKING:
    from flask.sansio.app import App

_SessionsT = TypeVar("_SessionsT", bound=Sessions)
_AppT = TypeVar("_AppT", bound="App")

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


class Configuration(Generic[_SessionsT]):
    """The half of a session interface that reads `app.config`."""

    _kind: type[_SessionsT]
    _framework: ClassVar[type]
    """The framework's interface, whose `get_cookie_name` and relatives a subclass may override."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self._configured: list[tuple[tuple[object, ...], App, _SessionsT]] = []
        self._warned: set[str] = set()
        self._stores = Opened()
        self._overridden = [
            getter
            for getter in _GETTERS.values()
            if getattr(type(self), getter) is not getattr(self._framework, getter)
        ]

    def has_key(self, app: App) -> bool:
        """Says whether there is a secret key."""
        return bool(app.config["SECRET_KEY"]) or "secret_key" in self.options

    def check(self, app: App) -> None:
        """Raises `UsageError` if the configuration, as far as it is there, cannot be right."""
        if self.has_key(app):
            self.sessions(app)
            return
        try:
            Settings.read(self._read(app))
        except UsageError as error:
            raise error.with_traceback(None) from None

    def sessions(self, app: App) -> _SessionsT:
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
        for known, whose, sessions in self._configured:
            if whose is app and known == seen:
                return sessions
        try:
            sessions = self._build(app)
        except (UsageError, ImportError) as error:
            # An error reporter shows the variables of the frames, and these hold keys.
            del config, seen
            self._configured = []
            raise error.with_traceback(None) from None
        self._configured = [(seen, app, sessions), *self._configured[: _CONFIGURATIONS_KEPT - 1]]
        return sessions

    def _build(self, app: App) -> _SessionsT:
        options = self._read(app)
        sessions = self._kind(options, debug=app.debug or app.testing, warned=self._warned, opened=self._stores)
        announcer = Announcer(app, sessions.watch)
        sessions.watch.listen(announcer, announcer.is_heard)
        if app.config.get("SESSION_TYPE") and sessions.stores[0] is None:
            sessions.watch.session_type()
        for key, meant in misspelt(key for key in app.config if isinstance(key, str)):
            sessions.watch.misspelt(key, meant)
        return sessions

    def _read(self, app: App) -> dict[str, Any]:
        options: dict[str, Any] = {option: app.config.get(config_key(option)) for option in OPTIONS}
        options |= {option: getattr(self, getter)(app) for option, getter in _GETTERS.items()}
        # The frameworks' default says False where nobody has said anything. A keyword means what it says.
        options["cookie_secure"] = options["cookie_secure"] or None
        return {**options, **self.options}


class Extension(Generic[_AppT]):
    """The object that an application is given to. Each framework has a subclass."""

    _interface: ClassVar[type[Configuration[Any]]]
    _application: ClassVar[type]

    def __init__(self, app: _AppT | None = None, **options: Any) -> None:
        try:
            self.options: dict[str, Any] = normalize(options)
        except UsageError as error:
            del options
            raise error.with_traceback(None) from None
        del options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: _AppT) -> None:
        """Does for an application what the constructor does for the one it is given."""
        if not isinstance(app, self._application):
            wanted, given = self._application.__name__, type(app)
            raise UsageError(
                f"{type(self).__module__} takes a {wanted} application, not a {given.__module__}.{given.__qualname__}"
            )
        interface = self._interface()
        interface.options = self.options
        interface.check(app)
        app.session_interface = interface  # type: ignore[attr-defined]
        app.extensions["coatcheck"] = self

    def _sessions_of(self, app: Any) -> Any:
        interface = app.session_interface
        if not isinstance(interface, self._interface):
            raise UsageError(
                f"the sessions of this application are kept by {type(interface).__module__}: call init_app(app), and"
                " no other extension of sessions after it"
            )
        return interface.sessions(app)


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.items()
    return value if isinstance(value, (list, tuple)) else ()
