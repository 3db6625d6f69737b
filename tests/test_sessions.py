"""What one configuration comes to, and the session of one request, without any framework."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kit import NOON, SECRET, attributes, name_and_value

from coatcheck import StoreError, UsageError
from coatcheck.core.engine import Decision
from coatcheck.core.record import StoredRecord
from coatcheck.core.sign_in import hash_client
from coatcheck.request_session import RequestSession
from coatcheck.sessions import Sessions
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.opening import Opened
from coatcheck.testing import AsyncFailingStore, Clock, FailingStore


class Site:
    """A configuration, and a browser with its cookie."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock(NOON)
        self.sessions = Sessions({"secret_key": SECRET, "clock": self.clock, **options})
        self.header = ""

    def open(self) -> RequestSession:
        return RequestSession(self.sessions, self.header)

    def commit(self, session: RequestSession, **how: Any) -> Decision:
        decision = self.sessions.commit(session, **{"https": True, **how})
        for cookie in decision.cookies:
            self.header = "=".join(name_and_value(cookie))
        return decision

    def visit(self, **items: Any) -> Decision:
        session = self.open()
        session.update(items)
        return self.commit(session)


def on_server(**options: Any) -> Site:
    clock = Clock(NOON)
    return Site(store=FailingStore(MemoryStore(clock=clock)), **{"clock": clock, **options})


# What a session is bound to


def test_what_a_bind_raises_or_gives_that_is_no_text_fails_nothing_and_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def bind(address: str, agent: str) -> str:
        raise LookupError(f"{address} {agent} is not for the log")

    for wrong in (bind, lambda _, __: None, lambda: "", lambda _, __: b"x"):
        caplog.clear()
        sessions = Sessions({"secret_key": SECRET, "bind": wrong})
        assert sessions.bound("192.0.2.1", "Secret/1") == sessions.bound("192.0.2.1", "Secret/1") == b""
        (line,) = caplog.messages
        assert line.startswith("bind= has raised ")
        assert "Secret" not in line and "192.0.2.1" not in line


def test_a_client_of_which_nothing_is_known_is_bound_to_nothing() -> None:
    asked: list[tuple[str, str]] = []

    def bind(address: str, agent: str) -> str:
        asked.append((address, agent))
        return "one"

    sessions = Sessions({"secret_key": SECRET, "bind": bind})
    assert sessions.bound("", "") == b""
    assert sessions.bound("192.0.2.1", "") == sessions.bound("", "B/1") == hash_client("one")
    assert asked == [("192.0.2.1", ""), ("", "B/1")]


# Construction


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"secret_key": SECRET, "store": MemoryStore}, "store must be a URL, or an object with the methods"),
        ({"secret_key": SECRET, "store": object()}, "store must be a URL, or an object with the methods"),
        ({"secret_key": SECRET, "earlier_store": 5}, "earlier_store must be a URL, or an object with the methods"),
        (
            {"secret_key": SECRET, "store": AsyncFailingStore(MemoryStore())},  # type: ignore[arg-type]
            "store is a store for asyncio, and this framework needs a sync one",
        ),
        (
            {"secret_key": SECRET, "store": "memory:", "earlier_store": "memory:"},
            "store and earlier_store are the same",
        ),
        ({"secret_key": SECRET, "unknown": 1}, "unknown"),
        ({"secret_key": "short"}, "secret key"),
        ({}, "a secret_key is required"),
    ],
)
def test_what_cannot_be_right_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Sessions(options)


def test_a_store_is_opened_once_for_each_url() -> None:
    opened = Opened()
    one = Sessions({"secret_key": SECRET, "store": "memory:"}, opened=opened)
    other = Sessions({"secret_key": SECRET, "store": "memory:"}, opened=opened)
    assert one.stores[0] is other.stores[0] is opened["memory:"]
    assert one.on_server


# A request


@pytest.mark.parametrize("site", [Site(), on_server()])
def test_who_does_not_look_gets_no_header(site: Site) -> None:
    site.visit(user="ann")
    assert site.commit(site.open()) == Decision(False)
    assert site.commit(site.open(), streamed=True) == Decision(True)


def test_the_store_is_not_asked_before_the_first_look() -> None:
    site = on_server()
    site.visit(user="ann")
    store = site.sessions.stores[0]
    store.calls.clear()
    session = site.open()
    assert store.calls == []
    assert session["user"] == "ann"
    # The session; and what has been ended: where that begins, and what there is.
    assert store.calls == ["read", "read", "read"]
    assert site.open()["user"] == "ann"
    assert store.calls == ["read", "read", "read", "read"]


def test_a_store_that_fails_is_asked_once_in_a_request(caplog: pytest.LogCaptureFixture) -> None:
    """An error page looks too, and must not wait and fail again."""
    site = on_server()
    site.visit(user="ann")
    store = site.sessions.stores[0]
    store.calls.clear()
    store.down = True
    session = site.open()
    assert not session.failed
    with pytest.raises(StoreError):
        session.get("user")
    assert session.failed
    assert dict(session) == {}
    assert store.calls == ["read"]
    session["user"] = "bob"
    assert site.commit(session).cookies == ()
    assert session.save() is False
    assert len(caplog.records) == 1


def test_a_host_without_https_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    site = Site()
    for _ in range(2):
        session = site.open()
        session["user"] = "ann"
        site.commit(session, https=False, host="shop.example")
    assert [record.args for record in caplog.records] == [("shop.example",)]


# Late


def test_a_late_change_is_saved_at_any_time() -> None:
    site = on_server()
    site.visit(user="ann")
    session = site.open()
    assert session.save() is True
    site.commit(session)
    for number in range(3):
        session["number"] = number
        assert not session.settled()
        assert session.save() is True
        assert session.settled()
        assert site.open()["number"] == number


def test_a_session_that_others_have_ended_is_saved_no_more() -> None:
    site = on_server()
    site.visit(user="ann")
    session, other = site.open(), site.open()
    assert session["user"]
    site.commit(session)
    other.destroy()
    site.sessions.commit(other, https=True)
    session["late"] = True
    assert session.save() is False
    assert dict(session) == {}


def test_a_store_that_fails_at_a_late_save_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    site = on_server()
    site.visit(user="ann")
    session = site.open()
    session["user"] = "bob"
    site.commit(session)
    session["late"] = True
    site.sessions.stores[0].down = True
    with pytest.raises(StoreError):
        session.save()
    assert "the session store fails" in caplog.text


def test_without_a_store_a_late_save_is_an_error() -> None:
    site = Site()
    site.visit(list=[])
    session = site.open()
    session["list"].append(1)
    site.commit(session)
    assert session.save() is True
    session["list"].append(2)
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        session.save()


# The setting `permanent`


@pytest.mark.parametrize("stored", [False, True])
def test_where_the_setting_says_so_a_session_outlives_the_browser(stored: bool) -> None:
    site = on_server(permanent=True) if stored else Site(permanent=True)
    (cookie,) = site.visit(user="ann").cookies
    assert int(attributes(cookie)["max-age"]) == 31 * 86400
    session = site.open()
    assert session.permanent is True
    assert dict(session) == {"user": "ann"}


@pytest.mark.parametrize("stored", [False, True])
def test_an_application_may_say_otherwise(stored: bool) -> None:
    site = on_server(permanent=True) if stored else Site(permanent=True)
    site.visit(user="ann")
    session = site.open()
    session.permanent = False
    (cookie,) = site.commit(session).cookies
    assert "max-age" not in attributes(cookie)
    session = site.open()
    assert session.permanent is False
    session.permanent = True
    (cookie,) = site.commit(session).cookies
    assert "max-age" in attributes(cookie)


def test_a_session_that_was_never_permanent_sends_no_cookie_for_a_change() -> None:
    site = on_server(permanent=True)
    session = site.open()
    session.permanent = False
    site.commit(session)
    assert site.visit(user="ann").cookies == ()


def test_a_session_of_a_new_setting_is_told_to_the_browser_with_its_next_change() -> None:
    clock = Clock(NOON)
    store = MemoryStore(clock=clock)
    before, after = (Site(store=store, clock=clock, permanent=permanent) for permanent in (False, True))
    assert "max-age" not in attributes(before.visit(user="ann").cookies[0])
    after.header = before.header
    (cookie,) = after.visit(user="bob").cookies
    assert "max-age" in attributes(cookie)
    before.header = after.header
    assert len(before.visit(user="eve").cookies) <= 1


def test_a_refresh_with_each_response_sends_what_is_permanent_by_the_setting() -> None:
    site = Site(permanent=True, refresh_interval=0)
    site.visit(user="ann")
    session = site.open()
    assert session.pass_by() is False
    assert len(site.commit(session).cookies) == 1
    site = Site(permanent=False, refresh_interval=0)
    site.visit(user="ann")
    assert site.commit(site.open()).cookies == ()


@pytest.mark.parametrize("url", ["memory:", "sqlite:///sessions.db"])
def test_a_store_that_is_opened_from_a_url_goes_by_the_clock_of_the_sessions(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clock = Clock(1_000_000_000)
    store = Sessions({"secret_key": SECRET, "store": url, "clock": clock}).stores[0]
    assert store.insert(bytes(32), StoredRecord(b"content", int(clock()), int(clock()) + 60, b""))
    clock.advance(59)
    assert store.read(bytes(32)).content == b"content"
    clock.advance(1)
    assert store.read(bytes(32)) is None


class Chatty:
    """A store of an application's own, whose errors say where they come from."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    def read(self, key: bytes) -> StoredRecord | None:
        try:
            Path("/nowhere", key.hex()).read_bytes()
        except OSError as error:
            raise StoreError("no answer") from error
        return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


def test_no_error_of_a_session_brings_those_of_its_store_along() -> None:
    site = Site(store="memory:")
    site.visit(user="ann")
    broken = Site(store=Chatty(MemoryStore()), clock=site.clock)
    session = RequestSession(broken.sessions, site.header)
    for look in (lambda: session.get("user"), lambda: broken.sessions.revoke("00" * 16, user_id=7)):
        with pytest.raises(StoreError) as caught:
            look()
        assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_a_listener_that_would_have_to_be_awaited_is_refused() -> None:
    async def audit(event: object) -> None:
        raise AssertionError(event)

    with pytest.raises(UsageError, match="on_event is called, and not awaited"):
        Sessions({"secret_key": SECRET, "on_event": audit})
