"""A site, with each kind of storage."""

from __future__ import annotations

import pytest
from typed.requests_of import Site


@pytest.fixture(params=["cookie", "store"])
def site(request: pytest.FixtureRequest) -> Site:
    return Site(on_server=request.param == "store")
