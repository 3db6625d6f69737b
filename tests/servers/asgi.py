"""Real ASGI servers, each in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import uvicorn
from hypercorn.asyncio import serve
from hypercorn.config import Config

from .process import HOST, wait_until


@contextmanager
def _listening() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as listener:
        yield listener


@contextmanager
def by_uvicorn(app: Any, *, ws: Any = "websockets-sansio", patience: int | None = None) -> Iterator[int]:
    """Serves an application. Gives the port.

    Args:
        ws: which implementation of websockets.
        patience: after how many seconds of a shutdown the requests under way are cancelled.
    """
    with _listening() as listener:
        config = uvicorn.Config(
            app, log_config=None, ws=ws, http="h11", lifespan="on", timeout_graceful_shutdown=patience, loop="asyncio"
        )
        server = uvicorn.Server(config)
        thread = Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive(), "the start of uvicorn")
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def by_hypercorn(app: Any) -> Iterator[int]:
    """Serves an application. Gives the port."""
    config = Config()
    config.graceful_timeout = 1
    config.errorlog = config.accesslog = None
    with _listening() as listener:
        # It closes what it is given.
        config.bind = [f"fd://{listener.dup().detach()}"]
        stop: Callable[[], object] = lambda: None  # noqa: E731  # until there is a loop
        running = []

        async def program() -> None:
            stopped, loop = asyncio.Event(), asyncio.get_running_loop()
            running.append(lambda: loop.call_soon_threadsafe(stopped.set))
            await serve(app, config, shutdown_trigger=stopped.wait)

        thread = Thread(target=lambda: asyncio.run(program()))
        thread.start()
        try:
            # The port takes connections before the server does: they wait.
            wait_until(lambda: bool(running), "the start of hypercorn")
            stop = running[0]
            yield listener.getsockname()[1]
        finally:
            stop()
            thread.join()
