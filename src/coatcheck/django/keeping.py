"""What Django's middleware asks of a session, and how it is kept."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.utils.asyncio import async_unsafe

from coatcheck.core import codec
from coatcheck.core.engine import Decision
from coatcheck.django.configuration import configuration
from coatcheck.django.loading import BLOCKING, LoadedSession
from coatcheck.errors import CoatcheckError, Unserializable


class KeptSession(LoadedSession):
    """A session that is kept when Django says so, which may be several times in a request."""

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
        over = self._ended_late or (self._cleared and not self._data)
        if not self.raw and (self._sessions.asks or self._signed_out) and over:
            # Django's own middleware asks this, deletes the cookie, and saves nothing.
            self._write()
        if not self._is_empty():
            return False
        if self._ended or self._mutated or self._forced or settings.SESSION_SAVE_EVERY_REQUEST:
            return not (self._sessions.on_server and self.session_key)
        # A cookie that means nothing here is left alone: another worker may know it.
        return not self._loaded.present

    # Keeping

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
        if not self._sessions.asks:
            self._write()
            return
        sessions = await configuration.here()
        if self._sessions.on_server and self._goes_on:
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
        if known is not None or not self._sessions.asks:
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


def _pack(content: dict[str, Any]) -> bytes:
    try:
        return codec.pack(content)
    except Unserializable:
        # The next save says so.
        return b""


@async_unsafe(BLOCKING)
def _write_to_store(session: KeptSession) -> None:
    sessions = configuration.sessions()
    if session._goes_on:  # noqa: SLF001
        session._decision = None  # noqa: SLF001
        session._check(sessions.keep(session))  # noqa: SLF001
        return
    created = session._created  # noqa: SLF001
    session._note(sessions.commit(session, https=session.https))  # noqa: SLF001
    if created and created != session._token:  # noqa: SLF001
        session.delete(created)
