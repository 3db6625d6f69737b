"""The session of an ASGI scope: one that looks late for its cookie, and one that is a dict besides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from functools import wraps
from typing import Any

from coatcheck.async_sessions import AsyncSession, AsyncSessions


def header_of(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """Gives a header of a request. HTTP/2 may send `Cookie` in several parts (RFC 9113, section 8.2.3)."""
    found = [value for each, value in headers if each == name]
    return b"; ".join(found).decode("latin-1") if found else ""


class ScopeSession(AsyncSession):
    """The session of a scope. It looks for its cookie when it is looked at itself: most requests never do."""

    def __init__(self, sessions: AsyncSessions, scope: MutableMapping[str, Any]) -> None:
        self._sessions = sessions
        # Not the scope itself, which has the session: a circle would outlive the request.
        self._headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
        self._address: tuple[Any, ...] | None = scope.get("client")

    @property
    def header(self) -> str:  # type: ignore[override]
        return header_of(self._headers, b"cookie")

    def _client(self) -> tuple[str, str]:
        return str(self._address[0]) if self._address else "", header_of(self._headers, b"user-agent")


_UNREAD: Any = object()


class DictSession(ScopeSession, dict[str, Any]):  # type: ignore[misc]  # both say what a dict has
    """One that is a dict, as Starlette's is: `JSONResponse(request.session)` works.

    What reads a dict without asking it, as encoders written in C do, finds a copy of the content from the first
    look on, and before it a key that none of them can write: that is an error, where nothing would be a lie.
    """

    def __init__(self, sessions: AsyncSessions, scope: MutableMapping[str, Any]) -> None:
        super().__init__(sessions, scope)
        _put(self, _UNREAD, None)

    def __ne__(self, other: object) -> bool:
        # The one method of a dict that a mapping leaves to `object`.
        return not self == other

    def mark_accessed(self) -> None:
        """Counts as a look: Starlette calls it where an application says `request.session`."""
        self._content()

    def _open(self) -> dict[str, Any]:
        content = super()._open()
        dict.clear(self)
        dict.update(self, content)
        return content


_put = dict.__setitem__


def _copying(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def change(self: DictSession, *arguments: Any, **items: Any) -> Any:
        try:
            return method(self, *arguments, **items)
        finally:
            if self._data is not None:
                dict.clear(self)
                dict.update(self, self._data)

    return change


for _name in (
    "__setitem__",
    "__delitem__",
    "__ior__",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "clear",
    "destroy",
    "login",
    "logout",
    "csrf_token",
    "gather",
    "_follow",
    "_lose",
):
    setattr(DictSession, _name, _copying(getattr(AsyncSession, _name)))
