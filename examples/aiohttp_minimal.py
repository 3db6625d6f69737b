"""Sessions that the browser can neither read nor change, in aiohttp.

export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
python examples/aiohttp_minimal.py

To keep them on a server: export SESSION_STORE=redis://localhost:6379/0
"""

from __future__ import annotations

import os

from aiohttp import web

from coatcheck.aiohttp import get_session, setup


async def index(request: web.Request) -> web.Response:
    session = await get_session(request)
    session["visits"] = session.get("visits", 0) + 1
    return web.Response(text=f"Visit {session['visits']}")


async def visits(request: web.Request) -> web.WebSocketResponse:
    """A websocket has the session of its handshake."""
    session = await get_session(request)
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for _ in socket:
        await socket.send_str(f"{session.get('visits', 0)} visits")
    return socket


app = web.Application()
app.add_routes([web.get("/", index), web.get("/visits", visits)])
setup(app, os.environ.get("SECRET_KEY"), store=os.environ.get("SESSION_STORE"))

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
