"""Every kind of response of aiohttp carries the session, and only what depends on it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp_host.served import cookies, look, page, put, serving, shop, text
from asgi.exchange import in_loop
from kit import attributes

from coatcheck.aiohttp import get_session
from coatcheck.testing import AsyncFailingStore

STORAGE = pytest.mark.parametrize("options", [{}, {"store": "memory:"}], ids=["cookie", "store"])


@STORAGE
@in_loop
async def test_a_redirect_that_is_raised_sets_the_cookie(options: dict[str, Any]) -> None:
    async def login(request: web.Request) -> web.StreamResponse:
        put(await get_session(request))
        raise web.HTTPFound("/look")

    async with serving(shop({"login": login}), **options) as client, client.get("/login") as answer:
        assert str(answer.url.path) == "/look"
        assert await answer.text() == "{'user': 'ann'}"
        (first,) = answer.history
        assert first.status == 302
        (cookie,) = cookies(first)
        assert attributes(cookie).keys() == {"httponly", "path", "samesite"}
        assert (first.headers["Vary"], first.headers["Cache-Control"]) == ("Cookie", "no-store")


@in_loop
async def test_any_other_error_of_http_that_is_raised_carries_it_too() -> None:
    async def teapot(request: web.Request) -> web.StreamResponse:
        put(await get_session(request))
        raise web.HTTPForbidden(text="no")

    async with serving(shop({"teapot": teapot})) as client:
        async with client.get("/teapot") as answer:
            assert (answer.status, await answer.text()) == (403, "no")
        assert await text(client, "/look") == "{'user': 'ann'}"


@in_loop
async def test_a_page_that_does_not_ask_for_the_session_says_nothing_of_it() -> None:
    async with serving(shop(), permanent=True) as client:
        await text(client, "/put")
        async with client.get("/plain") as answer:
            assert "Vary" not in answer.headers
            assert cookies(answer) == []
        async with client.get("/nowhere") as answer:
            assert answer.status == 404
            assert "Vary" not in answer.headers


@in_loop
async def test_a_session_that_is_asked_for_and_not_looked_at_counts_as_none() -> None:
    async with serving(shop({"ask": page(lambda session: "asked")})) as client, client.get("/ask") as answer:
        assert "Vary" not in answer.headers


@STORAGE
@in_loop
async def test_an_interval_of_zero_sends_a_permanent_session_with_every_response(options: dict[str, Any]) -> None:
    async with serving(shop(), permanent=True, refresh_interval=0, **options) as client:
        await text(client, "/put")
        for path in ("/plain", "/look"):
            async with client.get(path) as answer:
                assert len(cookies(answer)) == 1


@in_loop
async def test_the_store_is_asked_when_the_session_is_and_not_before(store: AsyncFailingStore) -> None:
    seen: list[list[str]] = []

    async def late(request: web.Request) -> web.Response:
        seen.append(store.calls[:])
        await get_session(request)
        seen.append(store.calls[:])
        await get_session(request)
        return web.Response()

    async with serving(shop({"late": late}), store=store, revocations="memory:") as client:
        await text(client, "/late")
        await text(client, "/put")
        store.calls.clear()
        await text(client, "/plain")
        await text(client, "/late")
    assert seen == [[], [], [], ["read"]]


@in_loop
async def test_a_file_is_sent_with_the_cookie(tmp_path: Path) -> None:
    (tmp_path / "invoice.txt").write_text("42")

    async def download(request: web.Request) -> web.StreamResponse:
        put(await get_session(request))
        return web.FileResponse(tmp_path / "invoice.txt")

    app = shop({"download": download})
    app.router.add_static("/files", tmp_path)
    async with serving(app) as client:
        async with client.get("/download") as answer:
            assert await answer.text() == "42"
            assert len(cookies(answer)) == 1
        async with client.get("/files/invoice.txt") as answer:
            assert await answer.text() == "42"
            assert "Vary" not in answer.headers


@in_loop
async def test_what_the_response_says_to_caches_is_joined_with_ours() -> None:
    async def mixed(request: web.Request) -> web.Response:
        put(await get_session(request))
        response = web.Response(headers={"Vary": "Accept", "Cache-Control": "public"})
        response.set_cookie("theme", "dark")
        return response

    async with serving(shop({"mixed": mixed})) as client, client.get("/mixed") as answer:
        assert answer.headers.getall("Vary") == ["Accept, Cookie"]
        assert answer.headers.getall("Cache-Control") == ["no-store"]
        assert [cookie.partition("=")[0] for cookie in cookies(answer)] == ["theme", "session"]


@in_loop
async def test_a_compressed_response_is_as_any_other() -> None:
    async def packed(request: web.Request) -> web.Response:
        put(await get_session(request))
        response = web.Response(text="x" * 5000)
        response.enable_compression()
        return response

    async with serving(shop({"packed": packed})) as client:
        async with client.get("/packed") as answer:
            assert await answer.text() == "x" * 5000
            assert answer.headers["Content-Encoding"] == "deflate"
        assert await text(client, "/look") == "{'user': 'ann'}"


@in_loop
async def test_a_class_based_view_has_the_session() -> None:
    class Visits(web.View):
        async def get(self) -> web.Response:
            session = await get_session(self.request)
            session["visits"] = session.get("visits", 0) + 1
            return web.json_response(dict(session))

    app = shop()
    app.router.add_view("/visits", Visits)
    async with serving(app) as client:
        assert [await text(client, "/visits") for _ in range(2)] == ['{"visits": 1}', '{"visits": 2}']


@in_loop
async def test_middleware_of_the_application_may_change_the_session_after_the_handler() -> None:
    @web.middleware
    async def count(request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request)
        (await get_session(request))["seen"] = request.path
        return response

    # Before setup and after it: ours is above both.
    app = shop(middlewares=[count])
    async with serving(app) as client:
        await text(client, "/plain")
        assert await text(client, "/look") == "{'seen': '/plain'}"


@in_loop
async def test_middleware_that_answers_an_error_with_a_page_keeps_the_session() -> None:
    async def failing(request: web.Request) -> web.Response:
        put(await get_session(request))
        raise LookupError

    @web.middleware
    async def sorry(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except LookupError:
            return web.Response(status=409, text="sorry")
        return response

    app = shop({"failing": failing})
    app.middlewares.append(sorry)
    async with serving(app) as client:
        async with client.get("/failing") as answer:
            assert answer.status == 409
        assert await text(client, "/look") == "{'user': 'ann'}"


@STORAGE
@in_loop
async def test_an_error_that_nobody_handles_keeps_nothing(options: dict[str, Any]) -> None:
    async def failing(request: web.Request) -> web.Response:
        put(await get_session(request))
        raise LookupError

    async with serving(shop({"failing": failing}), **options) as client:
        async with client.get("/failing") as answer:
            assert answer.status == 500
            assert cookies(answer) == []
            assert answer.headers["Vary"] == "Cookie"
        assert await text(client, "/look") == "{}"


@in_loop
async def test_a_session_that_is_too_large_is_an_error_of_the_server_and_the_cookie_stays() -> None:
    def fill(session: Any) -> None:
        session["book"] = "x" * 5000

    async with serving(shop({"fill": page(fill)})) as client:
        await text(client, "/put")
        async with client.get("/fill") as answer:
            assert answer.status == 500
            assert cookies(answer) == []
        assert await text(client, "/look") == "{'user': 'ann'}"


@in_loop
async def test_a_session_that_is_too_large_for_a_stream_is_an_error_of_the_server_too() -> None:
    async def fill(request: web.Request) -> web.StreamResponse:
        (await get_session(request))["book"] = "x" * 5000
        response = web.StreamResponse()
        response.enable_compression()
        await response.prepare(request)
        return response

    async with serving(shop({"fill": fill})) as client, client.get("/fill") as answer:
        assert answer.status == 500
        assert "Server got itself in trouble" in await answer.text()
        assert cookies(answer) == []
        assert "Transfer-Encoding" not in answer.headers


@in_loop
async def test_a_request_that_a_middleware_has_cloned_has_the_same_session() -> None:
    @web.middleware
    async def proxied(request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request.clone(scheme="https"))
        return response

    async with serving(shop(middlewares=[proxied])) as client, client.get("/put") as answer:
        (cookie,) = cookies(answer)
        assert "secure" in attributes(cookie)


@in_loop
async def test_a_cookie_that_is_no_text_is_none_of_ours() -> None:
    async with serving(shop()) as client:
        async with client.get("/look", headers={"Cookie": "session=\udcff\udc80; session=ü"}) as answer:
            assert await answer.text() == "{}"
        async with client.get("/plain", headers={"Cookie": "session=\udcff"}) as answer:
            assert answer.status == 200


@in_loop
async def test_several_cookie_headers_are_read() -> None:
    async with serving(shop()) as client:
        async with client.get("/put") as answer:
            ours = cookies(answer)[0].partition(";")[0]
        client.session.cookie_jar.clear()
        async with client.get("/look", headers=[("Cookie", "a=b"), ("Cookie", ours)]) as answer:
            assert await answer.text() == "{'user': 'ann'}"


@in_loop
async def test_a_handler_that_forgets_its_response_is_an_error_as_ever() -> None:
    async def forgetful(request: web.Request) -> Any:
        (await get_session(request)).get("user")

    async with serving(shop({"forgetful": forgetful})) as client, client.get("/forgetful") as answer:
        assert answer.status == 500


@in_loop
async def test_what_looks_at_the_session_while_the_headers_leave_finds_it() -> None:
    seen: list[str] = []

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        seen.append(look(await get_session(request)))

    app = shop()
    app.on_response_prepare.append(prepare)
    async with serving(app) as client:
        await text(client, "/put")
        await text(client, "/plain")
    assert seen == ["{'user': 'ann'}", "{'user': 'ann'}"]
