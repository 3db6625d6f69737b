"""One call gives an application its sessions, and the applications that are nested in it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp_host.served import look, page, put, running, serving, shop, text
from asgi.exchange import in_loop
from kit import OTHER_SECRET, SECRET

from coatcheck import UsageError
from coatcheck.aiohttp import get_session, setup


@pytest.mark.parametrize("order", ["before", "after"])
@in_loop
async def test_nested_applications_share_the_session(order: str) -> None:
    outer, inner, innermost = shop(), shop(), shop()
    if order == "before":
        setup(outer, SECRET)
    inner.add_subapp("/deep", innermost)
    outer.add_subapp("/admin", inner)
    if order == "after":
        setup(outer, SECRET)
    async with running(outer) as client:
        await text(client, "/admin/deep/put")
        for path in ("/look", "/admin/look", "/admin/deep/look"):
            assert await text(client, path) == "{'user': 'ann'}"


@in_loop
async def test_a_nested_application_may_have_sessions_alone() -> None:
    outer, inner = shop(), shop()
    setup(inner, SECRET)
    outer.add_subapp("/admin", inner)
    async with running(outer) as client:
        await text(client, "/admin/put")
        assert await text(client, "/admin/look") == "{'user': 'ann'}"
        async with client.get("/look") as answer:
            assert answer.status == 500


@in_loop
async def test_of_two_that_are_set_up_the_inner_one_says_what_the_session_is() -> None:
    outer, inner = shop(), shop()
    setup(inner, OTHER_SECRET, cookie_name="admin", cookie_path="/admin")
    setup(outer, SECRET)
    outer.add_subapp("/admin", inner)
    async with running(outer) as client:
        async with client.get("/admin/put") as answer:
            assert [cookie.partition("=")[0] for cookie in answer.headers.getall("Set-Cookie")] == ["admin"]
        assert await text(client, "/admin/look") == "{'user': 'ann'}"
        assert await text(client, "/look") == "{}"


@in_loop
async def test_middleware_between_two_that_are_set_up_may_change_the_session() -> None:
    @web.middleware
    async def count(request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request)
        (await get_session(request))["seen"] = request.path
        return response

    outer, inner = shop(middlewares=[count]), shop()
    setup(inner, OTHER_SECRET, cookie_name="admin")
    setup(outer, SECRET)
    outer.add_subapp("/admin", inner)
    async with running(outer) as client:
        await text(client, "/admin/plain")
        assert await text(client, "/admin/look") == "{'seen': '/admin/plain'}"


@in_loop
async def test_a_page_that_the_outer_application_puts_in_the_place_of_another_has_the_cookie() -> None:
    @web.middleware
    async def frame(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            return web.Response(status=error.status, text="framed")
        return response

    async def forbidden(request: web.Request) -> web.StreamResponse:
        put(await get_session(request))
        raise web.HTTPForbidden

    outer, inner = shop(middlewares=[frame]), shop({"forbidden": forbidden})
    setup(inner, SECRET)
    outer.add_subapp("/admin", inner)
    async with running(outer) as client:
        async with client.get("/admin/forbidden") as answer:
            assert (answer.status, await answer.text()) == (403, "framed")
        assert await text(client, "/admin/look") == "{'user': 'ann'}"


@in_loop
async def test_the_session_is_there_for_what_comes_before_our_middleware() -> None:
    @web.middleware
    async def first(request: web.Request, handler: Any) -> web.StreamResponse:
        (await get_session(request))["first"] = True
        response: web.StreamResponse = await handler(request)
        return response

    app = shop()
    setup(app, SECRET)
    app.middlewares.insert(0, first)
    async with running(app) as client:
        await text(client, "/put")
        assert await text(client, "/look") == "{'first': True, 'user': 'ann'}"


@in_loop
async def test_without_setup_the_error_says_what_to_call() -> None:
    problems: list[str] = []

    async def ask(request: web.Request) -> web.Response:
        try:
            await get_session(request)
        except UsageError as error:
            problems.append(str(error))
        return web.Response()

    async with running(shop({"ask": ask})) as client:
        await text(client, "/ask")
    assert problems == ["call coatcheck.aiohttp.setup(app, secret_key) for this application"]


def test_setup_is_called_once() -> None:
    app = web.Application()
    setup(app, SECRET)
    with pytest.raises(UsageError, match="before"):
        setup(app, SECRET)


@pytest.mark.parametrize(
    ("secret", "options", "message"),
    [
        (None, {}, "a secret_key is required"),
        ("x", {}, "needs at least 16"),
        (SECRET, {"cookie_nmae": "sid"}, "did you mean 'cookie_name'"),
        (SECRET, {"secret_key_fallbacks": [OTHER_SECRET, "x"]}, "needs at least 16"),
        (SECRET, {"store": "nowhere://"}, "nowhere"),
    ],
)
def test_what_cannot_be_right_is_an_error_without_keys(secret: Any, options: dict[str, Any], message: str) -> None:
    app = web.Application()
    with pytest.raises(UsageError, match=message) as caught:
        setup(app, secret, **options)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    ours = shown[shown.index("aiohttp.py") :]
    assert SECRET not in ours
    assert OTHER_SECRET not in ours
    assert len(app.middlewares) == 0


@in_loop
async def test_the_stores_of_urls_are_closed_with_the_application(tmp_path: Path) -> None:
    app = shop()
    async with serving(app, store=f"sqlite:///{tmp_path}/sessions.db") as client:
        await text(client, "/put")
        assert await text(client, "/look") == "{'user': 'ann'}"
    # One that is open has its journal beside it.
    assert os.listdir(tmp_path) == ["sessions.db"]  # noqa: PTH208  # a call of asyncio is none that blocks


@in_loop
async def test_two_requests_at_once_lose_nothing() -> None:
    both = asyncio.Barrier(2)

    async def add(request: web.Request) -> web.Response:
        session = await get_session(request)
        session.get("user")
        await both.wait()
        session[request.query["key"]] = True
        return web.Response()

    async with serving(shop({"add": add, "out": page(look)}), store="memory:") as client:
        await text(client, "/put")
        await asyncio.gather(text(client, "/add?key=one"), text(client, "/add?key=two"))
        assert await text(client, "/look") in (
            "{'user': 'ann', 'one': True, 'two': True}",
            "{'user': 'ann', 'two': True, 'one': True}",
        )


def test_without_aiohttp_its_module_says_what_to_install() -> None:
    program = "import sys; sys.modules['aiohttp'] = None; import coatcheck.aiohttp"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.splitlines()[-1].startswith("ImportError: coatcheck.aiohttp needs aiohttp: pip install")
