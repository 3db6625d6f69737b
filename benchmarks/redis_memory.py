"""How much memory of Redis a session takes, beside Flask-Session's and starsessions'.

    python benchmarks/redis_memory.py

For each figure a Redis is started, and 100 000 sessions are kept in it, each by the code with which its library answers
a first request, but without the request. "In all" is what the server's memory grew by, for each session: the key, the
value, the time at which it expires, and their places in the tables of the server. MEMORY USAGE is what the server says
of one key; value and key are their bare bytes. The others keep the content in clear, under the id that the cookie
holds. Each adds something of its own: a seal, the word `_permanent`, or the times of the session.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple, cast

import redis.asyncio
from flask import Flask
from flask_session import Session as FlaskSession
from servers_for_benchmarks import HOST, redis_server
from starlette.requests import HTTPConnection
from starsessions import JsonSerializer
from starsessions.session import SessionHandler
from starsessions.stores.redis import RedisStore as StarsessionsStore
from timing import REFERENCE, heading
from werkzeug.test import EnvironBuilder

from coatcheck import Keyring, Session, Settings
from coatcheck.core.engine import Engine
from coatcheck.core.loaded import Loaded
from coatcheck.drive import run
from coatcheck.stores import open_store

SESSIONS = 100_000
LIFETIME = 31 * 24 * 3600
CONTENTS = {"reference session": REFERENCE, "2 keys": {"user_id": 12345, "_fresh": True}}
# The others take a pipeline for a client, and wait for the server once for so many sessions.
BATCH = 1000


def by_coatcheck(port: int, content: dict[str, Any]) -> None:
    store = open_store(f"redis://{HOST}:{port}/0")
    keyring = Keyring(secrets.token_hex(32))
    engine = Engine(Settings(), keyring, random=os.urandom, emit=lambda _: None, store=True)

    class First(Session):
        def _load(self) -> Loaded:
            return run(engine.load("", now=time.time()), (store,))

    for _ in range(SESSIONS):
        session = First(os.urandom)
        session.update(content)
        run(engine.commit(session, now=time.time(), https=True), (store,))
    cast(Any, store).close()


def by_flask_session(port: int, content: dict[str, Any]) -> None:
    app = Flask("memory")
    request = app.request_class(EnvironBuilder("/").get_environ())
    with redis.Redis(host=HOST, port=port) as client, client.pipeline(transaction=False) as pipeline:
        app.config.update(SESSION_TYPE="redis", SESSION_REDIS=pipeline)
        FlaskSession(app)
        kept = cast(Any, app.session_interface)
        for _ in range(SESSIONS // BATCH):
            for _ in range(BATCH):
                session = kept.open_session(app, request)
                session.update(content)
                kept.save_session(app, session, app.response_class())
            pipeline.execute()


async def by_starsessions(port: int, content: dict[str, Any]) -> None:
    async with redis.asyncio.Redis(host=HOST, port=port) as client, client.pipeline(transaction=False) as pipeline:
        store, serializer = StarsessionsStore(connection=pipeline), JsonSerializer()
        for _ in range(SESSIONS // BATCH):
            for _ in range(BATCH):
                handler = SessionHandler(HTTPConnection({"type": "http"}), None, store, serializer, LIFETIME)
                await handler.load()
                handler.connection.session.update(content)
                await handler.save(LIFETIME)
            await pipeline.execute()


SIDES: dict[str, Callable[[int, dict[str, Any]], None]] = {
    "coatcheck": by_coatcheck,
    "Flask-Session": by_flask_session,
    "starsessions": lambda port, content: asyncio.run(by_starsessions(port, content)),
}


class Memory(NamedTuple):
    """Bytes of one session."""

    in_all: float
    usage: int
    value: int
    key: int


def used(client: Any) -> int:
    client.memory_purge()
    return int(client.info("memory")["used_memory"])


def measure(side: str, content: dict[str, Any]) -> Memory:
    with redis_server() as server, redis.Redis(host=HOST, port=server.port) as connection:
        client = cast(Any, connection)
        before = used(client)
        SIDES[side](server.port, content)
        in_all = (used(client) - before) / SESSIONS
        assert client.dbsize() == SESSIONS
        key = client.randomkey()
        assert LIFETIME - 600 < client.ttl(key) <= LIFETIME
        return Memory(in_all, client.memory_usage(key), client.strlen(key), len(key))


def main() -> None:
    print(heading("coatcheck", "Flask-Session", "starsessions", "redis", "hiredis"))
    print(f"bytes in Redis for each of {SESSIONS} sessions")
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as elsewhere:
        measured = {
            name: {side: elsewhere.submit(measure, side, content) for side in SIDES}
            for name, content in CONTENTS.items()
        }
        for name, sides in measured.items():
            memory = {side: each.result() for side, each in sides.items()}
            print(f"{name:18}{'in all':>8}{'of ours':>9}{'MEMORY USAGE':>14}{'value':>7}{'key':>5}")
            for side, each in memory.items():
                share = each.in_all / memory["coatcheck"].in_all
                print(f"  {side:16}{each.in_all:8.0f}{share:9.2f}{each.usage:14}{each.value:7}{each.key:5}")


if __name__ == "__main__":
    main()
