"""R and S6 for sessions on the server: ids that are planted, replayed, guessed and carried elsewhere.

Here are the sessions of guests; those of users are in test_r_sign_in.py.
"""

from __future__ import annotations

import gc
import os
import tracemalloc

import pytest
from kit import Browser, ServerSite, look, put

from coatcheck import Session
from coatcheck.core.endings import GRACE
from coatcheck.core.opaque import write_token


def login(session: Session) -> None:
    session.update(user="ann")
    session.regenerate()


@pytest.fixture
def site() -> ServerSite:
    return ServerSite()


@pytest.fixture
def browser(site: ServerSite) -> Browser:
    return site.begin(cart=1)


@pytest.mark.parametrize("view", [put(user="ann"), login, lambda session: (session.destroy(), login(session))])
def test_r1_an_unknown_id_that_was_planted_is_never_adopted(site: ServerSite, view: object) -> None:
    planted = write_token(os.urandom(32))
    victim = Browser(site)
    victim.cookies = {"session": planted}
    victim.visit(view)  # type: ignore[arg-type]
    assert victim.cookies["session"] != planted
    assert dict(site.open(f"session={planted}")) == {}
    assert victim.read() == {"user": "ann"}


def test_r2_a_known_id_that_was_planted_is_worth_nothing_after_the_login(site: ServerSite, browser: Browser) -> None:
    planted = browser.header
    browser.visit(login)
    assert "user" not in dict(site.open(planted))
    site.clock.advance(GRACE + 1)
    assert dict(site.open(planted)) == {}


@pytest.mark.parametrize("view", [Session.destroy, Session.clear])
def test_r3_a_cookie_that_was_copied_before_logout_is_dead(site: ServerSite, browser: Browser, view: object) -> None:
    copied = browser.header
    browser.visit(view)  # type: ignore[arg-type]
    assert dict(site.open(copied)) == {}
    assert site.records == {}


def test_r6_an_id_of_one_application_is_an_empty_session_in_another(site: ServerSite, browser: Browser) -> None:
    for options in ({"audience": "other"}, {"cookie_name": "other"}):
        other = ServerSite(memory=site.memory, clock=site.clock, **options)
        name = other.settings.cookie_name
        assert dict(other.open(f"{name}={browser.cookies['session']}")) == {}
        assert other.told() == [("rejected", "forged")]


def test_r10_an_id_that_was_replaced_and_comes_again_is_told(site: ServerSite, browser: Browser) -> None:
    old = browser.header
    browser.visit(login)
    site.clock.advance(GRACE + 1)
    site.told()
    assert dict(site.open(old)) == {}
    assert site.told() == [("reused", ""), ("rejected", "reused")]
    # Nobody can say whose copy it is, so the session has ended for all.
    assert browser.read() == {}


def test_r12_an_id_in_another_cookie_or_in_no_cookie_is_ignored(site: ServerSite, browser: Browser) -> None:
    token = browser.cookies["session"]
    for header in (
        token,
        f"sid={token}",
        f"Session={token}",
        f"session2={token}",
        f"=session={token}",
        f"a=session={token}",
    ):
        assert dict(site.open(header)) == {}
    assert site.asked() == []


FORMS = ["", "a", "seven77", "x" * 10_240, ":", "*", "/", "..", "../../etc/passwd", "\x00", "\r", "\n", "a\r\nb"]
FORMS += ["' OR 1=1 --", "session:*", "%00", "\\", "null", "0" * 43, "0" * 45, "A" * 44, "é" * 44, "\ud800" * 44]


@pytest.mark.parametrize("value", FORMS, ids=range(len(FORMS)))
def test_r15_a_value_of_any_other_form_never_reaches_the_store(site: ServerSite, value: str) -> None:
    session = site.open(f"session={value}")
    assert session.new and dict(session) == {}
    site.commit(session)
    assert (site.asked(), site.records) == ([], {})


def test_r_a_handle_is_useless_as_a_cookie(site: ServerSite, browser: Browser) -> None:
    handle = site.open(browser.header).handle
    site.asked()
    for value in (handle, write_token(bytes.fromhex(handle)), handle[:44]):
        assert dict(site.open(f"session={value}")) == {}


def test_s6_ten_thousand_random_ids_are_one_read_each_and_leave_nothing(site: ServerSite) -> None:
    def guess() -> None:
        session = site.open(f"session={write_token(os.urandom(32))}")
        look(session)
        site.commit(session)

    guess()
    site.asked()
    for _ in range(10_000):
        guess()
    assert site.asked() == ["read"] * 10_000
    assert site.records == {}
    site.told()
    tracemalloc.start()
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(1000):
        guess()
        site.asked()
        site.told()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 50_000


def test_s_ten_thousand_visitors_without_a_cookie_leave_no_record(site: ServerSite) -> None:
    for view in (look, Session.clear, Session.destroy, Session.regenerate):
        for _ in range(2500):
            Browser(site).visit(view)
    assert (site.asked(), site.records) == ([], {})
