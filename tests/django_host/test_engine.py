"""What coatcheck's engine does beside what Django's own tests ask."""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback
import weakref
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.core.exceptions import SynchronousOnlyOperation
from django.core.management import call_command
from flask import Flask, session
from kit import NOON, SECRET

from coatcheck import UsageError
from coatcheck.django import SessionMiddleware, SessionStore
from coatcheck.django.configuration import configuration
from coatcheck.flask import Coatcheck
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock


def kept(**items: Any) -> str:
    store = SessionStore()
    store.update(items)
    store.save()
    assert store.session_key is not None
    return store.session_key


@pytest.fixture(params=["cookie", "store"])
def storage(request: pytest.FixtureRequest, clock: Clock, settled: Callable[..., None]) -> Any:
    store = MemoryStore(clock=clock) if request.param == "store" else None
    settled(SESSION_STORE=store)
    return store


def test_a_change_deep_inside_counts_as_modified(storage: Any) -> None:
    store = SessionStore(kept(cart=[1]))
    assert store["cart"] == [1] and not store.modified
    store["cart"].append(2)
    assert store.modified
    store.save()
    assert SessionStore(store.session_key)["cart"] == [1, 2]


def test_an_end_of_its_own_is_kept_to_by_the_server(storage: Any, clock: Clock) -> None:
    store = SessionStore()
    store["user"] = "ann"
    store.set_expiry(60)
    store.save()
    clock.now = NOON + 60
    assert SessionStore(store.session_key).get("user") == "ann"
    clock.now = NOON + 62
    assert SessionStore(store.session_key).get("user") is None


def test_no_session_asks_for_more_than_the_longest_lifetime(storage: Any) -> None:
    for longer in (timedelta(days=15), datetime.now().astimezone() + timedelta(days=15), 15 * 24 * 60 * 60):
        with pytest.raises(UsageError, match="PERMANENT_SESSION_LIFETIME"):
            SessionStore().set_expiry(longer)


def test_the_key_shows_nowhere(storage: Any) -> None:
    key = kept(user="ann")
    store = SessionStore(key)
    for text in (repr(store), str(store), store["user"] and repr(store)):
        assert key not in text and "ann" not in text


def test_flask_reads_and_writes_the_very_same_session(storage: Any, clock: Clock) -> None:
    app = Flask(__name__)
    Coatcheck(app, secret_key=SECRET, cookie_name="sessionid", store=storage, clock=clock)

    @app.get("/")
    def page() -> str:
        session["flask"] = True
        return str(session["user"])

    key = kept(user="ann")
    client = app.test_client()
    client.set_cookie("sessionid", key)
    assert client.get("/").text == "ann"
    cookie = client.get_cookie("sessionid")
    assert cookie is not None
    assert dict(SessionStore(cookie.value)) == {"user": "ann", "flask": True}


def test_a_change_of_a_session_that_others_have_ended_is_an_update_error(
    clock: Clock, settled: Callable[..., None]
) -> None:
    settled(SESSION_STORE=MemoryStore(clock=clock))
    store = SessionStore(kept(user="ann"))
    store["late"] = True
    SessionStore(store.session_key).flush()
    with pytest.raises(UpdateError):
        store.save()
    assert store.load() == {}


def test_a_sync_look_that_would_block_the_loop_is_refused_and_one_after_fetching_is_not(
    clock: Clock, settled: Callable[..., None]
) -> None:
    settled(SESSION_STORE=MemoryStore(clock=clock))
    key = kept(user="ann")

    async def look() -> None:
        with pytest.raises(SynchronousOnlyOperation):
            SessionStore(key)["user"]
        store = SessionStore(key)
        await store.afetch()
        assert not store.accessed
        assert store["user"] == "ann"
        with pytest.raises(SynchronousOnlyOperation):
            store.flush()
        await store.aflush()
        assert not await store.aexists(key)

    asyncio.run(look())


def test_each_loop_has_a_client_of_its_own_and_closes_it(settled: Callable[..., None], redis_server: Any) -> None:
    settled(SESSION_STORE=redis_server.url(), SESSION_AUDIENCE="each loop")
    key = kept(user="ann")

    async def look() -> str:
        store = SessionStore(key)
        return str(await store.aget("user"))

    # An open connection at the end of a loop would be a warning, and so an error here.
    assert [asyncio.run(look()) for _ in range(3)] == ["ann"] * 3


def test_a_client_that_a_loop_opens_goes_by_the_clock_of_the_settings(
    clock: Clock, settled: Callable[..., None], redis_server: Any
) -> None:
    settled(SESSION_STORE=redis_server.url(), SESSION_AUDIENCE="clock of the settings")
    clock.now = 1_000_000_000
    key = kept(user="ann")

    async def look() -> bool:
        return await SessionStore(key).aexists(key)

    assert asyncio.run(look())
    clock.advance(400 * 24 * 60 * 60)
    assert not asyncio.run(look())


def test_clearsessions_removes_what_has_expired(settled: Callable[..., None], tmp_path: Any, clock: Clock) -> None:
    swept: list[int] = []

    class Sweeping(MemoryStore):
        def sweep(self, limit: int = 1000) -> int:
            swept.append(limit)
            return limit if len(swept) < 3 else 0

    settled(SESSION_STORE=Sweeping(clock=clock), INSTALLED_APPS=["django.contrib.sessions"])
    call_command("clearsessions")
    assert len(swept) == 3


def test_the_middleware_without_the_engine_is_refused(settled: Callable[..., None]) -> None:
    """The test client and the admin would go by the engine, and requests by the middleware."""
    settled(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
    with pytest.raises(UsageError, match='needs SESSION_ENGINE = "coatcheck.django"'):
        SessionMiddleware(lambda request: None)


def test_a_setting_that_is_misspelt_is_a_warning(
    settled: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    settled(SESSION_STOR="sqlite:///sessions.db", SESSION_CACHE_ALIAS="default")
    SessionMiddleware(lambda request: None)
    lines = [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert lines == ["SESSION_STOR is no option, and means nothing here; did you mean SESSION_STORE?"]


def test_a_loop_that_has_ended_is_forgotten(storage: Any) -> None:
    """Under a WSGI server, each async view has a loop of its own."""

    async def write() -> None:
        store = SessionStore()
        await store.aset("user", "ann")
        await store.asave()

    ended: list[weakref.ref[Any]] = []
    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(write())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        ended.append(weakref.ref(loop))
        del loop
    gc.collect()
    assert not configuration._loops  # noqa: SLF001
    assert [each() for each in ended] == [None] * 3


def test_what_cannot_be_right_for_asyncio_alone_shows_no_password(settled: Callable[..., None]) -> None:
    settled(SESSION_STORE="mysql+pymysql://ann:mallard@127.0.0.1/shop")
    with pytest.raises(UsageError, match="the driver 'pymysql' works the other way") as caught:
        asyncio.run(SessionStore().aexists("A" * 44))
    report: Any = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = "".join(str(frame.locals) for frame in report.stack if "/coatcheck/" in frame.filename)
    assert shown
    assert "mallard" not in shown and SECRET not in shown
