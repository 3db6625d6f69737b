"""Sessions for programs with asyncio: the store is asked with await, before the first look.

A dict cannot await. So an integration loads the session before the application gets
it, where the request carries a cookie of ours and there is a store to ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import Any, Self

from coatcheck.accounts import AsyncAccountCalls
from coatcheck.core.engine import Decision
from coatcheck.core.loaded import Loaded
from coatcheck.drive import run, run_async
from coatcheck.errors import CoatcheckError, StoreError, UsageError
from coatcheck.request_session import RequestSession
from coatcheck.sessions import Sessions
from coatcheck.stores.opening import open_async_store
from coatcheck.stores.protocols import AsyncStore
from coatcheck.stores.threaded import ThreadedStore


class AsyncSessions(AsyncAccountCalls, Sessions):  # type: ignore[misc]  # the calls are awaited here
    """As `Sessions`, for asyncio. A sync store works in threads."""

    def __init__(self, options: Mapping[str, Any], **others: Any) -> None:
        super().__init__(options, **others)
        self._rescues: set[asyncio.Future[None]] = set()

    def _open(self, url: str) -> AsyncStore:
        return open_async_store(url, clock=self.opened.now)

    def _take(self, store: Any, option: str) -> AsyncStore:  # noqa: ARG002
        if iscoroutinefunction(store.read):
            return store  # type: ignore[no-any-return]
        return ThreadedStore(store)

    def _accounts(self) -> AsyncSessions:
        return self

    def read(self, session: RequestSession) -> Loaded:
        """Gives what a request brought for which no store is asked."""
        if self.on_server and self.engine.asks(session.header):
            raise UsageError("the session is in a store that is asked with await: load() it before the first look")
        revocations = self.engine.revocations
        if revocations is not None and revocations.unread and self.engine.asks_first(session.header, now=self.clock()):
            raise UsageError("what has been ended is asked for with await: load() it before the first look")
        # It was asked for when the request began.
        return run(self.engine.load(session.header, now=self.clock(), ask=False))

    def last_instant(self) -> int:
        """Gives the last instant that is known, or that of now by the clock: nothing can be asked here.

        It is taken for no later than the list has one when the session is kept. So a clock that is
        wrong decides at most about a login that is under way when its user is revoked.
        """
        revocations = self.engine.revocations
        return 0 if revocations is None else max(revocations.latest, int(self.clock() * 1_000_000) - 1)

    async def load(self, session: RequestSession) -> Loaded:
        """As `Sessions.read`, and asks the store."""
        loaded = await run_async(self.engine.load(session.header, now=self.clock()), self.stores)
        self.look_at_list()
        return loaded

    async def commit_async(
        self, session: AsyncSession, *, https: bool, host: str = "", streamed: bool = False
    ) -> Decision:
        """As `Sessions.commit`."""
        if not self.on_server:
            decision = self.engine.commit_sealed(session, self.clock(), https)
            if decision is not None:
                return self._judged(decision, host, streamed=streamed)
        try:
            async with session.turn():
                decision = await run_async(self.engine.commit(session, now=self.clock(), https=https), self.stores)
        except StoreError as error:
            self.watch.store_down(error)
            raise
        return self._judged(decision, host, streamed=streamed)

    async def keep_async(self, session: AsyncSession) -> bool:
        """As `Sessions.keep`."""
        try:
            async with session.turn():
                return await run_async(self.engine.keep(session, now=self.clock()), self.stores)
        except StoreError as error:
            self.watch.store_down(error)
            raise

    async def rescue(self, session: AsyncSession, error: BaseException) -> None:
        """Does what `AsyncSession.rescue` says."""
        # In a task of its own: this one may be cancelled at every await, as anyio does.
        rescue = asyncio.ensure_future(self._rescue(session, error))
        self._rescues.add(rescue)
        rescue.add_done_callback(self._rescues.discard)
        await asyncio.shield(rescue)

    async def _rescue(self, session: AsyncSession, error: BaseException) -> None:
        try:
            await self.keep_async(session)
        except CoatcheckError as problem:
            error.add_note(f"What the session was changed to is lost: {problem}")

    async def close(self) -> None:
        """Closes the stores that were opened from a URL, when what is on its way there has come."""
        await asyncio.gather(*self._rescues, return_exceptions=True)
        for store in self.opened.values():
            await store.close()


class AsyncSession(RequestSession):
    """The session of one request in a program with asyncio."""

    _sessions: AsyncSessions
    _found: Loaded | StoreError | None = None
    _turn: asyncio.Lock | None = None

    async def load(self) -> Self:
        """Asks the store for the session, if the request brought one, once. Gives the session.

        That the store fails is raised at the first look.
        """
        sessions = self._sessions
        if self._found is not None or self._data is not None or not sessions.asks:
            return self
        if sessions.engine.asks_first(self.header, now=sessions.clock()):
            try:
                found: Loaded | StoreError = await sessions.load(self)
            except StoreError as error:
                # Its frames have this session: a circle would outlive the request.
                found = error.with_traceback(None)
            if self._found is None:
                self._found = found
        return self

    def _load(self) -> Loaded:
        # What was found is told once, and judged once.
        return self._found if isinstance(self._found, Loaded) else super()._load()

    def _read(self) -> Loaded:
        found = self._found
        if found is None:
            return self._sessions.read(self)
        if isinstance(found, StoreError):
            self._found = None
            try:
                raise found
            finally:
                del found
        return found

    async def save(self) -> bool:  # type: ignore[override]
        """As `RequestSession.save`, and in a websocket."""
        return await self._sessions.keep_async(self)

    async def finish(self) -> None:  # type: ignore[override]
        """Keeps what was changed since the response began, when all is done. Raises as `save` does."""
        if self.settled():
            return
        try:
            await self._sessions.keep_async(self)
        except asyncio.CancelledError as error:
            await self.rescue(error)
            raise

    async def rescue(self, error: BaseException) -> None:  # type: ignore[override]
        """Keeps what was changed, where the request ends by this error: the client is gone, or the task is cancelled.

        Nothing is raised but another cancellation. Where it cannot be kept, a note on the error says so.
        """
        if not self.settled():
            await self._sessions.rescue(self, error)

    def turn(self) -> asyncio.Lock:
        """Gives what has the tasks of this request commit and save one after the other."""
        self._turn = self._turn or asyncio.Lock()
        return self._turn
