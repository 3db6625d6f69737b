"""What a framework may want of the engine: a session that is kept empty, and to know whether one is due."""

from __future__ import annotations

import pytest
from kit import ServerSite, Site


@pytest.mark.parametrize("kind", [Site, ServerSite])
def test_an_empty_session_is_kept_where_the_application_wants_one(kind: type[Site]) -> None:
    site = kind()
    session = site.open()
    assert session.new
    session._wanted_empty = True  # noqa: SLF001  # for integrations
    (cookie,) = site.commit(session).cookies
    again = site.open(cookie.partition(";")[0])
    assert not again.new and dict(again) == {}


@pytest.mark.parametrize("kind", [Site, ServerSite])
def test_a_session_is_due_when_its_seal_is_old_and_not_before(kind: type[Site]) -> None:
    site = kind()
    session = site.open()
    session["user"] = "ann"
    (cookie,) = site.commit(session).cookies
    header = cookie.partition(";")[0]
    again = site.open(header)
    assert not site.engine.renews(again, now=site.clock())
    assert again["user"] == "ann"
    assert not site.engine.renews(again, now=site.clock())
    assert site.engine.renews(again, now=site.clock() + 3601)
    again.destroy()
    assert not site.engine.renews(again, now=site.clock() + 3601)
