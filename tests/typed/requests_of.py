"""A site without a framework: sessions that are opened from a cookie and committed to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kit import SECRET, name_and_value

from coatcheck import Event
from coatcheck.request_session import RequestSession
from coatcheck.sessions import Sessions
from coatcheck.stores.memory import MemoryStore


class Site:
    """One browser at a site. What a view raises, or the commit, comes out of `visit`."""

    def __init__(self, *, on_server: bool = False) -> None:
        self.events: list[Event] = []
        self.store = MemoryStore()
        options: dict[str, Any] = {"store": self.store} if on_server else {}
        self.sessions = Sessions({"secret_key": SECRET, "on_event": self.events.append, **options})
        self.cookie = ""

    def open(self) -> RequestSession:
        return RequestSession(self.sessions, self.cookie)

    def commit(self, session: RequestSession) -> bool:
        """Answers a request. Says whether the browser was sent a cookie, or told to forget it."""
        decision = self.sessions.commit(session, https=True)
        for cookie in decision.cookies:
            name, value = name_and_value(cookie)
            self.cookie = f"{name}={value}" if value else ""
        return bool(decision.cookies)

    def visit(self, view: Callable[[RequestSession], Any]) -> bool:
        session = self.open()
        view(session)
        return self.commit(session)

    def write(self, **content: Any) -> None:
        """Makes the browser's session this, as an earlier version of the program would have."""
        self.visit(lambda session: session.update(content))
        self.events.clear()

    @property
    def content(self) -> dict[str, Any]:
        """What is kept."""
        return dict(self.open())
