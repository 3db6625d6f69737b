"""What a person should act on, in the standard log, once; the rest at debug level. And who else is told.

The logger is `coatcheck`. It is quiet: one warning for each cause; once a minute, what may be a theft or an outage.
"""

from __future__ import annotations

import threading
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

_UNREVOKED = (
    "somebody has signed out, and a copy of the cookie would be taken until it expires: nothing remembers that the"
    " session has ended. Give revocations= a URL, such as sqlite:///revoked.db, or keep sessions in a store."
)
_REUSED = (
    "the id of session %s had been replaced, and came back: somebody has a copy of its cookie. The session was ended"
    " for all who have it, and its user has to sign in again."
)
_LISTENER = (
    "a listener to the events of sessions has raised %s in %s. The request went on, and the other listeners were told."
)
_BIND = (
    "bind= has raised %s in %s. The request went on, and it was not looked at where it came from. Give a text for any"
    " address and any user agent, also for none."
)
_INVALID = (
    "a session is not what %s says, and was begun anew: %s. If another version of the program wrote it, upgrade= can"
    " make of it what this one says."
)
_STORE_DOWN = "the session store fails, and sessions can be neither read nor kept: %s"
_FOREIGN = (
    "another session middleware works below coatcheck's, and what is put into its session (%s) is kept as it keeps it,"
    " perhaps readable. Where that is a mounted application's own, all is well; else take it out."
)
_SESSION_TYPE = (
    "SESSION_TYPE is an option of Flask-Session and means nothing here. Without SESSION_STORE, a URL such as"
    " redis://localhost:6379/0, sessions are kept in their cookies, encrypted."
)
# An outage, or what comes of a theft, is said once in so many seconds, and not by each request that meets it.
_QUIET_SECONDS = 60

_WARNINGS = {
    Reason.UNKNOWN_KEY: _UNKNOWN_KEY,
    Reason.AMBIGUOUS: _AMBIGUOUS,
    Reason.LATE: _LATE,
    Reason.UNREVOKED: _UNREVOKED,
}


class Watch:
    """Listens to the events of an engine, writes the log and tells the listeners.

    What a listener raises goes into the log, and no further: what it is told has happened, and the
    request, and the other listeners, have nothing to do with its error. What a listener does to
    sessions itself is logged and counted, and not told to listeners again.

    Args:
        listener: the application's own.
        warned: what has been said already; engines that follow each other share it.
        count: is told every event.
        clock: tells how long ago something was said; it never goes back.
    """

    def __init__(
        self,
        listener: Callable[[Event], object] | None,
        warned: set[str],
        *,
        count: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listeners: tuple[tuple[Callable[[Event], object], Callable[[Kind], bool] | None], ...] = ()
        if listener is not None:
            self.listen(listener)
        self._warned = warned
        self._count = count
        self._clock = clock
        self._said: dict[str, float] = {}
        self._here = threading.local()

    def listen(self, listener: Callable[[Event], object], wants: Callable[[Kind], bool] | None = None) -> None:
        """Adds a listener.

        Args:
            wants: says whether it wants to be told of a kind now; None for always.
        """
        self._listeners += ((listener, wants),)

    def __call__(self, event: Event) -> None:
        kind, reason, handle = event
        if reason is not None and reason in _WARNINGS:
            self._warn(_WARNINGS[reason])
        if reason is Reason.STORE_DOWN:
            self.store_down()
        if kind is Kind.REUSED and self._is_time(_REUSED):
            logger.warning(_REUSED, handle)
        if logger.isEnabledFor(DEBUG):
            logger.debug("session %s %s %s", handle or "-", kind, reason or "")
        if self._count is not None:
            self.guard(self._count, event)
        for listener, wants in self._listeners:
            if wants is None or wants(kind):
                self._tell(listener, event)

    def _tell(self, listener: Callable[[Event], object], event: Event) -> None:
        here = self._here
        if getattr(here, "telling", False):
            # A look at the session from a listener may load it, which may be told: without an end.
            return
        here.telling = True
        try:
            self.guard(listener, event)
        finally:
            here.telling = False

    def guard(self, call: Callable[..., object], *given: object, **named: object) -> None:
        """Calls a listener. What it raises becomes a line of the log."""
        try:
            call(*given, **named)
        except Exception as error:  # noqa: BLE001  # whatever a program does wrong
            self.listener_failed(error)

    def listener_failed(self, error: Exception) -> None:
        if self._is_time(_LISTENER):
            # Its type and its place: its text, or the variables of its frames, may hold what was in a session.
            logger.error(_LISTENER, type(error).__qualname__, _place(error))

    def bind_failed(self, error: Exception) -> None:
        if self._is_time(_BIND):
            logger.error(_BIND, type(error).__qualname__, _place(error))

    def weak_key(self, weakness: str) -> None:
        self._warn(f"{weakness}. It is taken because the application is in debug or testing mode, or says so.")

    def store_down(self, error: StoreError | None = None) -> None:
        if self._is_time(_STORE_DOWN):
            # As text: whoever keeps log records would keep the frames of the error with them, and a session there.
            logger.error(_STORE_DOWN, "it could not be asked" if error is None else str(error))

    def invalid(self, model: str, problems: str, handle: str) -> None:
        self._warn(_INVALID, model, problems)
        self(Event(Kind.REJECTED, Reason.INVALID, handle))

    def foreign(self, kind: type) -> None:
        self._warn(_FOREIGN, f"{kind.__module__}.{kind.__qualname__}")

    def misspelt(self, key: str, meant: str) -> None:
        self._warn(f"{key} is no option, and means nothing here; did you mean {meant}?")

    def session_type(self) -> None:
        self._warn(_SESSION_TYPE)

    def insecure(self, host: str) -> None:
        if not is_local(host):
            self._warn(_INSECURE, host[:100])

    def _warn(self, message: str, *values: object) -> None:
        if message not in self._warned:
            self._warned.add(message)
            logger.warning(message, *values)

    def _is_time(self, message: str) -> bool:
        """Says whether it is a minute since this was said."""
        now, said = self._clock(), self._said.get(message)
        if said is not None and now - said < _QUIET_SECONDS:
            return False
        self._said[message] = now
        return True


def _place(error: Exception) -> str:
    """Says where an error was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "an unknown place" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
