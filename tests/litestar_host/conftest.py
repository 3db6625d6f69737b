"""What these tests share: applications with the plugin, and the clients that are closed with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import pytest
from kit import SECRET
from litestar import Litestar
from litestar.testing import TestClient

from coatcheck.litestar import Coatcheck

Browse: TypeAlias = Callable[..., TestClient[Litestar]]


@pytest.fixture
def browse() -> Iterator[Browse]:
    """Starts an application and gives its client, which keeps its cookies: `browse(handlers, options, **others)`."""
    with ExitStack() as stack:

        def start(handlers: Any, options: dict[str, Any] | None = None, **others: Any) -> TestClient[Litestar]:
            plugin = Coatcheck(**{"secret_key": SECRET, **(options or {})})
            app = Litestar(handlers, plugins=[plugin], openapi_config=None, logging_config=None, **others)
            client = TestClient(app, base_url="https://shop.example", raise_server_exceptions=False)
            return stack.enter_context(client)

        yield start


@pytest.fixture(params=["cookie", "store"])
def storage(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The option that says where sessions are kept."""
    return {"store": "memory:"} if request.param == "store" else {}
