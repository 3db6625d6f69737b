"""What these tests share: the page on three frameworks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from pages.site import Site


@pytest.fixture(params=["flask", "fastapi", "django", "django-asgi"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(request.param, stack)
