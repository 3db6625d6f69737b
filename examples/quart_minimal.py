"""Sessions that the browser can neither read nor change, in Quart.

export QUART_SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
cd examples && hypercorn quart_minimal:app

To keep them on a server: export QUART_SESSION_STORE=redis://localhost:6379/0
"""

from __future__ import annotations

from quart import Quart, websocket

from coatcheck.quart import Coatcheck, session

app = Quart(__name__)
app.config.from_prefixed_env()
Coatcheck(app)


@app.get("/")
async def index() -> str:
    session["visits"] = session.get("visits", 0) + 1
    return f"Visit {session['visits']}"


@app.websocket("/visits")
async def visits() -> None:
    """A websocket has the session of its handshake."""
    while True:
        await websocket.receive()
        await websocket.send(f"{session.get('visits', 0)} visits")
