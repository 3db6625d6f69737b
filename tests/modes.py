"""A site in each of the ways to keep sessions, with a list of what has been ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kit import Browser, Site, Visit

from coatcheck import Session
from coatcheck.core.accounts import Found
from coatcheck.core.events import Kind
from coatcheck.drive import run
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore

REMEMBERING = ("list", "store", "hybrid")
MODES = ("cookie", *REMEMBERING)
in_every_mode = pytest.mark.parametrize("mode", MODES)
where_it_is_remembered = pytest.mark.parametrize("mode", REMEMBERING)

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class FromSomewhere(Visit):
    """The session of a request of which it is known where it came from."""

    def _client(self) -> tuple[str, str]:
        return "203.0.113.9", AGENT


class SignInSite(Site):
    """A site in one of the modes. Several share one memory and one clock, as the processes of a site do."""

    def __init__(self, mode: str, *keys: Any, like: SignInSite | None = None, **options: Any) -> None:
        self.mode = mode
        clock = like.clock if like is not None else Clock()
        self.memory: MemoryStore = like.memory if like is not None else MemoryStore(clock=clock)
        self.store = FailingStore(self.memory)
        stores: dict[str, Any] = {} if mode == "cookie" else {"revocations": self.store}
        if mode in ("store", "hybrid"):
            stores["store"] = self.store
        super().__init__(*keys, clock=clock, **{**stores, "mode": None if mode == "list" else mode, **options})

    def open(self, header: str = "") -> Visit:
        return FromSomewhere(self, header)

    def user_of(self, header: str) -> Any:
        """Gives who is signed in by a `Cookie` header."""
        return self.open(header).user_id

    def sign_in(self, user_id: Any = "ada", **items: Any) -> Browser:
        """Gives a browser of somebody who has signed in, and forgets what happened so far."""
        browser = Browser(self)
        browser.visit(lambda session: (session.login(user_id), session.update(items)))
        self.told()
        return browser

    def told(self) -> list[tuple[str, str]]:
        """Gives the kinds and reasons of the events since the last time."""
        events = [(event.kind.value, event.reason.value if event.reason else "") for event in self.events]
        self.events.clear()
        return events

    def sessions_of(self, user_id: Any = "ada", current: Session | None = None) -> list[Found]:
        return run(self.engine.accounts.sessions_of(user_id, current, self.clock()), self.stores)

    def revoke(self, handle: Any, user_id: Any = "ada") -> bool:
        return run(self.engine.accounts.revoke(handle, user_id, self.clock()), self.stores)

    def revoke_user(self, user_id: Any = "ada", keep: Session | None = None) -> int:
        return run(self.engine.accounts.revoke_user(user_id, keep, self.clock()), self.stores)

    def revoke_everyone(self) -> None:
        run(self.engine.accounts.revoke_everyone(self.clock()), self.stores)

    @property
    def rows(self) -> int:
        """How many sessions there are on the server."""
        return sum(1 for record in self.memory._records.values() if record.content[:1] == b"\x02")  # noqa: SLF001


def login(user_id: Any = "ada", **items: Any) -> Callable[[Session], object]:
    """Gives a view that signs somebody in."""
    return lambda session: (session.login(user_id), session.update(items))


def logout(*keep: str) -> Callable[[Session], object]:
    return lambda session: session.logout(keep=keep)


def kinds(told: list[tuple[str, str]]) -> set[str]:
    """Gives the kinds that say something of a user, and none of where a session is kept."""
    return {kind for kind, _ in told} & {Kind.SIGNED_IN, Kind.SIGNED_OUT, Kind.REVOKED, Kind.REUSED}
