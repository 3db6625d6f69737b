"""The extension reads the configuration as in Flask: as late as possible, under the same keys."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from asgi.exchange import in_loop
from flask import Flask
from kit import NOON, OTHER_SECRET, SECRET, attributes
from quart import Quart
from quart_host.served import cookies, serving, shop, text

from coatcheck import Session, StoreError, UsageError
from coatcheck.quart import Coatcheck, session
from coatcheck.testing import AsyncFailingStore, Clock


def configured(**config: Any) -> Quart:
    app = Quart("shop", static_folder=None)
    app.config.update(SECRET_KEY=SECRET, **config)

    @app.get("/count")
    async def count() -> str:
        session["count"] = session.get("count", 0) + 1
        return str(session["count"])

    return app


@in_loop
async def test_the_configuration_may_change_after_the_extension_was_made() -> None:
    coatcheck = Coatcheck()
    app = configured()
    coatcheck.init_app(app)
    assert app.extensions["coatcheck"] is coatcheck
    app.config.update(
        SESSION_COOKIE_NAME="sid",
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_PERMANENT=True,
        PERMANENT_SESSION_LIFETIME=timedelta(days=7),
    )
    async with serving(app) as client, client.get("/count") as answer:
        (cookie,) = cookies(answer)
    assert cookie.startswith("sid=A")
    assert (attributes(cookie)["samesite"], attributes(cookie)["max-age"]) == ("Strict", "604800")


@in_loop
async def test_a_rotated_key_logs_nobody_out() -> None:
    app = configured()
    Coatcheck(app)
    async with serving(app) as client:
        await text(client, "/count")
        app.config.update(SECRET_KEY=OTHER_SECRET, SECRET_KEY_FALLBACKS=[SECRET])
        assert await text(client, "/count") == "2"
        app.config["SECRET_KEY_FALLBACKS"] = []
        assert await text(client, "/count") == "3"


@in_loop
async def test_keywords_win() -> None:
    app = configured(SESSION_COOKIE_NAME="config")
    Coatcheck(app, cookie_name="keyword", cookie_secure=True)
    async with serving(app) as client, client.get("/count") as answer:
        assert cookies(answer)[0].startswith("keyword=")
        assert "secure" in attributes(cookies(answer)[0])


@in_loop
async def test_without_a_key_an_empty_session_can_be_read_and_not_written() -> None:
    app = Quart("shop", static_folder=None)
    Coatcheck(app)

    @app.get("/look")
    async def look() -> str:
        return str(session.get("user"))

    @app.get("/put")
    async def put() -> str:
        with pytest.raises(RuntimeError, match="secret key"):
            session["user"] = "ann"
        return "refused"

    async with serving(app) as client:
        assert await text(client, "/look") == "None"
        assert await text(client, "/put") == "refused"


@pytest.mark.parametrize("given", ["config", "keyword"])
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("secret_key", "x", "needs at least 16"),
        ("cookie_samesite", "Sometimes", "cookie_samesite"),
        ("store", "nowhere://", "nowhere"),
        ("secret_key_fallbacks", [OTHER_SECRET, "x"], "needs at least 16"),
    ],
)
def test_what_cannot_be_right_is_an_error_without_keys(given: str, option: str, value: Any, message: str) -> None:
    app = configured()
    if given == "config":
        app.config[option.upper() if option.startswith("secret") else f"SESSION_{option.upper()}"] = value
    with pytest.raises(UsageError, match=message) as caught:
        Coatcheck(app, **({option: value} if given == "keyword" else {}))
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = "".join(line for frame in trace.stack[1:] for line in (frame.locals or {}).values())
    assert SECRET not in ours
    assert OTHER_SECRET not in ours


def test_an_option_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(UsageError, match="did you mean 'cookie_name'"):
        Coatcheck(cookie_nmae="sid")


@in_loop
async def test_a_weak_key_is_taken_with_a_warning_while_testing(caplog: pytest.LogCaptureFixture) -> None:
    app = configured(TESTING=True)
    Coatcheck(app, secret_key="dev")
    async with serving(app) as client:
        assert await text(client, "/count") == "1"
    assert "testing mode" in caplog.text


@in_loop
async def test_the_stores_of_urls_are_closed_with_the_application_and_open_again(tmp_path: Path) -> None:
    app = configured(SESSION_STORE=f"sqlite:///{tmp_path}/sessions.db")
    Coatcheck(app)
    jar = None
    for count in ("1", "2"):
        async with serving(app) as client:
            if jar is not None:
                client.cookie_jar.update_cookies(jar)
            assert await text(client, "/count") == count
            jar = {cookie.key: cookie.value for cookie in client.cookie_jar}
        # One that is open has its journal beside it.
        assert os.listdir(tmp_path) == ["sessions.db"]  # noqa: PTH208  # a call of asyncio is none that blocks


# In tests of an application


@in_loop
async def test_the_client_of_quart_s_tests_may_put_something_into_the_session() -> None:
    clock = Clock(NOON)
    app = configured()
    Coatcheck(app, store="memory:", clock=clock, permanent_lifetime=3600)
    client = app.test_client()
    async with client.session_transaction() as stored:
        stored["count"] = 41
    assert await (await client.get("/count")).get_data(as_text=True) == "42"
    async with client.session_transaction() as stored:
        assert stored["count"] == 42
        assert cast(Session, stored).handle
    clock.advance(3601)
    assert await (await client.get("/count")).get_data(as_text=True) == "1"


@in_loop
async def test_a_transaction_raises_what_the_store_says(store: AsyncFailingStore) -> None:
    client = shop(store=store).test_client()
    async with client.session_transaction() as stored:
        stored["user"] = "ann"

    async def change() -> None:
        async with client.session_transaction() as stored:
            stored["user"] = "bob"
            store.down = True

    with pytest.raises(StoreError):
        await change()


@in_loop
async def test_a_request_context_of_a_test_has_a_session_that_nobody_keeps(store: AsyncFailingStore) -> None:
    app = shop(store=store)
    async with app.test_request_context("/look"):
        session["user"] = "ann"
    assert store.calls == []


@in_loop
async def test_an_error_outside_of_a_request_is_none_of_ours() -> None:
    """Quart tells of it whatever it came from."""
    from quart.signals import got_request_exception

    await got_request_exception.send_async(configured(), exception=LookupError())


def test_without_quart_its_module_says_what_to_install() -> None:
    program = "import sys; sys.modules['quart'] = None; import coatcheck.quart"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.splitlines()[-1].startswith("ImportError: coatcheck.quart needs Quart: pip install")


@pytest.mark.parametrize("given", ["shop", Flask("shop")], ids=type)
def test_what_is_no_application_of_quart_is_refused(given: Any) -> None:
    with pytest.raises(UsageError, match="^coatcheck.quart takes a Quart application, not a "):
        Coatcheck(given, secret_key=SECRET)


@in_loop
async def test_calls_about_users_say_whose_sessions_there_are_instead() -> None:
    app, coatcheck = Quart("shop"), Coatcheck(secret_key=SECRET, store="memory:")
    async with app.app_context():
        with pytest.raises(UsageError, match=r"kept by quart\.sessions: call init_app\(app\), and no"):
            await coatcheck.sessions_of(7)
