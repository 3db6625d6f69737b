"""How a test of a fault writes down what it has measured."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

_LOG = logging.getLogger("coatcheck.faults")


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Gives what writes down a figure: `pytest -o log_cli=1 -o log_cli_level=INFO tests/faults` shows them all."""

    def noted(what: str, figure: object) -> None:
        shown = f"{figure:.3f} s" if isinstance(figure, float) else figure
        _LOG.info("%s: %s: %s", request.node.name, what, shown)

    return noted
