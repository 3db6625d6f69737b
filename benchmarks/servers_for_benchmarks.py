"""The servers that benchmarks talk to: those of the tests, started for one run, and those that run applications."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.process import HOST, Server, free_port, program

__all__ = ["HOST", "THREADS", "gunicorn", "redis_server", "uvicorn"]

THREADS = 8
_GUNICORN = f"-m gunicorn -k gthread --threads {THREADS} --keep-alive 75 --no-control-socket --log-level warning"
_UVICORN = (
    f"-m uvicorn --factory --host {HOST} --loop uvloop --http httptools --timeout-keep-alive 75"
    " --lifespan off --no-access-log --log-level warning"
)


@contextmanager
def redis_server() -> Iterator[Server]:
    """Gives a Redis that keeps nothing on disk."""
    port = free_port()
    command = [program("redis-server"), "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no"]
    with _running(command, port) as server:
        yield server


@contextmanager
def gunicorn(factory: str, variables: Mapping[str, str]) -> Iterator[Server]:
    """Gives a gunicorn of one process and `THREADS` threads that runs a WSGI application.

    Args:
        factory: what makes the application, as in `module:function`, of a module in this folder.
        variables: the environment that it finds.
    """
    port = free_port()
    arguments = [*_GUNICORN.split(), "--bind", f"{HOST}:{port}", f"{factory}()"]
    with _running(_python(arguments, variables), port) as server:
        yield server


@contextmanager
def uvicorn(factory: str, variables: Mapping[str, str]) -> Iterator[Server]:
    """As `gunicorn`, for an ASGI application: a uvicorn of one process."""
    port = free_port()
    arguments = [*_UVICORN.split(), "--port", str(port), factory]
    with _running(_python(arguments, variables), port) as server:
        yield server


def _python(arguments: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    given = [f"{name}={value}" for name, value in variables.items()]
    return [program("env"), f"PYTHONPATH={Path(__file__).parent}", *given, sys.executable, *arguments]


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[Server]:
    server = Server(command, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        server.discard()
