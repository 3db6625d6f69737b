"""Sessions for programs with asyncio: the store is asked with await, before the first look.

A dict cannot await. So an integration loads the session before the application gets
it, where the request carries a cookie of ours and there is a store to ask.
"""

from __future__ import annotations

import asyncio
from inspect import iscoroutinefunction
from typing import Any, Self

from coatcheck.core.engine import Decision
from coatcheck.core.session import Loaded, Session
from coatcheck.drive import run, run_async
from coatcheck.errors import StoreError, UsageError
from coatcheck.sessions import RequestSession, Sessions
from coatcheck.stores.opening import open_async_store
from coatcheck.stores.protocols import AsyncStore
from coatcheck.stores.threaded import ThreadedStore


class AsyncSessions(Sessions):
    """As `Sessions`, for asyncio. A sync store works in threads."""

    def _open(self, url: str) -> AsyncStore:
        return open_async_store(url)

    def _take(self, store: Any, option: str) -> AsyncStore:  # noqa: ARG002
        if iscoroutinefunction(store.read):
            return store  # type: ignore[no-any-return]
        return ThreadedStore(store)

    def read(self, session: RequestSession) -> Loaded:
        """Gives what a request brought for which no store is asked."""
        if self.on_server and self.engine.asks(session.header):
            raise UsageError("the session is in a store that is asked with await: load() it before the first look")
        return super().read(session)

    async def load(self, session: RequestSession) -> Loaded:
        """As `Sessions.read`, and asks the store."""
        return await run_async(self.engine.load(session.header, now=self.clock()), self.stores)

    async def commit_async(self, session: Session, *, https: bool, host: str = "", streamed: bool = False) -> Decision:
        """As `Sessions.commit`."""
        if not self.on_server:
            return self.commit(session, https=https, host=host, streamed=streamed)
        try:
            decision = await run_async(self.engine.commit(session, now=self.clock(), https=https), self.stores)
        except StoreError as error:
            self.watch.store_down(error)
            raise
        return self._judged(decision, host, streamed=streamed)

    async def keep_async(self, session: Session) -> bool:
        """As `Sessions.keep`."""
        try:
            return await run_async(self.engine.keep(session, now=self.clock()), self.stores)
        except StoreError as error:
            self.watch.store_down(error)
            raise

    async def close(self) -> None:
        """Closes the stores that were opened from a URL."""
        for store in self.opened.values():
            await store.close()


class AsyncSession(RequestSession):
    """The session of one request in a program with asyncio."""

    __slots__ = ("_found", "_turn")

    _sessions: AsyncSessions
    _found: Loaded | StoreError | None
    _turn: asyncio.Lock | None

    def __init__(self, sessions: AsyncSessions, header: str) -> None:
        super().__init__(sessions, header)
        self._found = self._turn = None

    async def load(self) -> Self:
        """Asks the store for the session, if the request brought one, once. Gives the session.

        That the store fails is raised at the first look.
        """
        sessions = self._sessions
        if self._found is None and self._data is None and sessions.on_server and sessions.engine.asks(self.header):
            try:
                found: Loaded | StoreError = await sessions.load(self)
            except StoreError as error:
                found = error
            if self._found is None:
                self._found = found
        return self

    def _read(self) -> Loaded:
        found = self._found
        if found is None:
            return self._sessions.read(self)
        if isinstance(found, StoreError):
            raise found
        return found

    async def save(self) -> bool:  # type: ignore[override]
        """As `RequestSession.save`, and in a websocket."""
        self._turn = self._turn or asyncio.Lock()
        async with self._turn:
            return await self._sessions.keep_async(self)
