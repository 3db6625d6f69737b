"""The session of one Django request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.utils import timezone
from django.utils.asyncio import async_unsafe
from django.utils.module_loading import import_string

from coatcheck.async_sessions import AsyncSession, AsyncSessions
from coatcheck.core import codec
from coatcheck.core.cookie import find_values
from coatcheck.core.engine import Decision
from coatcheck.core.events import Event, Kind, Reason
from coatcheck.core.opaque import LIVE, write_token
from coatcheck.core.session import Loaded
from coatcheck.core.settings import Settings
from coatcheck.django.configuration import configuration
from coatcheck.errors import CoatcheckError, Unserializable, UsageError
from coatcheck.stores.protocols import Sweeping

_EXPIRY = "_session_expiry"
_SHORTEST_KEY = 8
_UNKNOWN: Any = object()
_BLOCKING = (
    "the session is in a store, and a sync method of it would block the event loop: use the method that begins with"
    " an a, such as aget(), or await request.session.afetch() first"
)


class SessionStore(AsyncSession, SessionBase):  # type: ignore[misc]  # Django has no types, and both say what a dict has
    """Django's session, and coatcheck's: `regenerate`, `destroy`, `handle` and the others are there too.

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

    # Loading

    async def afetch(self) -> None:
        """Asks the store, so that the sync methods work in an async view too. This is no look at the session."""
        if self._data is None and self._sessions.on_server:
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
        return self.copy() if self._data is None else SessionStore(self.session_key).copy()

    async def aload(self) -> dict[str, Any]:
        """As `load`."""
        other = self if self._data is None else SessionStore(self.session_key)
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

    # What Django's middleware asks

    @property
    def modified(self) -> bool:
        """Whether there is something to keep: what has changed is found by comparing.

        With Django's own middleware, set it to False to have a change forgotten.
        """
        if self._data is not None and self._loaded.down:
            return False
        if self._data is None or self._forced or self._mutated:
            return self._forced or self._data is not None
        if self._disowned is not None:
            return _pack(self._data) != self._disowned
        return not self.settled() or self._sessions.engine.renews(self, now=self._sessions.clock())

    @modified.setter
    def modified(self, value: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        if value and self._closed:
            self._change()
        self._forced = bool(value)
        if not value and self._data is not None:
            self._mutated = False
            self._disowned = _pack(self._data)

    def is_empty(self) -> bool:
        """Says whether there is nothing that the browser should have a cookie for."""
        if self._data is None:
            if not settings.SESSION_SAVE_EVERY_REQUEST:
                return not self.session_key
            self._content()
        if not self.raw and self._sessions.on_server and (self._ended_late or (self._cleared and not self._data)):
            # Django's own middleware asks this, deletes the cookie, and saves nothing.
            self._write()
        if self._data or self._wanted_empty:
            return False
        if self._ended or self._mutated or self._forced or settings.SESSION_SAVE_EVERY_REQUEST:
            return not (self._sessions.on_server and self.session_key)
        # A cookie that means nothing here is left alone: another worker may know it.
        return not self._loaded.present

    # Keeping

    @property
    def _pending(self) -> bool:
        return self._data is not None and self._renewed and (self._kept_as is None or self._kept_as.key != self._id)

    @property
    def _goes_on(self) -> bool:
        """Whether what has changed goes on top of what this request has kept already."""
        return self._closed or (self._saved and self._kept_as is not None and not self._pending)

    def save(self, must_create: bool = False) -> None:  # type: ignore[override]
        """Keeps the session now, and after the response has begun too, where there is a store.

        Raises Django's `UpdateError` where it has been ended meanwhile.
        """
        self._want(must_create)
        self._write()

    async def asave(self, must_create: bool = False) -> None:
        """As `save`."""
        await self.afetch()
        self._want(must_create)
        await self._awrite()

    def create(self) -> None:
        """Begins a session that is kept though nothing is in it, or gives the present one a new key."""
        if not self.new:
            self.regenerate()
        self.save(must_create=True)

    async def acreate(self) -> None:
        """As `create`."""
        await self.afetch()
        if not self.new:
            self.regenerate()
        await self.asave(must_create=True)

    def _want(self, must_create: bool) -> None:
        """Notes that the application wants a session, or wants it written."""
        self._failed = False
        if self._closed:
            return
        refused = self._loaded.present and not must_create if not self._content() and not self._ended else False
        self._wanted_empty |= self.new and not refused
        if settings.SESSION_SAVE_EVERY_REQUEST:
            self._forced = True

    def _write(self) -> None:
        if self._sessions.on_server:
            _write_to_store(self)
        else:
            self._note(configuration.sessions().commit(self, https=self.https))

    async def _awrite(self) -> None:
        if not self._sessions.on_server:
            self._write()
            return
        sessions = await configuration.here()
        if self._goes_on:
            self._decision = None
            self._check(await sessions.keep_async(self))
            return
        created = self._created
        self._note(await sessions.commit_async(self, https=self.https))
        if created and created != self._token:
            await self.adelete(created)

    @property
    def _created(self) -> str | None:
        """What this request has kept a new session under."""
        return self._token if self._saved and self._loaded.record is None else None

    def _note(self, decision: Decision) -> None:
        self._take(decision)
        self._decision, self._saved = decision, True
        self.reopen()

    def _take(self, decision: Decision) -> None:
        name = self._sessions.settings.cookie_name
        for cookie in decision.cookies:
            pair = cookie.partition(";")[0].partition("=")
            if pair[0] == name:
                self._token = pair[2] or None
        if self._data is not None:
            if (self._ended or self._cleared) and not self._data and not self._wanted_empty:
                self._token = None
            self._check(not self._gone)

    def _check(self, kept: bool) -> None:
        if not kept:
            raise UpdateError

    def conclude(self, *, host: str, streamed: bool) -> Decision:
        """Gives what the response must say. Raises as `save` does."""
        known = self._known()
        if known is not None:
            return known
        decision = configuration.sessions().commit(self, https=self.https, host=host, streamed=streamed)
        self._take(decision)
        return decision

    async def aconclude(self, *, host: str, streamed: bool) -> Decision:
        """As `conclude`."""
        known = self._known()
        if known is not None or not self._sessions.on_server:
            return known or self.conclude(host=host, streamed=streamed)
        if self._forced or self._sent_always:
            await self.afetch()
        sessions = await configuration.here()
        decision = await sessions.commit_async(self, https=self.https, host=host, streamed=streamed)
        self._take(decision)
        return decision

    def _known(self) -> Decision | None:
        if self._decision is None or self._pending or not self.settled():
            return None
        self._closed = True
        return self._decision._replace(vary=True)

    def finish_stream(self) -> None:
        """As `finish`, for a stream that a sync server sends."""
        if not self.settled():
            configuration.sessions().keep(self)

    def rescue_stream(self, error: BaseException) -> None:
        """As `rescue`, for a stream that a sync server sends."""
        try:
            self.finish_stream()
        except CoatcheckError as problem:
            error.add_note(f"What the session was changed to is lost: {problem}")

    async def finish(self) -> None:  # type: ignore[override]
        """Keeps what was changed since the response began, when all is done."""
        if self._sessions.on_server:
            self._sessions = await configuration.here()
            await super().finish()
        else:
            self.finish_stream()

    async def rescue(self, error: BaseException) -> None:  # type: ignore[override]
        """Keeps what was changed, where the request ends by this error."""
        if self._sessions.on_server:
            self._sessions = await configuration.here()
            await super().rescue(error)
        else:
            self.rescue_stream(error)

    # Ending

    def destroy(self) -> None:
        """As `Session.destroy`: at the end of the request. `flush` does it now."""
        super().destroy()
        self._wanted_empty, self._token = False, None

    def flush(self) -> None:
        """Ends the session, for every request. In a cookie, a copy that somebody made stays valid until it expires."""
        self.destroy()
        if self._sessions.on_server:
            self._write()

    async def aflush(self) -> None:
        """As `flush`."""
        await self.afetch()
        self.destroy()
        if self._sessions.on_server:
            await self._awrite()

    def cycle_key(self) -> None:
        """Gives the session a new id when it is saved, as when somebody signs in. It keeps its content."""
        self.regenerate()
        if not self._sessions.on_server:
            self.save()

    async def acycle_key(self) -> None:
        """As `cycle_key`."""
        await self.afetch()
        self.cycle_key()

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
        for store in configuration.sessions().stores:
            while isinstance(store, Sweeping) and store.sweep(_SWEPT) == _SWEPT:
                pass

    @classmethod
    async def aclear_expired(cls) -> None:
        """As `clear_expired`."""
        for store in (await configuration.here()).stores:
            while hasattr(store, "sweep") and await store.sweep(_SWEPT) == _SWEPT:
                pass

    # Expiry

    def _left(self, content: dict[str, Any], since: float, now: float) -> float:
        """Gives for how many seconds a session that was last used then has to live."""
        expiry = content.get(_EXPIRY)
        if isinstance(expiry, str):
            try:
                return datetime.fromisoformat(expiry).timestamp() - now
            except ValueError:
                expiry = None
        age = expiry if isinstance(expiry, (int, float)) and expiry else self.get_session_cookie_age()
        return since + age - now

    def _lasts(self, lifetime: int, now: int) -> int:
        return max(0, min(lifetime, int(self._left(self._content(), now, now))))

    @property
    def _permanent_by_default(self) -> bool:
        return not settings.SESSION_EXPIRE_AT_BROWSER_CLOSE

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser: what `set_expiry` says, or the key `_permanent`, or the settings."""
        expiry = self.get(_EXPIRY)
        return bool(self.get("_permanent", self._permanent_by_default) if expiry is None else expiry != 0)

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)

    def get_expire_at_browser_close(self) -> bool:
        """Says whether the cookie ends with the browser."""
        return not self.permanent

    def set_expiry(self, value: float | datetime | timedelta | None) -> None:
        """Gives this session an end of its own, as in Django.

        Raises `UsageError` for more than `PERMANENT_SESSION_LIFETIME`, the longest that any session lives.
        """
        longest = self._sessions.settings.permanent_lifetime
        age: Any = value - timezone.now() if isinstance(value, datetime) else value
        age = age.total_seconds() if isinstance(age, timedelta) else age
        if age and age > longest.total_seconds():
            raise UsageError(
                f"no session lives longer than {longest}: set PERMANENT_SESSION_LIFETIME to the longest that"
                " set_expiry() may ask for. SESSION_COOKIE_AGE stays what the others get"
            )
        super().set_expiry(cast(Any, value))


_SWEPT = 1000


def _pack(content: dict[str, Any]) -> bytes:
    try:
        return codec.pack(content)
    except Unserializable:
        # The next save says so.
        return b""


@async_unsafe(_BLOCKING)
def _ask(session: SessionStore) -> Loaded:
    return configuration.sessions().read(session)


@async_unsafe(_BLOCKING)
def _write_to_store(session: SessionStore) -> None:
    sessions = configuration.sessions()
    if session._goes_on:  # noqa: SLF001
        session._decision = None  # noqa: SLF001
        session._check(sessions.keep(session))  # noqa: SLF001
        return
    created = session._created  # noqa: SLF001
    session._note(sessions.commit(session, https=session.https))  # noqa: SLF001
    if created and created != session._token:  # noqa: SLF001
        session.delete(created)


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
