"""Bodies of responses that are made while they are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from coatcheck.errors import StoreError
from coatcheck.sessions import RequestSession


class KeptBody:
    """A body that may change the session. What it changed is kept before the server hears of its end.

    Args:
        refuse: gives the body to send instead, where the session cannot be had before anything was sent;
            raises where it is too late for that. Without it, the error is raised.
    """

    def __init__(
        self,
        body: Iterable[bytes],
        session: RequestSession,
        refuse: Callable[[], Iterable[bytes]] | None = None,
    ) -> None:
        self._body = body
        self._session = session
        self._refuse = refuse
        self._pieces: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._pieces is None:
                self._pieces = iter(self._body)
            piece = next(self._pieces)
        except StopIteration:
            # Whoever gets the end of a stream may rely on what it said.
            self._session.finish()
            raise
        except StoreError as error:
            if self._refuse is None:
                self._session.rescue(error)
                raise
            self._pieces = iter(self._refuse())
            return next(self._pieces)
        except BaseException as error:
            self._session.rescue(error)
            raise
        self._refuse = None
        return piece

    def close(self) -> None:
        """Ends the body, and keeps what it has changed: the client may be gone before all was sent."""
        try:
            getattr(self._body, "close", lambda: None)()
        finally:
            self._session.finish()
