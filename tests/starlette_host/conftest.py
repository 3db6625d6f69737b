"""What these tests share: a place for sessions, and the clients that are closed with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from servers.redis import RedisServer
from starlette.testclient import TestClient

Browse: TypeAlias = Callable[..., TestClient]

HTTPS = "https://shop.example"


@pytest.fixture
def browse() -> Iterator[Browse]:
    """Gives a client of an application, which keeps its cookies: `browse(app, **options of TestClient)`."""
    with ExitStack() as stack:

        def open_client(app: Any, **options: Any) -> TestClient:
            client = TestClient(app, **{"base_url": HTTPS, **options})
            stack.callback(client.close)
            return client

        yield open_client


@pytest.fixture(params=["", "memory:", "sqlite", "redis"], ids=["cookie", "memory", "sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The option that says where sessions are kept: in the cookie, or in each kind of store."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        return {"store": server.url()}
    if request.param == "sqlite":
        return {"store": f"sqlite:///{tmp_path}/sessions.db"}
    return {"store": request.param} if request.param else {}


@pytest.fixture(params=["cookie", "store"])
def storage(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Likewise, for what depends only on whether there is a store."""
    return {"store": "memory:"} if request.param == "store" else {}
