"""The two places where attacks are tried: the engine alone, and a Flask application around it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from traceback import TracebackException
from typing import Any, NamedTuple

from flask import Flask, request

import coatcheck
from coatcheck import Event, Keyring, Reason, Session, Settings
from coatcheck.core.codec import pack
from coatcheck.core.engine import Engine
from coatcheck.core.events import Kind
from coatcheck.core.loaded import Loaded
from coatcheck.core.record import Record
from coatcheck.core.seal import Sealer
from coatcheck.core.text import encode
from coatcheck.core.token import SEALED, TokenSealer
from coatcheck.drive import run
from coatcheck.flask import Coatcheck, session

SECRET = "f1b6a0c25d3e94877a60c1d2e3b4958607f8192a3b4c5d6e7f8091a2b3c4d5e7"
EARLIER_SECRET = "3c9d1e7f5a2b48606d4c8e0f1a3b5c7d9e2f4a6b8c0d1e3f5a7b9c2d4e6f8a1b"
FOREIGN_SECRET = "b7e4d1a8f5c2960370ad4e1b8f5c29d6a3704d1e8b5f2c9630ad7e4b1f8c5d29"

NOW = 1_800_000_000
DAY = 86400
ID = bytes.fromhex("5b1f0c9e7d3a48624f1d2c3b4a596877")
CONTENT: dict[str, Any] = {
    "user": "xiaoming",
    "user_id": 12345,
    "_fresh": True,
    "_permanent": True,
    "csrf_token": "3f7a1c9be2d04586a7f01c3e5b2d4f6890ab1c2d",
    "cart": [{"sku": "A-100", "qty": 2}, {"sku": "B-7", "qty": 1}],
}
PACKAGE = Path(coatcheck.__file__).parent
HEAD_BYTES = 5
NONCE_BYTES = 24
TAG_BYTES = 16
CIPHERTEXT_AT = HEAD_BYTES + NONCE_BYTES


def purpose_sealer(keyring: Keyring, audience: str = "", name: str = "session") -> Sealer:
    """Gives what an attacker with the leaked key has: seals any plaintext for this purpose."""
    key = keyring.primary
    return Sealer(key.derive("cookie", audience, name), bytes([SEALED]) + key.id, os.urandom)


class Desk:
    """The engine alone, with what it told. Policy as for `Settings`."""

    def __init__(self, keyring: Keyring | None = None, **policy: Any) -> None:
        self.keyring = keyring or Keyring(SECRET)
        self.settings = Settings(**policy)
        self.name = self.settings.cookie_name
        self.events: list[Event] = []
        self.engine = Engine(self.settings, self.keyring, random=os.urandom, emit=self.events.append)

    def seal(
        self,
        content: object = CONTENT,
        *,
        created_at: int = NOW,
        sealed_at: int = NOW,
        session_id: bytes = ID,
        name: str | None = None,
    ) -> str:
        return self.seal_packed(
            pack(content), created_at=created_at, sealed_at=sealed_at, session_id=session_id, name=name
        )

    def seal_packed(
        self,
        packed: bytes,
        *,
        created_at: int = NOW,
        sealed_at: int = NOW,
        session_id: bytes = ID,
        name: str | None = None,
    ) -> str:
        sealer = TokenSealer(self.keyring, self.settings.audience, name or self.name, os.urandom)
        return sealer.seal(Record(session_id, created_at, sealed_at, packed), NOW)

    def seal_plaintext(self, plaintext: bytes) -> str:
        return encode(purpose_sealer(self.keyring, self.settings.audience, self.name).seal(plaintext, NOW))

    def load(self, header: str, now: float = NOW) -> Loaded:
        self.events.clear()
        return run(self.engine.load(header, now=now))

    def refusal(self, token: str, now: float = NOW) -> Reason | None:
        """Says why this token gives an empty session; None where it gives its session."""
        loaded = self.load(f"{self.name}={token}", now)
        if loaded.record is not None:
            assert self.events == []
            return None
        assert loaded.content == {}
        assert loaded.present == (self.name,)
        assert loaded.reseal is False
        (event,) = self.events
        assert event == Event(Kind.REJECTED, event.reason, None)
        assert event.reason is not None
        return event.reason

    def refusals(self, raws: Iterable[bytes]) -> set[Reason | None]:
        """Says why tokens of these bytes give empty sessions."""
        return {self.refusal(encode(raw)) for raw in raws}


class Answer(NamedTuple):
    """A response, to be compared whole."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for header, value in self.headers if header == name]

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def cookies(self) -> list[str]:
        return self.all("Set-Cookie")

    @property
    def pair(self) -> str:
        """Name and value of the one cookie that it sets, as the browser sends them back."""
        (cookie,) = self.cookies
        return cookie.partition(";")[0]

    @property
    def token(self) -> str:
        return self.pair.partition("=")[2]

    def masked(self) -> Answer:
        """The same without the sealed value, which is never twice the same."""
        headers = tuple((name, re.sub(r"^([^=;]+)=[\w-]{60,}", r"\1=(sealed)", value)) for name, value in self.headers)
        return Answer(self.status, headers, self.body)


class Site:
    """A Flask application with sessions, its clock, and what it told. Options as for `Coatcheck`."""

    def __init__(self, **options: Any) -> None:
        self.now: float = NOW
        self.events: list[Event] = []
        self.app = Flask("site")
        options = {"secret_key": SECRET} | options
        Coatcheck(self.app, clock=lambda: self.now, on_event=self.events.append, **options)
        self.app.config["PROPAGATE_EXCEPTIONS"] = True
        for view in (untouched, read, look, write, logout, login, escalate):
            self.app.add_url_rule(f"/{view.__name__}", view_func=view)

    def get(self, path: str, cookie: str | None = None, **environ: Any) -> Answer:
        """Asks with a raw `Cookie` header, handed on as by a WSGI server, and with other facts of WSGI."""
        if cookie is not None:
            environ["HTTP_COOKIE"] = cookie
        response = self.app.test_client(use_cookies=False).get(path, environ_overrides=environ)
        return Answer(response.status, tuple(response.headers), response.data)

    @property
    def reasons(self) -> list[Reason | None]:
        return [event.reason for event in self.events if event.kind is Kind.REJECTED]


def untouched() -> str:
    return "the same for all"


def read() -> str:
    return f"user: {session.get('user', 'nobody')}"


def look() -> str:
    return f"{session.new} {sorted(session.items(), key=str)}"


def write() -> str:
    session["user"] = request.args.get("user", "ann")
    return "written"


def logout() -> str:
    session.destroy()
    return "logged out"


def login() -> str:
    """As an application should: nothing of the guest's session goes on."""
    session.destroy()
    session["user"] = request.args.get("user", "ann")
    return session.handle


def escalate() -> str:
    """The guest's session goes on under another id."""
    session.regenerate()
    session["user"] = request.args.get("user", "ann")
    return session.handle


def session_object() -> Session:
    """Gives what stands behind Flask's proxy in the present request."""
    found: Session = session._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug's way to it
    return found


def locals_shown(error: BaseException) -> str:
    """Gives what an error reporter sends of coatcheck's own frames: the variables of each, and the messages."""
    shown: list[str] = []
    pending: list[TracebackException | None] = [TracebackException.from_exception(error, capture_locals=True)]
    while pending:
        link = pending.pop()
        if link is None:
            continue
        shown.append(str(link))
        for frame in link.stack:
            if Path(frame.filename).is_relative_to(PACKAGE):
                shown += [f"{frame.name}: {name} = {value}" for name, value in (frame.locals or {}).items()]
        pending += [link.__cause__, link.__context__]
    return "\n".join(shown)
