"""What a request brings to Django: a key, or the header."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.utils.asyncio import async_unsafe
from django.utils.module_loading import import_string

from coatcheck.async_sessions import AsyncSessions
from coatcheck.core.cookie import find_values
from coatcheck.core.engine import Decision
from coatcheck.core.events import Event, Kind, Reason
from coatcheck.core.loaded import Loaded
from coatcheck.core.opaque import write_token
from coatcheck.core.settings import Settings
from coatcheck.django.configuration import configuration
from coatcheck.django.expiry import ExpiringSession

_SHORTEST_KEY = 8
_UNKNOWN: Any = object()
BLOCKING = (
    "the session is in a store, and a sync method of it would block the event loop: use the method that begins with"
    " an a, such as aget(), or await request.session.afetch() first"
)


class LoadedSession(ExpiringSession):
    """A session that is read when it is looked at, under the key that its cookie holds.

    Args:
        session_key: what the cookie holds. It is as good as a password: log `handle` in its place.
        header: the raw `Cookie` header of the request, in place of the key.
    """

    https = True
    """Whether the request came by https."""

    _token: Any = _UNKNOWN
    _decision: Decision | None = None
    _saved = False
    _disowned: bytes | None = None

    def __init__(self, session_key: str | None = None, *, header: str | None = None) -> None:
        sessions = configuration.sessions()
        self.raw: bool = header is not None
        """Whether our own middleware made it."""
        if header is None:
            # A semicolon, which only a quoted cookie can bring, stays no end of it.
            name, value = sessions.settings.cookie_name, str(session_key).replace(";", " ")
            header = "" if session_key is None else f"{name}={value}"
        super().__init__(cast(AsyncSessions, sessions), header)

    @property
    def settings(self) -> Settings:
        """What Django's settings come to."""
        return self._sessions.settings

    @property
    def serializer(self) -> Any:
        """Django's, for `encode` and `decode`, which take no part in keeping sessions here."""
        return import_string(settings.SESSION_SERIALIZER)

    async def afetch(self) -> None:
        """Asks the store, so that the sync methods work in an async view too. This is no look at the session."""
        if self._data is None and self._sessions.asks:
            self._sessions = await configuration.here()
            await super().load()

    def _read(self) -> Loaded:
        asks = self._found is None and self._sessions.on_server and self._sessions.engine.asks(self.header)
        return _ask(self) if asks else super()._read()

    def _load(self) -> Loaded:
        loaded = super()._load()
        record = loaded.record
        if record is None or self._left(loaded.content, record.sealed_at, loaded.now) >= 0:
            return loaded
        self._sessions.watch(Event(Kind.REJECTED, Reason.EXPIRED, record.id.hex()))
        return Loaded({}, None, False, loaded.present, loaded.now, on_server=loaded.on_server)

    def load(self) -> dict[str, Any]:  # type: ignore[override]
        """Gives the content as it is kept now."""
        return self.copy() if self._data is None else type(self)(self.session_key).copy()

    async def aload(self) -> dict[str, Any]:
        """As `load`."""
        other = self if self._data is None else type(self)(self.session_key)
        await other.afetch()
        return other.copy()

    def _content(self) -> dict[str, Any]:
        content = super()._content()
        # An application may have reset it, as Django's documentation allows.
        self.accessed = True
        return content

    @property
    def _session(self) -> dict[str, Any]:
        return self._content()

    @property
    def _session_cache(self) -> dict[str, Any]:
        if self._data is None:
            raise AttributeError("_session_cache")
        return self._data

    @_session_cache.setter
    def _session_cache(self, content: dict[str, Any]) -> None:
        content = dict(content)
        super().clear()
        self._change().update(content)

    @property
    def _pending(self) -> bool:
        """Whether it has a new id that is not kept yet."""
        return self._data is not None and self._renewed and (self._kept_as is None or self._kept_as.key != self._id)

    @property
    def session_key(self) -> str | None:
        """What the cookie holds: a new text with every change of a sealed session. None before a new one is saved."""
        if self._pending and self._loaded.on_server:
            return write_token(self._drawn())
        if self._token is not _UNKNOWN:
            return cast("str | None", self._token)
        if self._data is not None:
            if self._ended or self._loaded.record is None:
                return None
            if self._loaded.kept is not None and self._loaded.home is None:
                return write_token(self._loaded.kept.id.secret)
        return next(iter(find_values(self.header, self._sessions.settings.cookie_name)), None)

    @property
    def _session_key(self) -> str | None:
        return self.session_key

    @_session_key.setter
    def _session_key(self, value: str | None) -> None:
        self._token = value if value and len(value) >= _SHORTEST_KEY else None


@async_unsafe(BLOCKING)
def _ask(session: LoadedSession) -> Loaded:
    return configuration.sessions().read(session)
