"""`from quart import session` in views, over hypercorn, with a client that keeps its cookies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import quart
from asgi.exchange import in_loop
from kit import attributes
from quart import Quart, abort, flash, get_flashed_messages, jsonify, redirect, render_template_string
from quart.signals import request_finished
from quart_host.served import cookies, serving, shop, text

from coatcheck import SessionTooLarge, StoreError
from coatcheck.quart import session
from coatcheck.testing import AsyncFailingStore

STORAGE = pytest.mark.parametrize("options", [{}, {"store": "memory:"}], ids=["cookie", "store"])


@STORAGE
@in_loop
async def test_sync_and_async_views_share_the_session(options: dict[str, Any]) -> None:
    app = shop(**options)

    @app.get("/sync")
    def sync() -> dict[str, Any]:
        quart.session["visits"] = quart.session.get("visits", 0) + 1
        return dict(session)

    async with serving(app) as client:
        await text(client, "/put")
        assert [await text(client, "/sync") for _ in range(2)] == [
            '{"user":"ann","visits":1}\n',
            '{"user":"ann","visits":2}\n',
        ]


@STORAGE
@in_loop
async def test_a_redirect_sets_the_cookie_and_nothing_else_is_said(options: dict[str, Any]) -> None:
    app = shop(**options)

    @app.get("/login")
    async def login() -> Any:
        session.regenerate()
        session["user"] = "bob"
        return redirect("/look")

    async with serving(app) as client, client.get("/login") as answer:
        assert await answer.text() == "{'user': 'bob'}"
        (first,) = answer.history
        (cookie,) = cookies(first)
        assert attributes(cookie).keys() == {"httponly", "path", "samesite"}
        assert (first.headers["Vary"], first.headers["Cache-Control"]) == ("Cookie", "no-store")
        assert cookies(answer) == []


@in_loop
async def test_a_page_that_does_not_look_says_nothing_of_the_session(store: AsyncFailingStore, tmp_path: Path) -> None:
    app = shop(store=store, permanent=True)

    @app.get("/file")
    async def file() -> Any:
        return await quart.send_file(tmp_path / "file.txt")

    (tmp_path / "file.txt").write_text("42")  # a small one
    async with serving(app) as client:
        await text(client, "/put")
        for path in ("/plain", "/nowhere", "/file"):
            async with client.get(path) as answer:
                assert await answer.text()
                assert "Vary" not in answer.headers
                assert cookies(answer) == []
        store.calls.clear()
        client.cookie_jar.clear()
        await text(client, "/look")
        assert store.calls == []


@in_loop
async def test_flashed_messages_and_templates_work() -> None:
    app = shop()

    @app.get("/flash")
    async def say() -> str:
        await flash("saved")
        return ""

    @app.get("/page")
    async def page() -> str:
        return await render_template_string("{{ session.get('user') }} {{ get_flashed_messages() }}")

    @app.get("/messages")
    async def messages() -> Any:
        return jsonify(get_flashed_messages())

    async with serving(app) as client:
        await text(client, "/flash")
        assert await text(client, "/page") == "None [&#39;saved&#39;]"
        assert await text(client, "/messages") == "[]\n"


@in_loop
async def test_functions_after_the_request_may_change_the_session() -> None:
    app = shop()

    @app.after_request
    async def count(response: Any) -> Any:
        session["last"] = quart.request.path
        return response

    async with serving(app) as client:
        await text(client, "/plain")
        assert await text(client, "/look") == "{'last': '/plain'}"


@in_loop
async def test_an_error_page_keeps_the_session_as_in_flask() -> None:
    app = shop()

    @app.get("/abort")
    async def stop() -> str:
        session["stopped"] = True
        abort(409)

    @app.get("/fail")
    async def fail() -> str:
        session["failed"] = True
        raise LookupError

    async with serving(app) as client:
        for path, status in (("/abort", 409), ("/fail", 500)):
            async with client.get(path) as answer:
                assert answer.status == status
        assert await text(client, "/look") == "{'stopped': True, 'failed': True}"


@in_loop
async def test_a_page_that_takes_the_place_of_a_finished_response_has_the_session() -> None:
    app = shop()

    async def fail(sender: Any, response: Any) -> None:
        raise LookupError

    @app.errorhandler(500)
    async def failed(_: Any) -> tuple[str, int]:
        session["failed"] = True
        return "sorry", 500

    async with serving(app) as client:
        with request_finished.connected_to(fail, app):
            async with client.get("/put") as answer:
                assert (answer.status, await answer.text()) == (500, "sorry")
                assert len(cookies(answer)) == 1
        assert await text(client, "/look") == "{'user': 'ann', 'failed': True}"


@in_loop
async def test_several_cookie_headers_are_read() -> None:
    async with serving(shop()) as client:
        async with client.get("/put") as answer:
            ours = cookies(answer)[0].partition(";")[0]
        client.cookie_jar.clear()
        async with client.get("/look", headers=[("Cookie", "a=b"), ("Cookie", ours)]) as answer:
            assert await answer.text() == "{'user': 'ann'}"


@in_loop
async def test_a_session_that_does_not_fit_is_the_application_s_to_put_right() -> None:
    app = shop()

    @app.get("/fill")
    async def fill() -> str:
        session["book"] = "x" * 5000
        session["kept"] = True
        return "filled"

    @app.errorhandler(500)
    async def failed(error: Any) -> tuple[str, int]:
        if isinstance(error.original_exception, SessionTooLarge):
            session.pop(error.original_exception.largest[0][0])
            return "too much", 500
        return "sorry", 500

    async with serving(app) as client:
        await text(client, "/put")
        async with client.get("/fill") as answer:
            assert (answer.status, await answer.text()) == (500, "too much")
            assert len(cookies(answer)) == 1
        assert await text(client, "/look") == "{'user': 'ann', 'kept': True}"


@in_loop
async def test_two_requests_at_once_lose_nothing() -> None:
    app, both = shop(store="memory:"), asyncio.Barrier(2)

    @app.get("/add/<key>")
    async def add(key: str) -> str:
        session.get("user")
        await both.wait()
        session[key] = True
        return ""

    async with serving(app) as client:
        await text(client, "/put")
        await asyncio.gather(text(client, "/add/one"), text(client, "/add/two"))
        assert sorted(eval(await text(client, "/look"))) == ["one", "two", "user"]


# Where the store fails


@in_loop
async def test_a_look_is_answered_with_503(store: AsyncFailingStore) -> None:
    async with serving(shop(store=store)) as client:
        await text(client, "/put")
        store.down = True
        async with client.get("/look") as answer:
            assert answer.status == 503
            assert "Service Unavailable" in await answer.text()
            assert cookies(answer) == []
        assert await text(client, "/plain") == "nobody looks"
        store.down = False
        assert await text(client, "/look") == "{'user': 'ann'}"


def buying(app: Quart, store: AsyncFailingStore, answer: Any) -> None:
    @app.get("/buy")
    async def buy() -> Any:
        session["bought"] = True
        store.down = True
        return answer()

    @app.get("/refuse")
    async def refuse() -> str:
        session["bought"] = True
        store.down = True
        abort(409)


@pytest.mark.parametrize("path", ["/buy", "/refuse"])
@pytest.mark.parametrize("handled", [False, True], ids=["no handler", "a handler"])
@in_loop
async def test_a_change_that_cannot_be_kept_is_not_confirmed(
    path: str, handled: bool, store: AsyncFailingStore
) -> None:
    app = shop(store=store)
    buying(app, store, lambda: redirect("/thanks"))

    if handled:

        @app.errorhandler(StoreError)
        async def out_of_order(_: StoreError) -> tuple[str, int, dict[str, str]]:
            return f"come again, {session.get('user')}", 503, {"Retry-After": "60"}

    async with serving(app) as client:
        await text(client, "/put")
        async with client.get(path, allow_redirects=False) as answer:
            assert answer.status == 503
            assert answer.headers.get("Retry-After") == ("60" if handled else None)
            assert ("come again, ann" if handled else "Service Unavailable") in await answer.text()
            assert answer.headers["Cache-Control"] == "no-store"
            assert "Location" not in answer.headers
            assert cookies(answer) == []
        store.down = False
        assert await text(client, "/look") == "{'user': 'ann'}"


@in_loop
async def test_a_stream_that_cannot_be_kept_is_not_begun(store: AsyncFailingStore) -> None:
    app = shop(store=store)

    async def body() -> Any:
        yield "bought"

    buying(app, store, lambda: quart.Response(body()))
    async with serving(app) as client:
        await text(client, "/put")
        async with client.get("/buy") as answer:
            assert answer.status == 503
            assert "bought" not in await answer.text()


@in_loop
async def test_an_application_may_go_on_without_sessions(store: AsyncFailingStore) -> None:
    async with serving(shop(store=store, store_down="empty")) as client:
        await text(client, "/put")
        store.down = True
        assert await text(client, "/look") == "{}"
