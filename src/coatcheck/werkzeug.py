"""What Flask and Quart have in common by way of Werkzeug: headers, and the answer to a store that fails."""

from __future__ import annotations

from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.exceptions import ServiceUnavailable

from coatcheck.core.headers import protection
from coatcheck.errors import StoreError


class StoreUnavailable(StoreError, ServiceUnavailable):
    """Answers 503 where the application has no handler for `StoreError`. The visitor is told no more than that."""

    def __init__(self, error: StoreError) -> None:
        ServiceUnavailable.__init__(self)
        self.args: tuple[Any, ...] = error.args

    def __str__(self) -> str:
        return Exception.__str__(self)


def protect(headers: Headers, *, no_store: bool) -> None:
    """Tells caches that the response depends on the session, and that they must not store it."""
    for name, value in protection(headers, no_store=no_store).items():
        headers[name] = value
