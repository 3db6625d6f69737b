"""Requests at the same time: each in a thread, or each in a task of one event loop.

All have looked at their session before the first of them goes on, so that each knows the
session as it was, and then they save at once.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from threading import Barrier
from typing import Any, NamedTuple

from kit import Site, name_and_value
from races.steps import Held, View
from servers.process import PATIENCE

from coatcheck.core.engine import Decision
from coatcheck.drive import run, run_async
from coatcheck.stores import AsyncStore, Store, open_async_store, open_store
from coatcheck.testing import Clock


def limits(url: str) -> dict[str, Any]:
    """Gives the options of a store whose time-outs are not what is tested. One in memory has none."""
    return {} if url.startswith("memory:") else {"timeout": PATIENCE}


class Answer(NamedTuple):
    """What came of a request."""

    seen: dict[str, Any]
    decision: Decision

    @property
    def header(self) -> str:
        """What a browser sends afterwards that has this response's cookies and no other; "" for none."""
        cookies = dict(map(name_and_value, self.decision.cookies))
        return "; ".join(f"{name}={value}" for name, value in cookies.items() if value)


class Crowd:
    """Visitors of a site that keeps its sessions in one store."""

    def __init__(self, url: str) -> None:
        self.url = url
        # The stores go by the real time.
        self.clock = Clock(time.time())

    def site(self, *, earlier: bool = False, **options: Any) -> Site:
        """Gives a site; `earlier` for one that moves sessions from an earlier store."""
        if earlier:
            options["earlier_store"] = self.earlier_store
        return Site(clock=self.clock, store=self.store, **options)

    def site_before(self, *, sealed: bool) -> Site:
        """Gives the same site before its sessions were moved here."""
        return Site(clock=self.clock, store=None if sealed else self.earlier_store)

    def begin(self, site: Site, **items: Any) -> str:
        """Gives the `Cookie` header of a visitor with a new session."""
        return self.visit(site, "", lambda session: session.update(items)).header

    def visit(self, site: Site, header: str, view: View) -> Answer:
        """Makes one request."""
        return self.together(site, (header, view))[0]

    def read(self, site: Site, header: str) -> dict[str, Any]:
        """Gives what a new request finds."""
        return self.visit(site, header, lambda session: session.get("")).seen

    store: Any
    earlier_store: Any

    def together(self, site: Site, *requests: tuple[str, View], last: int | None = None) -> list[Answer]:
        """Makes requests that have all looked before one of them goes on; `last` saves when the others have."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Threads(Crowd):
    """Each request in a thread of its own."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.store: Store = open_store(url, **limits(url))
        self.earlier_store: Store = open_store("memory:")

    def together(self, site: Site, *requests: tuple[str, View], last: int | None = None) -> list[Answer]:
        looked, saved = Barrier(len(requests)), Barrier(len(requests))

        def request(number: int) -> Answer:
            header, view = requests[number]
            loaded = run(site.engine.load(header, now=self.clock()), site.stores)
            session, seen = Held(loaded, os.urandom), dict(loaded.content)
            looked.wait(PATIENCE)
            if number == last:
                saved.wait(PATIENCE)
            view(session)
            decision = run(site.engine.commit(session, now=self.clock(), https=True), site.stores)
            if last is not None and number != last:
                saved.wait(PATIENCE)
            return Answer(seen, decision)

        with ThreadPoolExecutor(len(requests)) as threads:
            return list(threads.map(request, range(len(requests))))

    def close(self) -> None:
        for store in (self.store, self.earlier_store):
            getattr(store, "close", lambda: None)()


class Tasks(Crowd):
    """Each request in a task of one event loop."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._loop = asyncio.Runner()
        self._loop.run(self._open())

    async def _open(self) -> None:
        self.store: AsyncStore = open_async_store(self.url, **limits(self.url))
        self.earlier_store: AsyncStore = open_async_store("memory:")

    def together(self, site: Site, *requests: tuple[str, View], last: int | None = None) -> list[Answer]:
        return self._loop.run(self._together(site, requests, last))

    async def _together(self, site: Site, requests: Sequence[tuple[str, View]], last: int | None) -> list[Answer]:
        looked, saved = asyncio.Barrier(len(requests)), asyncio.Barrier(len(requests))
        stores: Any = site.stores

        async def request(number: int) -> Answer:
            header, view = requests[number]
            loaded = await run_async(site.engine.load(header, now=self.clock()), stores)
            session, seen = Held(loaded, os.urandom), dict(loaded.content)
            await looked.wait()
            if number == last:
                await saved.wait()
            view(session)
            decision = await run_async(site.engine.commit(session, now=self.clock(), https=True), stores)
            if last is not None and number != last:
                await saved.wait()
            return Answer(seen, decision)

        async with asyncio.timeout(PATIENCE):
            return await asyncio.gather(*map(request, range(len(requests))))

    async def _close(self) -> None:
        async with AsyncExitStack() as stack:
            for store in (self.store, self.earlier_store):
                close = getattr(store, "close", None)
                if close is not None:
                    stack.push_async_callback(close)

    def close(self) -> None:
        self._loop.run(self._close())
        self._loop.close()
