"""In Flask and Quart each event is a signal of blinker, for whoever connects to it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from blinker import NamedSignal
from events.conftest import Begin
from events.life import expected, walk
from flask import Flask
from hosts.adapters.quart_host import QuartHost
from hosts.host import Host
from kit import SECRET
from quart import Quart
from quart.utils import run_sync

from coatcheck import Event, Kind, Reason, flask, quart, signals
from coatcheck.flask import Coatcheck, CoatcheckSessionInterface
from coatcheck.signals import created, rejected, session_event, signed_in

BAD = "session=AAAA"


def app_of(host: Host) -> Any:
    return host._caller._app  # type: ignore[attr-defined]  # noqa: SLF001  # what the adapter has built


def site(**options: Any) -> Flask:
    app = Flask("site", static_folder=None)
    app.secret_key = SECRET
    Coatcheck(app, **options)
    app.add_url_rule("/look", view_func=lambda: str(dict(flask.session)))
    return app


def quart_site(**options: Any) -> Quart:
    app = Quart("site", static_folder=None)
    quart.Coatcheck(app, secret_key=SECRET, **options)

    @app.get("/look")
    async def look() -> str:
        return str(dict(quart.session))

    return app


def test_a_whole_life_is_sent(host_with_signals: type[Host], mode: str, begin: Begin) -> None:
    heard: list[tuple[object, Event]] = []

    def hear(sender: object, *, event: Event) -> None:
        heard.append((sender, event))

    life = begin(host_with_signals, mode)
    steps = []
    with session_event.connected_to(hear):
        for step, told in walk(life):
            if step != "revoke":
                # What a program without an application does has no sender.
                assert [(event.kind.value, event.reason or "") for _, event in heard] == told
                assert {id(sender) for sender, _ in heard} <= {id(app_of(life.host))}
            steps.append(step)
            heard.clear()
    assert steps == [step for step, _ in expected(mode)]


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_has_a_signal_of_its_name(kind: Kind) -> None:
    signal = getattr(signals, kind.value)
    assert isinstance(signal, NamedSignal)
    assert signal.name == f"coatcheck.{kind.value}"
    assert kind.name in str(signal.__doc__)


@pytest.mark.parametrize("kind", Kind)
def test_a_signal_is_sent_with_events_of_its_kind_alone(kind: Kind) -> None:
    app, heard = site(), []

    def hear(sender: Flask, *, event: Event) -> None:
        heard.append(event)

    interface: Any = app.session_interface
    with getattr(signals, kind.value).connected_to(hear):
        for each in Kind:
            interface.sessions(app).watch(Event(each, Reason.LATE))
    assert heard == [Event(kind, Reason.LATE)]


def test_the_hook_and_both_signals_hear_the_same_event(host_with_signals: type[Host], begin: Begin) -> None:
    life, heard = begin(host_with_signals, "cookie"), []

    def hear(sender: object, *, event: Event) -> None:
        heard.append(event)

    with created.connected_to(hear), session_event.connected_to(hear):
        life.begin()
    assert heard == life.events * 2
    assert len(heard) == 2


def test_a_receiver_hears_of_the_application_that_it_asked_for() -> None:
    one, other, heard = site(), site(), []

    def hear(sender: Flask, *, event: Event) -> None:
        heard.append(sender)

    with rejected.connected_to(hear, one):
        for app in (other, one, other):
            app.test_client(use_cookies=False).get("/look", headers={"Cookie": BAD})
    assert heard == [one]


def test_applications_that_share_an_interface_are_told_apart() -> None:
    class Shop(Flask):
        session_interface = CoatcheckSessionInterface()

    def hear(sender: Flask, *, event: Event) -> None:
        heard.append(sender)

    apps, heard = [Shop("one", static_folder=None), Shop("two", static_folder=None)], list[Flask]()
    for app in apps:
        app.secret_key = SECRET
        app.add_url_rule("/look", view_func=lambda: str(dict(flask.session)))
    with rejected.connected_to(hear):
        for app in [*apps, *apps]:
            app.test_client(use_cookies=False).get("/look", headers={"Cookie": BAD})
    assert heard == [*apps, *apps]


def test_a_configuration_that_changes_is_heard_as_well() -> None:
    app, heard = site(), []

    def hear(sender: Flask, *, event: Event) -> None:
        heard.append(event.reason)

    with rejected.connected_to(hear):
        app.test_client(use_cookies=False).get("/look", headers={"Cookie": BAD})
        app.config["SESSION_COOKIE_NAME"] = "other"
        app.test_client(use_cookies=False).get("/look", headers={"Cookie": f"other=AAAA; {BAD}"})
    assert heard == [Reason.MALFORMED] * 2


def test_an_application_goes_when_nobody_needs_it_any_more() -> None:
    app = site()
    app.test_client(use_cookies=False).get("/look", headers={"Cookie": BAD})
    seen = weakref.ref(app)
    del app
    gc.collect()
    assert seen() is None


def test_a_muted_signal_says_nothing() -> None:
    app, heard = site(), []

    def hear(sender: Flask, *, event: Event) -> None:
        heard.append(event)

    with rejected.connected_to(hear), rejected.muted():
        app.test_client(use_cookies=False).get("/look", headers={"Cookie": BAD})
    assert heard == []


def test_a_receiver_that_is_gone_is_told_no_more() -> None:
    class Receiver:
        def hear(self, sender: Flask, *, event: Event) -> None:
            heard.append(event)

    app, heard, receiver = site(), list[Event](), Receiver()
    rejected.connect(receiver.hear)
    app.test_client(use_cookies=False).get("/look", headers={"Cookie": BAD})
    del receiver
    gc.collect()
    app.test_client(use_cookies=False).get("/look", headers={"Cookie": BAD})
    assert len(heard) == 1


def test_one_receiver_that_raises_keeps_no_other_from_hearing(
    host_with_signals: type[Host], begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def fail(sender: object, *, event: Event) -> None:
        heard.append("failed")
        raise RuntimeError("content-planted")

    def hear(sender: object, *, event: Event) -> None:
        heard.append("heard")

    life = begin(host_with_signals, "store")
    with signed_in.connected_to(fail), signed_in.connected_to(hear), session_event.connected_to(hear):
        life.sign_in()
    assert sorted(heard) == ["failed", "heard", "heard", "heard"]
    assert life.get("look") == ["user-planted-ann"]
    assert "RuntimeError" in caplog.text and "content-planted" not in caplog.text


# Receivers that are coroutine functions


def test_in_flask_a_coroutine_function_is_run_as_a_view_that_is_one() -> None:
    app, heard = site(), []

    async def hear(sender: Flask, *, event: Event) -> None:
        await asyncio.sleep(0)
        heard.append(flask.session.new)

    with rejected.connected_to(hear):
        assert app.test_client(use_cookies=False).get("/look", headers={"Cookie": BAD}).status_code == 200
    assert heard == [True]


def test_in_quart_a_coroutine_function_runs_in_a_task_of_its_own() -> None:
    app, heard = quart_site(), []

    async def hear(sender: Quart, *, event: Event) -> None:
        await asyncio.sleep(0)
        heard.append((sender, event.reason))

    async def visit() -> None:
        await app.test_client(use_cookies=False).get("/look", headers={"Cookie": BAD})
        await asyncio.gather(*app.background_tasks)

    with rejected.connected_to(hear):
        asyncio.run(visit())
    assert heard == [(app, Reason.MALFORMED)]
    assert not app.background_tasks


def test_quart_waits_for_its_receivers_when_it_ends(begin: Begin) -> None:
    life, heard = begin(QuartHost, "cookie"), []
    went_on = asyncio.Event()

    async def hear(sender: Quart, *, event: Event) -> None:
        await went_on.wait()
        heard.append(event.kind)

    with created.connected_to(hear):
        life.begin()
        assert heard == []
        went_on.set()
        life.close()
        assert heard == [Kind.CREATED]


def test_what_a_task_of_quart_raises_goes_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    app = quart_site()

    async def fail(sender: Quart, *, event: Event) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("content-planted")

    async def visit() -> int:
        answer = await app.test_client(use_cookies=False).get("/look", headers={"Cookie": BAD})
        await asyncio.gather(*app.background_tasks)
        return answer.status_code

    with rejected.connected_to(fail):
        assert asyncio.run(visit()) == 200
    assert "RuntimeError" in caplog.text and "content-planted" not in caplog.text


def test_in_a_thread_of_quart_a_coroutine_function_is_told_too() -> None:
    app, heard = quart_site(), []

    async def hear(sender: Quart, *, event: Event) -> None:
        await asyncio.sleep(0)
        heard.append(event.reason)

    def look() -> str:
        return str(dict(quart.session))

    app.add_url_rule("/thread", "thread", run_sync(look))

    async def visit() -> int:
        return (await app.test_client(use_cookies=False).get("/thread", headers={"Cookie": BAD})).status_code

    with rejected.connected_to(hear):
        assert asyncio.run(visit()) == 200
    assert heard == [Reason.MALFORMED]
