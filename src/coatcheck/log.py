"""What a person should act on, in the standard log, once; the rest at debug level.

The logger is `coatcheck`. It is quiet: one warning for each cause.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from logging import DEBUG, Logger, getLogger

from coatcheck.core.cookie import is_local
from coatcheck.core.events import Event, Kind, Reason
from coatcheck.errors import StoreError

logger: Logger = getLogger("coatcheck")

_UNKNOWN_KEY = (
    "a session was sealed with a key that this process does not have, and is taken for none."
    " If it comes from this application, its processes have different keys: SECRET_KEY made at import"
    " (os.urandom) is the classic cause. If the key was changed, put the old one into SECRET_KEY_FALLBACKS."
)
_AMBIGUOUS = (
    "a browser sent two different sessions under one cookie name, and neither is taken. Another host of this"
    " domain sets a cookie of the same name, or the cookie's path or domain was changed; a name that begins"
    " with __Host- prevents it."
)
_LATE = (
    "a session was changed when the headers of its response were gone, and the change could not be kept. Change it"
    " before the response is returned, or keep sessions in a store, where a session that the browser has can be changed"
    " until its stream or websocket ends."
)
_INSECURE = (
    "a session cookie was sent to %r by plain http, without Secure: anyone on the way can read and use it."
    " Serve this host by https; behind a proxy, have the framework trust its X-Forwarded-Proto."
)

_INVALID = (
    "a session is not what %s says, and was begun anew: %s. If another version of the program wrote it, upgrade= can"
    " make of it what this one says."
)
_STORE_DOWN = "the session store fails, and sessions can be neither read nor kept: %s"
_SESSION_TYPE = (
    "SESSION_TYPE is an option of Flask-Session and means nothing here. Without SESSION_STORE, a URL such as"
    " redis://localhost:6379/0, sessions are kept in their cookies, encrypted."
)
# An outage is said once in so many seconds, and not by each request that meets it.
_OUTAGE_SECONDS = 60

_WARNINGS = {Reason.UNKNOWN_KEY: _UNKNOWN_KEY, Reason.AMBIGUOUS: _AMBIGUOUS, Reason.LATE: _LATE}


class Watch:
    """Listens to the events of an engine, writes the log and tells the application's own listener.

    `warned` is what has been said already; engines that follow each other share it.
    `clock` tells how long ago an outage was said; it never goes back.
    """

    def __init__(
        self, listener: Callable[[Event], None] | None, warned: set[str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._listener = listener
        self._warned = warned
        self._clock = clock
        self._outage_said: float | None = None

    def __call__(self, event: Event) -> None:
        if event.reason is not None and event.reason in _WARNINGS:
            self._warn(_WARNINGS[event.reason])
        if event.reason is Reason.STORE_DOWN:
            self.store_down()
        if logger.isEnabledFor(DEBUG):
            logger.debug("session %s %s %s", event.handle or "-", event.kind, event.reason or "")
        if self._listener is not None:
            self._listener(event)

    def weak_key(self, weakness: str) -> None:
        self._warn(f"{weakness}. It is taken because the application is in debug or testing mode, or says so.")

    def store_down(self, error: StoreError | None = None) -> None:
        now = self._clock()
        if self._outage_said is None or now - self._outage_said >= _OUTAGE_SECONDS:
            self._outage_said = now
            # As text: whoever keeps log records would keep the frames of the error with them, and a session there.
            logger.error(_STORE_DOWN, "it could not be asked" if error is None else str(error))

    def invalid(self, model: str, problems: str, handle: str) -> None:
        self._warn(_INVALID, model, problems)
        self(Event(Kind.REJECTED, Reason.INVALID, handle))

    def session_type(self) -> None:
        self._warn(_SESSION_TYPE)

    def insecure(self, host: str) -> None:
        if not is_local(host):
            self._warn(_INSECURE, host[:100])

    def _warn(self, message: str, *values: object) -> None:
        if message not in self._warned:
            self._warned.add(message)
            logger.warning(message, *values)
