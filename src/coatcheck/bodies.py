"""Bodies of responses that are made while they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import IOBase
from typing import TYPE_CHECKING

from coatcheck.request_session import RequestSession

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class KeepingBody:
    """A body that may change the session. What it changed is kept before the server hears of its end."""

    def __init__(self, body: Iterable[bytes], session: RequestSession) -> None:
        self._body = body
        self._session = session
        self._done = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except Exception as error:
            self._rescue(error)
            raise
        # Whoever gets the end of a stream may rely on what it said.
        self._finish()

    def close(self) -> None:
        """Ends the body, and keeps what it has changed: the client may be gone before all was sent."""
        try:
            close(self._body)
        finally:
            self._finish()

    def _finish(self) -> None:
        # What could not be kept is said once, and not again when the body is closed.
        if not self._done:
            self._done = True
            self._session.finish()
            self._done = False

    def _rescue(self, error: Exception) -> None:
        if not self._done:
            self._done = True
            self._session.rescue(error)


def runs_nothing(body: Iterable[bytes], environ: WSGIEnvironment) -> bool:
    """Says whether no code of the application runs while a body is sent: it is there already, or a file.

    Such a body is passed on as it is: servers look at its length, and send files by other ways.
    """
    if isinstance(body, (list, tuple, IOBase)):
        return True
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


def close(body: Iterable[bytes]) -> None:
    """Closes what can be closed."""
    found = getattr(body, "close", None)
    if found is not None:
        found()
