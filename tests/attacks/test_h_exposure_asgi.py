"""H14 on ASGI: what error reporters send of our frames holds no key, no content and no cookie that we make.

The scope, with what the browser sent, is in the frames of every ASGI application above and below ours: it is looked at
where ours is the only one to have it, in the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from logging import DEBUG
from secrets import token_hex
from typing import Any

import pytest
from asgi.exchange import Visitor, answer, begin, in_loop, middleware, piece, session_of
from asgi.parking import ParkingStore
from attacks.harness import locals_shown

from coatcheck import CoatcheckError, Session, SessionTooLarge, StoreError, Unserializable, UsageError
from coatcheck.asgi import SessionMiddleware

Act = Callable[[Session, str], object]


class Site:
    """An application that fails as it is told, with a visitor whose session has a value that is made at run time."""

    def __init__(self, *, stored: bool) -> None:
        self.value = token_hex(12)
        self.store = ParkingStore() if stored else None
        self.early: Act = lambda session, value: None
        self.late: Act = lambda session, value: None
        self.falls = False
        self.app = middleware(self._serve, store=self.store)
        self.visitor = Visitor(self.app)
        self.sent: list[str] = []

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        if scope["path"] == "/start":
            session.update(user=self.value, list=[self.value])
            await answer(send)
            return
        assert session["user"]
        self.early(session, self.value)
        if scope["type"] == "http":
            await begin(send)
            await piece(send, "first")
        else:
            await send({"type": "websocket.accept"})
        self.late(session, self.value)
        if self.store is not None:
            self.store.down = self.falls
        if scope["type"] == "http":
            await piece(send, "last", more=False)
        else:
            await session.save()

    async def error(self, kind: str) -> BaseException:
        """Gives what a request ends with."""
        await self.visitor.get("/start")
        exchange = self.visitor.ask() if kind == "http" else self.visitor.connect()
        error = await exchange.error()
        self.sent = list(exchange.cookies.values())
        assert error is not None
        return error

    def shown(self, error: BaseException) -> list[str]:
        """Names what an error reporter would show of this."""
        frames = locals_shown(error) + str(error) + str(getattr(error, "__notes__", ""))
        # What the browser sent is in every frame that has a scope.
        text = "\n".join(line for line in frames.splitlines() if ": scope = " not in line)
        assert "coatcheck" in frames
        tokens = [*self.visitor.cookies.values(), *self.sent]
        found = ["value"] * (self.value in text)
        return found + ["cookie"] * any(token[4:20] in text for token in tokens if token)


FAILURES: dict[str, tuple[Act, type[CoatcheckError]]] = {
    "too large": (lambda session, value: session.update(large=value * 100_000), SessionTooLarge),
    "no value to keep": (lambda session, value: session["list"].append([value, object()]), Unserializable),
    "no key to keep": (lambda session, value: session["list"].append({value: 1, object(): 1}), Unserializable),
}
each_kind = pytest.mark.parametrize("kind", ["http", "websocket"])


@each_kind
@pytest.mark.parametrize("stored", [False, True], ids=["cookie", "store"])
@pytest.mark.parametrize("failure", FAILURES)
@in_loop
async def test_h14_a_commit_that_fails_shows_nothing(failure: str, stored: bool, kind: str) -> None:
    site = Site(stored=stored)
    site.early, expected = FAILURES[failure]
    error = await site.error(kind)
    assert isinstance(error, expected)
    assert site.shown(error) == []


@each_kind
@pytest.mark.parametrize("failure", FAILURES)
@in_loop
async def test_h14_a_late_save_that_fails_shows_nothing(failure: str, kind: str) -> None:
    site = Site(stored=True)
    site.late, expected = FAILURES[failure]
    error = await site.error(kind)
    assert isinstance(error, expected)
    assert site.shown(error) == []


@each_kind
@in_loop
async def test_h14_a_late_save_that_the_store_does_not_take_shows_nothing(kind: str) -> None:
    site = Site(stored=True)
    site.late, site.falls = lambda session, value: session.update(late=value), True
    error = await site.error(kind)
    assert isinstance(error, StoreError)
    assert site.shown(error) == []


@each_kind
@pytest.mark.parametrize(
    "late",
    [
        # What the application hands over is in its own frames anyhow.
        lambda session, value: session.update(late=True),
        lambda session, value: session["list"].append(value),
        lambda session, value: session.pop("user"),
        lambda session, value: session.destroy(),
        lambda session, value: session.regenerate(),
    ],
)
@in_loop
async def test_h14_a_late_change_without_a_store_shows_nothing(late: Act, kind: str) -> None:
    site = Site(stored=False)
    site.early, site.late = lambda session, value: session.update(early=value), late
    error = await site.error(kind)
    assert isinstance(error, UsageError)
    assert site.shown(error) == []


@each_kind
@pytest.mark.parametrize("stored", [False, True], ids=["cookie", "store"])
@in_loop
async def test_h14_the_error_of_a_client_that_is_gone_shows_no_cookie_that_we_set(stored: bool, kind: str) -> None:
    """The message that could not be sent holds it."""
    site = Site(stored=stored)
    sent: list[Any] = []

    async def fail(message: Any) -> None:
        sent.append(message)
        raise OSError("the client is gone")

    async def receive() -> Any:
        return {"type": "http.request"}

    site.early = lambda session, value: session.update(early=value)
    await site.visitor.get("/start")
    headers = [(b"cookie", site.visitor.header.encode())]
    scope = {"type": kind, "path": "/", "headers": headers, "scheme": "https", "extensions": {}}
    if stored:
        site.early = lambda session, value: session.regenerate()
    with pytest.raises(OSError, match="the client is gone") as caught:
        await site.app(scope, receive, fail)
    (cookie,) = [value for name, value in sent[0]["headers"] if name == b"set-cookie"]
    site.sent = [cookie.decode().partition(";")[0].partition("=")[2]]
    assert site.shown(caught.value) == []


@each_kind
@in_loop
async def test_h14_a_store_that_fails_at_the_look_shows_nothing(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    site = Site(stored=True)
    assert site.store is not None
    seen: list[BaseException] = []

    def look(session: Session, value: str) -> None:
        raise AssertionError

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        try:
            session_of(scope).get("user")
        except StoreError as error:
            seen.append(error)
            raise

    site.early = look
    await site.visitor.get("/start")
    site.app.app = serve
    site.store.down = True
    with caplog.at_level(DEBUG):
        exchange = site.visitor.ask() if kind == "http" else site.visitor.connect()
        await exchange.error()
    (error,) = seen
    assert site.shown(error) == []
    assert all(token[4:20] not in caplog.text for token in site.visitor.cookies.values())


@pytest.mark.parametrize(
    "problem",
    [
        lambda key: {"secret_key": "changeme" + key},
        lambda key: {"secret_key": key, "secret_key_fallbacks": ["changeme" + key]},
        lambda key: {"secret_key": key, "unknown": 1},
        lambda key: {"secret_key": key, "session_cookie": "a b"},
        lambda key: {"secret_key": key, "max_age": -1},
        lambda key: {"secret_key": key, "same_site": "none", "https_only": False},
        lambda key: {"secret_key": key, "store": f"nowhere://user:{key}@localhost"},
        lambda key: {"secret_key": key, "earlier_store": f"redis://user:{key}@localhost/x"},
        lambda key: {"secret_key": key, "store": [key]},
    ],
)
def test_h14_a_refused_construction_shows_no_key(problem: Callable[[str], dict[str, Any]]) -> None:
    key = token_hex(32)
    options = problem(key)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    with pytest.raises(UsageError) as caught:
        SessionMiddleware(app, **options)
    shown = locals_shown(caught.value)
    assert "SessionMiddleware" in shown
    assert key not in shown


@in_loop
async def test_h14_the_repr_of_what_a_scope_holds_shows_nothing() -> None:
    site = Site(stored=False)
    shown: list[str] = []

    async def show(scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        shown.append(f"{session!r} {session}")
        assert session["user"] == site.value
        session["more"] = site.value
        shown.append(f"{session!r} {session} {session:}")
        await answer(send)

    await site.visitor.get("/start")
    site.app.app = show
    await site.visitor.get()
    assert len(shown) == 2
    assert all("Session" in text and site.value not in text for text in shown)


@in_loop
async def test_h14_a_cancelled_request_shows_nothing_but_that() -> None:
    site = Site(stored=True)
    await site.visitor.get("/start")
    assert site.store is not None
    site.late = lambda session, value: session["list"].append(object())
    site.store.park(0)
    exchange = site.visitor.ask()
    await site.store.parked()
    exchange.task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await exchange.end()
    site.store.release()
    assert site.shown(caught.value) == []
