"""The life of a session, from a first visit to its end, with everything that an event tells of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from hosts.host import Browser, Host
from kit import SECRET

from coatcheck import Event, Session
from coatcheck.sessions import Sessions
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

MODES = ("cookie", "list", "store", "hybrid")
Make: TypeAlias = Callable[..., Host]

USER = "user-planted-ann"
CONTENT = "content-planted-cart"
IDLE = 3600
GRACE = 11


def options_of(mode: str, clock: Clock) -> dict[str, Any]:
    """Gives the options of a mode: in the cookie, there with a list of what has ended, in a store, or both."""
    options: dict[str, Any] = {"clock": clock, "secret_key": SECRET, "permanent_lifetime": IDLE}
    store = MemoryStore(clock=clock)
    further: dict[str, dict[str, Any]] = {
        "cookie": {},
        "list": {"revocations": store},
        "store": {"store": store},
        "hybrid": {"store": store, "mode": "hybrid"},
    }
    return options | further[mode]


PAGES: Mapping[str, Callable[[Session], object]] = {
    "put": lambda session: session.update(cart=CONTENT),
    "more": lambda session: session.update(more=CONTENT),
    "login": lambda session: session.login(USER),
    "logout": lambda session: session.logout(),
    "rotate": lambda session: session.regenerate(),
    "look": lambda session: session.user_id or "nobody",
}


def copy_of(browser: Browser) -> Browser:
    """Gives what somebody has who copied the cookies."""
    thief = Browser(browser.host)
    thief.cookies.update(browser.cookies)
    return thief


class Life:
    """A visitor of a host, and somebody who has copied a cookie.

    Each step is a method; `told` gives what was told since the last time.
    """

    def __init__(self, mode: str, clock: Clock, make: Make, **further: Any) -> None:
        self.mode = mode
        self.clock = clock
        self.events: list[Event] = []
        self.options = options_of(mode, clock) | {"on_event": self.events.append} | further
        self.host = make(PAGES, **self.options)
        self.browser = Browser(self.host)
        self._closed = False

    def get(self, *pages: str, browser: Browser | None = None) -> list[str]:
        return [(browser or self.browser).get(f"/{page}").text for page in pages]

    def close(self) -> None:
        """Ends the host, once."""
        if not self._closed:
            self._closed = True
            self.host.close()

    def told(self) -> list[tuple[str, str]]:
        told = [(event.kind.value, event.reason.value if event.reason else "") for event in self.events]
        self.events.clear()
        return told

    def elsewhere(self) -> Sessions:
        """Gives the sessions of another program with the same store, such as a shell."""
        return Sessions(self.options)

    # The steps

    def begin(self) -> None:
        self.get("put")

    def change(self) -> None:
        self.get("more")

    def sign_in(self) -> None:
        self.get("login")

    def sign_out(self) -> None:
        self.get("logout")

    def rotate(self) -> None:
        self.get("rotate")

    def go_on(self) -> None:
        self.clock.advance(IDLE / 2)
        self.get("look")

    def reuse(self) -> None:
        """Somebody comes with a cookie whose id was replaced, when its grace is over."""
        thief = copy_of(self.browser)
        self.get("rotate")
        self.clock.advance(GRACE)
        self.get("look", browser=thief)

    def come_back(self) -> None:
        self.get("look")

    def revoke(self) -> None:
        self.elsewhere().revoke_user(USER)
        self.clock.advance(2)

    def expire(self) -> None:
        self.clock.advance(IDLE + 1)
        self.get("look")

    def forge(self) -> None:
        """Somebody comes with a cookie that was changed."""
        forger = copy_of(self.browser)
        token = forger.cookies["session"]
        middle = len(token) // 2
        forger.cookies["session"] = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
        self.get("look", browser=forger)


STEPS = (
    *("begin", "change", "sign_in", "go_on", "rotate", "forge", "revoke", "come_back"),
    *("sign_in", "reuse", "come_back", "sign_in", "sign_out", "begin", "expire"),
)


def walk(life: Life) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Lives a whole life. Gives each step with what was told of it."""
    for step in STEPS:
        if step == "revoke" and life.mode == "cookie":
            # There is nowhere to remember it.
            continue
        getattr(life, step)()
        yield step, life.told()


def expected(mode: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Gives what is to be told of each step of a life, and in which order."""
    kept, listed = mode in ("store", "hybrid"), mode != "cookie"
    gone = ("rejected", "unknown_id" if kept else "revoked")
    # Without a list nobody knows that a session has ended, or that an id was replaced.
    ended = [gone] if listed else []
    begun = [gone, ("created", ""), ("signed_in", "")] if listed else [("regenerated", ""), ("signed_in", "")]
    steps = [
        ("begin", [("created", "")]),
        ("change", [("changed", "")]),
        ("sign_in", [("regenerated", ""), ("signed_in", "")]),
        ("go_on", [("refreshed", "")]),
        ("rotate", [("regenerated", "")]),
        ("forge", [("rejected", "unknown_id" if kept else "forged")]),
        ("revoke", [("revoked", "")]),
        ("come_back", ended),
        ("sign_in", begun),
        ("reuse", [("regenerated", ""), *([("reused", ""), ("rejected", "reused")] if listed else [])]),
        ("come_back", ended),
        ("sign_in", begun),
        ("sign_out", [("destroyed", ""), ("signed_out", "" if listed else "unrevoked")]),
        ("begin", [("created", "")]),
        # A store forgets by itself what has expired.
        ("expire", [("rejected", "unknown_id" if mode == "store" else "expired")]),
    ]
    return [step for step in steps if listed or step[0] != "revoke"]
