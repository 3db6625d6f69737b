"""A stream of events that goes on for hours: what it changes is saved as it says, and its end keeps the rest."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from asgi.exchange import App, Exchange, Visitor, answer, in_loop, middleware, session_of
from asgi.parking import ParkingStore

from coatcheck import StoreError, UsageError


class Feed:
    """An application: `/events` sends an event each time that `tell` is called, and saves where it is told to."""

    def __init__(self, *, saves: bool = True) -> None:
        self.saves = saves
        self._news: asyncio.Queue[str] = asyncio.Queue()

    def tell(self, *events: str) -> None:
        for event in events:
            self._news.put_nowait(event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        session, path = session_of(scope), scope["path"]
        if path == "/start":
            session["seen"] = []
        elif path == "/logout":
            session.destroy()
        elif path == "/events":
            await self._stream(session, send)
            return
        await answer(send, json.dumps(session))

    async def _stream(self, session: Any, send: Any) -> None:
        assert session["seen"] is not None
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while (event := await self._news.get()) != "end":
            session["seen"].append(event)
            if self.saves and not await session.save():
                event = "signed out"
            await send({"type": "http.response.body", "body": f"data: {event}\n\n".encode(), "more_body": True})
            if event == "signed out":
                break
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def visitor_of(app: App, **options: Any) -> Visitor:
    """Gives somebody who has a session."""
    visitor = Visitor(middleware(app, **options))
    await visitor.get("/start")
    return visitor


async def seen(visitor: Visitor) -> Any:
    return json.loads((await visitor.get("/look")).text).get("seen")


async def events(feed: Feed, stream: Exchange, *said: str) -> None:
    """Sends events, and waits until the client has them."""
    count = len([message for message in stream.sent if message["type"] == "http.response.body"])
    feed.tell(*said)
    await stream.until("http.response.body", count + len(said))


@in_loop
async def test_each_event_is_saved_before_it_is_sent() -> None:
    feed = Feed()
    visitor = await visitor_of(feed, store=ParkingStore())
    stream = visitor.ask("/events")
    for number in range(1, 6):
        await events(feed, stream, f"{number}")
        assert len(await seen(visitor)) == number
    feed.tell("end")
    await stream.end()
    assert stream.header("vary") == ["Cookie"]
    assert stream.header("cache-control") == ["no-cache"]


@pytest.mark.parametrize("how", ["ends", "client is gone", "server is stopped"])
@in_loop
async def test_what_was_not_saved_is_kept_at_the_end(how: str) -> None:
    feed = Feed(saves=False)
    visitor = await visitor_of(feed, store=ParkingStore())
    stream = visitor.ask("/events")
    await events(feed, stream, "one", "two")
    assert await seen(visitor) == []
    if how == "ends":
        feed.tell("end")
    elif how == "client is gone":
        stream.leave()
        feed.tell("three")
    else:
        stream.task.cancel()
    await stream.error()
    assert (await seen(visitor))[:2] == ["one", "two"]


@in_loop
async def test_a_logout_is_noticed_at_the_next_save() -> None:
    feed = Feed()
    visitor = await visitor_of(feed, store=ParkingStore())
    stream = visitor.ask("/events")
    await events(feed, stream, "one")
    await visitor.get("/logout")
    feed.tell("two")
    await stream.end()
    assert stream.text == "data: one\n\ndata: signed out\n\n"
    assert await seen(visitor) is None


@in_loop
async def test_a_store_that_fails_for_a_while_costs_nothing_that_was_changed() -> None:
    failed: list[StoreError] = []

    class Patient(Feed):
        async def _stream(self, session: Any, send: Any) -> None:
            save = session.save

            async def save_if_possible() -> bool:
                try:
                    saved: bool = await save()
                except StoreError as error:
                    failed.append(error)
                    return True
                return saved

            session.save = save_if_possible
            try:
                await super()._stream(session, send)
            finally:
                del session.save

    feed, store = Patient(), ParkingStore()
    visitor = await visitor_of(feed, store=store)
    stream = visitor.ask("/events")
    await events(feed, stream, "one")
    store.down = True
    await events(feed, stream, "two", "three")
    assert len(failed) == 2
    store.down = False
    assert await seen(visitor) == ["one"]
    await events(feed, stream, "four")
    assert await seen(visitor) == ["one", "two", "three", "four"]
    feed.tell("end")
    await stream.end()


@in_loop
async def test_without_a_store_the_first_save_is_the_error() -> None:
    feed = Feed()
    visitor = await visitor_of(feed)
    stream = visitor.ask("/events")
    feed.tell("one")
    assert isinstance(await stream.error(), UsageError)
    assert stream.text == ""


@in_loop
async def test_streams_and_pages_of_one_session_lose_nothing() -> None:
    rules = {"seen": lambda was, mine, theirs: theirs + [each for each in mine if each not in theirs]}
    feeds = [Feed(), Feed(), Feed()]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        number = int(scope["query_string"] or b"0")
        await feeds[number](scope, receive, send)

    visitor = await visitor_of(app, store=ParkingStore(), merge=rules)
    streams = [visitor.ask("/events", query=b"%d" % number) for number in range(3)]
    for turn in range(4):
        await asyncio.gather(
            *(
                events(feed, stream, f"{number}.{turn}")
                for number, (feed, stream) in enumerate(zip(feeds, streams, strict=True))
            )
        )
    for feed, stream in zip(feeds, streams, strict=True):
        feed.tell("end")
        await stream.end()
    assert sorted(await seen(visitor)) == sorted(f"{number}.{turn}" for number in range(3) for turn in range(4))
