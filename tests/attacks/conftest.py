"""What the attacks need: an engine, an application, and the one check that most of them end in."""

from __future__ import annotations

from collections.abc import Callable
from logging import DEBUG

import pytest
from attacks.harness import Desk, Site

from coatcheck import Event, Reason
from coatcheck.core.events import Kind

# Shorter pieces of a token may stand in a log by chance.
_PIECE = 8


def assert_nothing_logged_of(value: str, text: str) -> None:
    pieces = {value[at : at + _PIECE] for at in range(max(1, len(value) - _PIECE + 1))} - {""}
    assert not [piece for piece in pieces if len(piece) >= 4 and piece in text]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def gives_an_empty_session(caplog: pytest.LogCaptureFixture) -> Callable[..., None]:
    """Gives the check that a `Cookie` header means an empty session for a whole application.

    Nothing is raised, every response is the one that a request without a cookie
    gets, nothing is set unless the view writes, the events say why, and nothing of
    the header's values is in the log.
    """

    def check(site: Site, header: str, *reasons: Reason) -> None:
        expected = [Event(Kind.REJECTED, reason) for reason in reasons]
        caplog.clear()
        with caplog.at_level(DEBUG):
            site.events.clear()
            assert site.get("/untouched", header) == site.get("/untouched")
            assert site.events == []

            assert site.get("/read", header) == site.get("/read")
            assert site.events == expected
            assert site.get("/look", header) == site.get("/look")

            site.events.clear()
            written = site.get("/write", header)
            assert written.masked() == site.get("/write").masked()
            kinds = [event.kind for event in site.events]
            assert kinds == [*(event.kind for event in expected), Kind.CREATED, Kind.CREATED]
            assert site.get("/read", written.pair).text == "user: ann"
        for part in header.split(";"):
            assert_nothing_logged_of(part.partition("=")[2].strip(), caplog.text)
        assert all(record.exc_info is None for record in caplog.records)

    return check
