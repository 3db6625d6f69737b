"""Where the store fails, the visitor gets a 503, and never an answer that confirms what was not kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp_host.served import cookies, look, page, put, serving, shop, text
from asgi.exchange import in_loop

from coatcheck import StoreError
from coatcheck.aiohttp import get_session
from coatcheck.testing import AsyncFailingStore


@in_loop
async def test_a_look_is_answered_with_503(store: AsyncFailingStore) -> None:
    async with serving(shop(), store=store) as client:
        await text(client, "/put")
        store.down = True
        async with client.get("/look") as answer:
            assert (answer.status, await answer.text()) == (503, "Service Unavailable\n")
            assert (answer.headers["Vary"], answer.headers["Cache-Control"]) == ("Cookie", "no-store")
            assert cookies(answer) == []
        assert await text(client, "/plain") == "nobody looks"
        store.down = False
        assert await text(client, "/look") == "{'user': 'ann'}"


async def bought(request: web.Request) -> web.StreamResponse:
    (await get_session(request))["bought"] = True
    return web.Response(text="bought")


async def bought_and_sent_on(request: web.Request) -> web.StreamResponse:
    (await get_session(request))["bought"] = True
    raise web.HTTPSeeOther("/look")


async def bought_in_a_stream(request: web.Request) -> web.StreamResponse:
    (await get_session(request))["bought"] = True
    response = web.StreamResponse()
    response.enable_compression(web.ContentCoding.gzip)
    await response.prepare(request)
    await response.write(b"bought")
    return response


async def bought_with_a_receipt(request: web.Request) -> web.StreamResponse:
    (await get_session(request))["bought"] = True
    return web.FileResponse(Path(__file__))


@pytest.mark.parametrize("buy", [bought, bought_and_sent_on, bought_in_a_stream, bought_with_a_receipt])
@pytest.mark.parametrize("nested", [False, True], ids=["alone", "under middleware"])
@in_loop
async def test_a_change_that_cannot_be_kept_is_not_confirmed(buy: Any, nested: bool, store: AsyncFailingStore) -> None:
    async def buy_while_down(request: web.Request) -> web.StreamResponse:
        (await get_session(request)).get("user")
        store.down = True
        response: web.StreamResponse = await buy(request)
        return response

    @web.middleware
    async def pass_on(request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request)
        return response

    async with serving(shop({"buy": buy_while_down}, middlewares=[pass_on] if nested else []), store=store) as client:
        await text(client, "/put")
        async with client.get("/buy", allow_redirects=False) as answer:
            assert (answer.status, await answer.text()) == (503, "Service Unavailable\n")
            assert cookies(answer) == []
            assert "Location" not in answer.headers
        store.down = False
        assert await text(client, "/look") == "{'user': 'ann'}"


@in_loop
async def test_a_handler_of_the_application_has_the_word_first(store: AsyncFailingStore) -> None:
    @web.middleware
    async def out_of_order(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except StoreError:
            # As layouts do.
            return web.Response(status=503, text=f"come again, {look(await get_session(request))}")
        return response

    async with serving(shop(middlewares=[out_of_order]), store=store) as client:
        await text(client, "/put")
        store.down = True
        async with client.get("/look") as answer:
            assert (answer.status, await answer.text()) == (503, "come again, {}")


@in_loop
async def test_an_application_may_go_on_without_sessions(store: AsyncFailingStore) -> None:
    async with serving(shop(), store=store, store_down="empty") as client:
        await text(client, "/put")
        store.down = True
        assert await text(client, "/look") == "{}"


@in_loop
async def test_the_error_of_another_store_keeps_nothing_and_is_no_503_of_a_stream(store: AsyncFailingStore) -> None:
    async def failing(request: web.Request) -> web.StreamResponse:
        put(await get_session(request))
        raise StoreError("of the application's own store")

    async with serving(shop({"failing": failing, "more": page(put)}), store=store) as client:
        async with client.get("/failing") as answer:
            assert answer.status == 503
            assert cookies(answer) == []
        assert store.calls == []
