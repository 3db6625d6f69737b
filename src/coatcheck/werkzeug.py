"""What Flask and Quart have in common by way of Werkzeug: headers, and the answer to a store that fails."""

from __future__ import annotations

from typing import Any, Self

from werkzeug.datastructures import Headers
from werkzeug.exceptions import Forbidden, ServiceUnavailable

from coatcheck.core.headers import protection
from coatcheck.errors import StoreError, TooManySessions
from coatcheck.sessions import FORBIDDEN


class StoreUnavailable(StoreError, ServiceUnavailable):
    """Answers 503 where the application has no handler for `StoreError`. The visitor is told no more than that."""

    def __init__(self, error: StoreError) -> None:
        ServiceUnavailable.__init__(self)
        self.args: tuple[Any, ...] = error.args

    def __str__(self) -> str:
        return Exception.__str__(self)

    def __reduce__(self) -> tuple[type[Self], tuple[StoreError]]:
        return type(self), (StoreError(*self.args),)


class SessionsForbidden(TooManySessions, Forbidden):
    """Answers 403 where the application has no handler for `TooManySessions`."""

    def __init__(self, error: TooManySessions) -> None:
        Forbidden.__init__(self, FORBIDDEN)
        self.limit: int = error.limit
        self.args: tuple[Any, ...] = error.args

    def __str__(self) -> str:
        return Exception.__str__(self)

    def __reduce__(self) -> tuple[type[Self], tuple[TooManySessions]]:
        return type(self), (TooManySessions(self.limit),)


def answerable(error: StoreError | TooManySessions) -> StoreUnavailable | SessionsForbidden:
    """Gives an error as one that the frameworks have an answer to."""
    if isinstance(error, (StoreUnavailable, SessionsForbidden)):
        return error
    return SessionsForbidden(error) if isinstance(error, TooManySessions) else StoreUnavailable(error)


def protect(headers: Headers, *, no_store: bool, clears: bool = False) -> None:
    """Tells caches that the response depends on the session, and that they must not store it."""
    for name, value in protection(headers, no_store=no_store, clears=clears).items():
        headers[name] = value
