"""What the tests share: a clock that is set, a scripted source of randomness, a site and its browsers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from coatcheck import Event, Keyring, Session, Settings
from coatcheck.core.engine import Decision, Engine
from coatcheck.core.loaded import Loaded
from coatcheck.core.revocations import Bell
from coatcheck.drive import run
from coatcheck.stores import Store, StoredRecord
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore

SECRET = "9f3c1b7ad0e84c52b6e1f70a2d95c8437be00f6a1c24d98e5b37a6f0c1d2e394"
OTHER_SECRET = "41d7e2b09a6c4f13857dbe9c20fa61830c5be4d7f29a1868b3e07c5d94f1a62e"
NOON = 1_800_000_000


def nothing(session: Session) -> None:
    """A view that does not look at the session."""


def look(session: Session) -> None:
    """A view that looks and changes nothing."""
    session.get("user")


def put(**items: Any) -> Callable[[Session], object]:
    """Gives a view that sets some keys."""
    return lambda session: session.update(items)


class Script:
    """A source of randomness that gives known bytes, and fails when they are used up."""

    def __init__(self, *parts: bytes) -> None:
        self._stream = BytesIO(b"".join(parts))

    def __call__(self, count: int) -> bytes:
        given = self._stream.read(count)
        assert len(given) == count, "more randomness is drawn than was scripted"
        return given


class Visit(Session):
    """The session of one request."""

    def __init__(self, site: Site, header: str) -> None:
        super().__init__(os.urandom)
        self.site = site
        self.header = header
        self.loads = 0

    def _load(self) -> Loaded:
        self.loads += 1
        return run(self.site.engine.load(self.header, now=self.site.clock()), self.site.stores)

    def _last_instant(self) -> int:
        revocations = self.site.engine.revocations
        if revocations is None:
            return 0
        run(revocations.catch_up(self.site.clock()), self.site.stores)
        return revocations.latest


class Site:
    """One policy and one key ring, with a list of the events so far. A clock may be shared with another site."""

    def __init__(  # noqa: PLR0913  # what a site consists of
        self,
        secret: str | bytes = SECRET,
        fallbacks: Iterable[Any] = (),
        *,
        clock: Clock | None = None,
        random: Callable[[int], bytes] = os.urandom,
        store: Store | None = None,
        earlier_store: Store | None = None,
        revocations: Store | None = None,
        bell: Bell | None = None,
        **options: Any,
    ) -> None:
        self.clock = clock or Clock()
        self.events: list[Event] = []
        self.settings = Settings(**options)
        self.keyring = Keyring(secret, fallbacks)
        self.stores = (store, earlier_store, revocations)
        self.engine = Engine(
            self.settings,
            self.keyring,
            random=random,
            emit=self.events.append,
            store=store is not None,
            earlier_store=earlier_store is not None,
            revocations=revocations is not None,
            bell=bell,
        )

    def open(self, header: str = "") -> Visit:
        return Visit(self, header)

    def commit(self, session: Session, *, https: bool = True) -> Decision:
        return run(self.engine.commit(session, now=self.clock(), https=https), self.stores)


class ServerSite(Site):
    """A site that keeps its sessions in memory. Several may share one memory."""

    def __init__(
        self, *keys: Any, memory: MemoryStore | None = None, clock: Clock | None = None, **options: Any
    ) -> None:
        clock = clock or Clock()
        self.memory = memory or MemoryStore(clock=clock)
        self.store = FailingStore(self.memory)
        super().__init__(*keys, clock=clock, store=self.store, **options)

    @property
    def records(self) -> dict[bytes, StoredRecord]:
        """What is in the store, by key."""
        return self.memory._records  # noqa: SLF001  # a dump shows all

    def begin(self, **items: Any) -> Browser:
        """Gives a browser that has a session with these items, and forgets what happened so far."""
        browser = Browser(self)
        browser.visit(put(**items))
        self.asked()
        self.told()
        return browser

    def asked(self) -> list[str]:
        """Gives what was asked of the store since the last time."""
        calls = self.store.calls[:]
        self.store.calls.clear()
        return calls

    def told(self) -> list[tuple[str, str]]:
        """Gives the kinds and reasons of the events since the last time."""
        events = [(event.kind.value, event.reason.value if event.reason else "") for event in self.events]
        self.events.clear()
        return events


class Browser:
    """Keeps cookies by name and sends them all. It ends none by itself: what the server enforces must not need it."""

    def __init__(self, site: Site, *, https: bool = True) -> None:
        self.site = site
        self.https = https
        self.cookies: dict[str, str] = {}

    @property
    def header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def visit(self, view: Callable[[Session], object] = nothing) -> Decision:
        """Makes a request. `view` gets the session; what it raises comes out here."""
        session = self.site.open(self.header)
        view(session)
        decision = self.site.commit(session, https=self.https)
        for cookie in decision.cookies:
            name, value = name_and_value(cookie)
            if attributes(cookie).get("max-age") == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return decision

    def read(self) -> dict[str, Any]:
        """Gives what the site now reads from the cookies, without answering."""
        return dict(self.site.open(self.header))


def name_and_value(cookie: str) -> tuple[str, str]:
    """Gives the name and the value of a `Set-Cookie`."""
    name, _, value = cookie.partition(";")[0].partition("=")
    return name, value


def attributes(cookie: str) -> dict[str, str]:
    """Gives the attributes of a `Set-Cookie` by their names in lower case; "" for those that have no value."""
    parts = [part.strip().partition("=") for part in cookie.split(";")[1:]]
    return {name.lower(): value for name, _, value in parts}
