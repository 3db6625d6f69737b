"""The session of one Django request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coatcheck.core.opaque import LIVE
from coatcheck.django.configuration import configuration
from coatcheck.django.signing import SigningSession
from coatcheck.sessions import Sessions
from coatcheck.stores.protocols import AsyncSweeping, Sweeping, provides

_SWEPT = 1000


class SessionStore(SigningSession):
    """Django's session, and coatcheck's: `regenerate`, `destroy`, `handle` and the others are there too.

    Args:
        session_key: what the cookie holds. It is as good as a password: log `handle` in its place.
        header: the raw `Cookie` header of the request, in place of the key.
    """

    def destroy(self) -> None:
        """As `Session.destroy`: at the end of the request. `flush` does it now."""
        super().destroy()
        self._wanted_empty, self._token = False, None

    def flush(self) -> None:
        """Ends the session, for every request. In a cookie, a copy that somebody made stays valid until it expires."""
        self.destroy()
        if self._sessions.asks:
            self._write()

    async def aflush(self) -> None:
        """As `flush`."""
        await self.afetch()
        self.destroy()
        if self._sessions.asks:
            await self._awrite()

    def cycle_key(self) -> None:
        """Gives the session a new id when it is saved, as when somebody signs in. It keeps its content."""
        self.regenerate()
        if not self._sessions.on_server:
            self.save()

    async def acycle_key(self) -> None:
        """As `cycle_key`."""
        await self.afetch()
        self.regenerate()
        if not self._sessions.on_server:
            await self.asave()

    def exists(self, session_key: str | None) -> bool:
        """Says whether there is a session on the server under this key."""
        if self._pending and self._sessions.on_server:
            self._write()
        return SessionStore(session_key)._lives()  # noqa: SLF001

    async def aexists(self, session_key: str | None) -> bool:
        """As `exists`."""
        if self._pending:
            await self._awrite()
        other = SessionStore(session_key)
        await other.afetch()
        return other._lives()

    def _lives(self) -> bool:
        if not self._sessions.on_server:
            return False
        self._content()
        return self._loaded.kept is not None and self._loaded.kept.entry.state == LIVE

    def delete(self, session_key: str | None = None) -> None:
        """Ends the session under this key on the server, or the present one."""
        if not self._sessions.on_server:
            self._end_sealed(session_key)
            return
        other = SessionStore(session_key or self.session_key)
        if not other.new:
            other.flush()

    async def adelete(self, session_key: str | None = None) -> None:
        """As `delete`."""
        if not self._sessions.on_server:
            self._end_sealed(session_key)
            return
        other = SessionStore(session_key or self.session_key)
        await other.afetch()
        if not other.new:
            await other.aflush()

    def _end_sealed(self, session_key: str | None) -> None:
        if session_key is None or session_key == self.session_key:
            self.flush()

    @classmethod
    def clear_expired(cls) -> None:
        """Removes what has expired from a store that does not do so by itself."""
        for store in _each(configuration.sessions()):
            while provides(store, Sweeping) and store.sweep(_SWEPT) == _SWEPT:
                pass

    @classmethod
    async def aclear_expired(cls) -> None:
        """As `clear_expired`."""
        for store in _each(await configuration.here()):
            while provides(store, AsyncSweeping) and await store.sweep(_SWEPT) == _SWEPT:
                pass


def _each(sessions: Sessions) -> list[Any]:
    """Gives each store once: one may be there for two purposes."""
    return list({id(store): store for store in sessions.stores}.values())


def _awaiting(name: str) -> Callable[..., Any]:
    async def method(self: SessionStore, *arguments: Any, **items: Any) -> Any:
        await self.afetch()
        return getattr(self, name)(*arguments, **items)

    method.__name__ = f"a{name}"
    method.__doc__ = f"As `{name}`."
    return method


for _name in (
    *("get", "pop", "setdefault", "update", "has_key", "keys", "values", "items"),
    *("set_test_cookie", "test_cookie_worked", "delete_test_cookie"),
    *("get_expiry_age", "get_expiry_date", "set_expiry", "get_expire_at_browser_close"),
):
    setattr(SessionStore, f"a{_name}", _awaiting(_name))
setattr(SessionStore, "aset", _awaiting("__setitem__"))  # noqa: B010  # as those above
