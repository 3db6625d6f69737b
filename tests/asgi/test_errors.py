"""What a client gets where the store fails, or a session cannot be kept: nothing that confirms what is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgi.exchange import Exchange, Visitor, answer, begin, in_loop, middleware, piece, session_of
from asgi.parking import ParkingStore

from coatcheck import Session, SessionTooLarge, StoreError, Unserializable, UsageError

View = Callable[[Session], object]


class Pages:
    """An application whose paths are the methods below. Most do what `view` does, and `late` when the headers are gone;
    `between` happens where the store may fail.
    """

    def __init__(self, view: View = lambda session: session.update(new=1)) -> None:
        self.view = view
        self.late: View = lambda session: None
        self.between: Callable[[], object] = lambda: None
        self.caught: list[BaseException] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await getattr(self, scope["path"].strip("/"))(session_of(scope), send)

    async def start(self, session: Session, send: Any) -> None:
        session.update(user="ann", list=[1])
        await answer(send, "begun")

    async def look(self, session: Session, send: Any) -> None:
        await answer(send, str(dict(session)))

    async def untouched(self, session: Session, send: Any) -> None:
        await answer(send, "the same for all")

    async def page(self, session: Session, send: Any) -> None:
        self.view(session)
        self.between()
        await answer(send, "done")

    async def catching(self, session: Session, send: Any) -> None:
        try:
            self.view(session)
        except StoreError:
            await answer(send, "the shop is closed")

    async def apology(self, session: Session, send: Any) -> None:
        try:
            self.view(session)
        except StoreError:
            await answer(send, "Internal Server Error", status=500)

    async def stream(self, session: Session, send: Any) -> None:
        assert session["user"]
        await begin(send)
        await piece(send, "first")
        self.late(session)
        self.between()
        await piece(send, "last", more=False)

    async def background(self, session: Session, send: Any) -> None:
        assert session["user"]
        await answer(send, "done")
        self.late(session)
        self.between()

    async def socket(self, session: Session, send: Any) -> None:
        self.view(session)
        self.between()
        try:
            await send({"type": "websocket.accept"})
        except StoreError as error:
            self.caught.append(error)
            raise

    async def refused(self, session: Session, send: Any) -> None:
        self.view(session)
        self.between()
        await send({"type": "websocket.close", "code": 4403})


@pytest.fixture
def pages() -> Pages:
    return Pages()


async def begun(pages: Pages, **options: Any) -> tuple[Visitor, ParkingStore]:
    """Gives a visitor who has a session in a store."""
    store = ParkingStore()
    visitor = Visitor(middleware(pages, **{"store": store, **options}))
    await visitor.get("/start")
    return visitor, store


def assert_unavailable(exchange: Exchange) -> None:
    assert (exchange.status, exchange.text, exchange.complete) == (503, "Service Unavailable\n", True)
    assert exchange.header("cache-control") == ["no-store"]
    assert exchange.header("vary") == ["Cookie"]
    assert exchange.cookies == {}
    assert exchange.header("content-length") == ["20"]


# The store is down


@in_loop
async def test_who_does_not_look_is_served_while_the_store_is_down() -> None:
    visitor, store = await begun(Pages())
    store.down = True
    exchange = await visitor.get("/untouched")
    assert (exchange.status, exchange.text) == (200, "the same for all")
    assert exchange.header("vary") == []


@in_loop
async def test_a_look_while_the_store_is_down_is_503(pages: Pages, caplog: pytest.LogCaptureFixture) -> None:
    visitor, store = await begun(pages)
    store.down = True
    for path in ("/look", "/page", "/stream", "/background", "/apology"):
        assert_unavailable(await visitor.get(path))
    assert [record.message for record in caplog.records] == [
        "the session store fails, and sessions can be neither read nor kept: the store is down, as the test wants it"
    ]
    store.down = False
    assert (await visitor.get("/look")).text == "{'user': 'ann', 'list': [1]}"


@in_loop
async def test_an_application_that_catches_the_error_answers_itself(pages: Pages) -> None:
    visitor, store = await begun(pages)
    store.down = True
    exchange = await visitor.get("/catching")
    assert (exchange.status, exchange.text) == (200, "the shop is closed")
    assert exchange.cookies == {}


@pytest.mark.parametrize(
    "view",
    [lambda session: session.update(new=1), Session.destroy, Session.regenerate, lambda session: session["list"].pop()],
)
@in_loop
async def test_a_commit_that_fails_is_503_and_nothing_of_the_page(view: View) -> None:
    pages = Pages(view)
    visitor, store = await begun(pages)
    pages.between = lambda: setattr(store, "down", True)
    exchange = await visitor.get("/page")
    assert_unavailable(exchange)
    assert len(exchange.sent) == 2
    store.down = False
    assert (await visitor.get("/look")).text == "{'user': 'ann', 'list': [1]}"


@in_loop
async def test_a_new_session_that_cannot_be_kept_is_503_without_a_cookie(pages: Pages) -> None:
    store = ParkingStore()
    visitor = Visitor(middleware(pages, store=store))
    store.down = True
    assert_unavailable(await visitor.get("/start"))


@pytest.mark.parametrize("path", ["/stream", "/background"])
@in_loop
async def test_a_late_change_that_the_store_does_not_take_breaks_the_response(pages: Pages, path: str) -> None:
    visitor, store = await begun(pages)
    pages.late = lambda session: session.update(late=1)
    pages.between = lambda: setattr(store, "down", True)
    exchange = visitor.ask(path)
    assert isinstance(await exchange.error(), StoreError)
    assert exchange.status == 200
    assert exchange.complete == (path == "/background")
    store.down = False
    assert "late" not in (await visitor.get("/look")).text


@in_loop
async def test_a_websocket_that_looks_while_the_store_is_down_is_refused(pages: Pages) -> None:
    visitor, store = await begun(pages)
    store.down = True
    for path in ("/socket", "/refused"):
        exchange = visitor.connect(path)
        assert isinstance(await exchange.error(), StoreError)
        assert exchange.sent == []


@in_loop
async def test_a_websocket_whose_session_cannot_be_kept_is_not_accepted(pages: Pages) -> None:
    visitor, store = await begun(pages)
    pages.between = lambda: setattr(store, "down", True)
    exchange = visitor.connect("/socket")
    error = await exchange.error()
    assert isinstance(error, StoreError)
    assert pages.caught == [error]
    assert exchange.sent == []


@in_loop
async def test_where_the_application_is_to_go_on_it_sees_an_empty_session(pages: Pages) -> None:
    visitor, store = await begun(pages, store_down="empty")
    store.down = True
    exchange = await visitor.get("/look")
    assert (exchange.status, exchange.text) == (200, "{}")
    exchange = await visitor.get("/page")
    assert (exchange.status, exchange.cookies) == (200, {})
    pages.view = Session.destroy
    assert_unavailable(await visitor.get("/page"))
    store.down = False
    assert (await visitor.get("/look")).text == "{'user': 'ann', 'list': [1]}"


# The session cannot be kept


UNKEEPABLE: list[tuple[View, type[Exception]]] = [
    (lambda session: session.update(large="x" * 2_000_000), SessionTooLarge),
    (lambda session: session["list"].append(object()), Unserializable),
]


@pytest.mark.parametrize(("view", "kind"), UNKEEPABLE)
@pytest.mark.parametrize("stored", [True, False])
@in_loop
async def test_what_cannot_be_kept_is_the_error_of_the_page(view: View, kind: type[Exception], stored: bool) -> None:
    pages = Pages(view)
    visitor, _ = await begun(pages, **({} if stored else {"store": None}))
    exchange = visitor.ask("/page")
    error = await exchange.error()
    assert isinstance(error, kind)
    assert not hasattr(error, "__notes__")
    assert exchange.sent == []
    assert (await visitor.get("/look")).text == "{'user': 'ann', 'list': [1]}"


@pytest.mark.parametrize(("view", "kind"), UNKEEPABLE)
@pytest.mark.parametrize("path", ["/stream", "/background"])
@in_loop
async def test_what_cannot_be_kept_late_breaks_the_response(view: View, kind: type[Exception], path: str) -> None:
    pages = Pages()
    pages.late = view
    visitor, _ = await begun(pages)
    exchange = visitor.ask(path)
    assert isinstance(await exchange.error(), kind)
    assert exchange.complete == (path == "/background")
    assert (await visitor.get("/look")).text == "{'user': 'ann', 'list': [1]}"


@in_loop
async def test_a_change_that_a_refused_websocket_cannot_keep_is_an_error() -> None:
    pages = Pages()
    visitor, _ = await begun(pages, store=None)
    exchange = visitor.connect("/refused")
    error = await exchange.error()
    assert isinstance(error, UsageError)
    assert "with the headers of a response" in str(error)


@in_loop
async def test_a_change_of_a_refused_websocket_is_kept_in_the_store() -> None:
    visitor, _ = await begun(Pages())
    exchange = await visitor.connect("/refused").end()
    assert exchange.sent == [{"type": "websocket.close", "code": 4403}]
    assert (await visitor.get("/look")).text == "{'user': 'ann', 'list': [1], 'new': 1}"


@in_loop
async def test_an_end_by_a_refused_websocket_is_an_end() -> None:
    visitor, store = await begun(Pages(Session.destroy))
    await visitor.connect("/refused").end()
    assert (await visitor.get("/look")).text == "{}"
    assert all(record.expires_at - 1_800_000_000 <= 600 for record in store.memory._records.values())  # noqa: SLF001


@in_loop
async def test_a_handler_that_says_nothing_to_a_websocket_loses_nothing_silently() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        session_of(scope)["user"] = "ann"

    assert isinstance(await Exchange(middleware(silent), kind="websocket").error(), UsageError)
    # No response has begun, and the server makes one that is an error.
    assert await Exchange(middleware(silent)).error() is None


@in_loop
async def test_an_error_of_the_application_stays_its_own() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        session_of(scope)["user"] = "ann"
        if scope["path"] == "/late":
            await begin(send)
        raise ZeroDivisionError

    for app in (middleware(broken), middleware(broken, store=ParkingStore())):
        for path in ("/early", "/late"):
            exchange = Exchange(app, path=path)
            assert isinstance(await exchange.error(), ZeroDivisionError)
            assert bool(exchange.cookies) == (path == "/late")


@in_loop
async def test_what_has_been_refused_says_nothing_more_and_keeps_nothing_more() -> None:
    """The application streams on for nobody."""

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        session["user"] = "ann"
        store.down = True
        await begin(send)
        store.down = False
        await piece(send, "welcome, ")
        session["more"] = 1
        await asyncio.sleep(0)
        await piece(send, "ann", more=False)

    store = ParkingStore()
    exchange = await Exchange(middleware(stream, store=store)).end()
    assert_unavailable(exchange)
    assert store.memory._records == {}  # noqa: SLF001
