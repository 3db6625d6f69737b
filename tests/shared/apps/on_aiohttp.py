"""aiohttp, on its own server: `python -m shared.apps.on_aiohttp 8000`."""

import os
import sys

from aiohttp import web
from shared.apps.pages import run

from coatcheck.aiohttp import get_session, setup


async def page(request: web.Request) -> web.Response:
    return web.Response(text=run(request.match_info["name"], await get_session(request), "aiohttp"))


app = web.Application()
app.router.add_get("/{name}", page)
setup(app, os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
