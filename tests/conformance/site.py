"""A site of one page that does to its session what a test says, on a real framework, and its visitors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from coatcheck import CsrfError, Event, Session, SessionInfo
from coatcheck.asgi import SessionMiddleware
from coatcheck.flask import Coatcheck, session
from coatcheck.testing import Clock

SECRET = "5d0e8c7b6a594837261504f3e2d1c0b9a8f7e6d5c4b3a29180706050403020f1"
MODES: dict[str, dict[str, Any]] = {
    "cookie": {},
    "cookie with list": {"revocations": "memory:"},
    "store": {"store": "memory:"},
    "hybrid": {"store": "memory:", "mode": "hybrid"},
}
Job = Callable[[Any], Any]


def nothing(_: Any) -> None:
    """Does not look."""


class Site:
    """What a test works with. Each framework has a subclass."""

    def __init__(self, mode: str, clock: Clock | None = None, **options: Any) -> None:
        self.clock = clock or Clock(1_800_000_000)
        self.events: list[Event] = []
        self.job: Job = nothing
        self.result: Any = None
        given = {"secret_key": SECRET, "clock": self.clock, "on_event": self.events.append}
        self.build({**given, **MODES[mode], **options})

    def build(self, options: dict[str, Any]) -> None:
        raise NotImplementedError

    def send(self, path: str, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]]]:
        raise NotImplementedError

    def sessions_of(self, user: str, current: Session | None = None) -> list[SessionInfo]:
        raise NotImplementedError

    def revoke(self, handle: str, user: str) -> bool:
        raise NotImplementedError

    def revoke_user(self, user: str) -> int:
        raise NotImplementedError

    def revoke_everyone(self) -> None:
        raise NotImplementedError

    def run(self, current: Any) -> None:
        self.result = self.job(current)

    @property
    def stored(self) -> int:
        """How many records of sessions there are."""
        raise NotImplementedError


class FlaskSite(Site):
    def build(self, options: dict[str, Any]) -> None:
        app = self.app = Flask("site", static_folder=None)
        self.calls = Coatcheck(app, **options)

        @app.get("/")
        def page() -> str:
            self.run(session)
            return ""

    def send(self, path: str, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]]]:
        client = self.app.test_client(use_cookies=False)
        answer = client.get(path, headers=headers, base_url="https://site.example")
        return answer.status_code, [*answer.headers.items()]

    def sessions_of(self, user: str, current: Session | None = None) -> list[SessionInfo]:
        with self.app.app_context():
            return self.calls.sessions_of(user, current=current)

    def revoke(self, handle: str, user: str) -> bool:
        with self.app.app_context():
            return self.calls.revoke(handle, user_id=user)

    def revoke_user(self, user: str) -> int:
        with self.app.app_context():
            return self.calls.revoke_user(user)

    def revoke_everyone(self) -> None:
        with self.app.app_context():
            self.calls.revoke_everyone()

    @property
    def stored(self) -> int:
        with self.app.app_context():
            store = self.app.session_interface.sessions(self.app).stores[0]  # type: ignore[attr-defined]
        return 0 if store is None else len(store._records)  # noqa: SLF001  # what it holds


class StarletteSite(Site):
    def build(self, options: dict[str, Any]) -> None:
        async def page(request: Request) -> PlainTextResponse:
            self.run(request.session)
            return PlainTextResponse("")

        key = options.pop("secret_key")
        self.calls = SessionMiddleware(Starlette(routes=[Route("/", page)]), key, max_age=None, **options)

    def send(self, path: str, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]]]:
        client = TestClient(self.calls, base_url="https://site.example")
        answer = client.get(path, headers=headers)
        return answer.status_code, [(name.title(), value) for name, value in answer.headers.multi_items()]

    def sessions_of(self, user: str, current: Session | None = None) -> list[SessionInfo]:
        return asyncio.run(self.calls.sessions_of(user, current=current))

    def revoke(self, handle: str, user: str) -> bool:
        return asyncio.run(self.calls.revoke(handle, user_id=user))

    def revoke_user(self, user: str) -> int:
        return asyncio.run(self.calls.revoke_user(user))

    def revoke_everyone(self) -> None:
        asyncio.run(self.calls.revoke_everyone())


class Visitor:
    """A browser, or a thief with a copy of its cookie. It keeps cookies longer than it is told to."""

    def __init__(self, site: Site, cookie: str = "", agent: str = "Browser/1") -> None:
        self.site = site
        self.cookie = cookie
        self.agent = agent
        self.headers: list[tuple[str, str]] = []
        self.status = 0

    @property
    def set(self) -> list[str]:
        """What the last answer said in `Set-Cookie`."""
        return [value for name, value in self.headers if name == "Set-Cookie"]

    def do(self, job: Job = nothing, path: str = "/", **headers: str) -> Any:
        """Sends a request that does this to the session. Gives what it gave."""
        self.site.job, self.site.result = job, None
        sent = {"User-Agent": self.agent, **headers}
        if self.cookie:
            sent["Cookie"] = self.cookie
        self.status, self.headers = self.site.send(path, sent)
        for line in self.set:
            pair = line.partition(";")[0]
            self.cookie = "" if pair.endswith("=") else pair
        return self.site.result

    def copy(self) -> Visitor:
        return Visitor(self.site, self.cookie, "Thief/1")

    @property
    def user(self) -> Any:
        return self.do(lambda current: current.user_id)


def login(user: str) -> Job:
    return lambda current: current.login(user)


def refused(token: str | None) -> Job:
    """Says whether a session takes a CSRF token for none of its own."""

    def check(current: Any) -> bool:
        try:
            current.check_csrf(token)
        except CsrfError:
            return True
        return False

    return check


def logout(current: Any) -> None:
    current.logout()
