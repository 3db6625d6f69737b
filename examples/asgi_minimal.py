"""Sessions for any ASGI application, here one without a framework.

export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
uvicorn --app-dir examples asgi_minimal:app
"""

from __future__ import annotations

import os

from coatcheck.asgi import AsyncSession, Receive, Scope, Send, SessionMiddleware


async def count(scope: Scope, _: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    session: AsyncSession = scope["session"]
    session["visits"] = session.get("visits", 0) + 1
    body = f"Visit {session['visits']}".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = SessionMiddleware(count, os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))
