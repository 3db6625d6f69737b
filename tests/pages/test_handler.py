"""The page without a framework: what it asks of the accounts, and what it answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, cast

import pytest
from kit import NOON, Site, Visit

from coatcheck import StoreError, UsageError
from coatcheck.pages.handler import SessionsPage
from coatcheck.pages.options import PageOptions, PageRequest
from coatcheck.pages.reply import Policy, Reply
from coatcheck.pages.running import run_page, run_page_async
from coatcheck.testing import Clock


class Down:
    """Accounts that cannot be asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(*_: Any, **__: Any) -> Any:
            self.asked.append(name)
            raise StoreError("the store is down")

        return call


def request(method: str = "GET", path: str = "/sessions/", **facts: Any) -> PageRequest:
    return PageRequest(method=method, path=path, nonce="n0nce", **facts)


@pytest.fixture
def session() -> Visit:
    session = Site(clock=Clock(NOON), random=os.urandom).open()
    session.login("ada")
    return session


def answer(session: Visit, asked: PageRequest, accounts: Any = None, **options: Any) -> Reply:
    return run_page(SessionsPage(cast(PageOptions, options)).answer(asked, session), accounts)


def test_a_guest_costs_no_question() -> None:
    accounts = Down()
    guest = Site().open()
    assert answer(guest, request(), accounts, login_url="/in").headers[0] == ("Location", "/in")
    assert answer(guest, request("POST"), accounts).status == 401
    assert accounts.asked == []


def test_a_form_of_another_site_costs_no_question(session: Visit) -> None:
    accounts = Down()
    assert answer(session, request("POST", form={"end": "others", "csrf": "x"}), accounts).status == 403
    assert accounts.asked == []


@pytest.mark.parametrize("end", ["others", "00ff"])
def test_a_store_that_fails_is_no_success(session: Visit, end: str) -> None:
    form = {"csrf": session.csrf_token(), "end": end}
    with pytest.raises(StoreError):
        answer(session, request("POST", form=form), Down())
    assert session.user_id == "ada"
    assert "_signed_out" not in session


def test_it_leads_to_no_other_host(session: Visit) -> None:
    class Accounts:
        revoke_user = staticmethod(lambda user_id, keep: 0)

    form = {"csrf": session.csrf_token(), "end": "others"}
    reply = answer(session, request("POST", "//evil.example/sessions/", form=form), Accounts())
    assert reply.headers[0] == ("Location", "/evil.example/sessions/")


def test_a_session_that_ends_between_the_list_and_the_button_is_gone(session: Visit) -> None:
    class Other:
        handle, current = "00ff", False

    class Accounts:
        sessions_of = staticmethod(lambda user_id, current: [Other])
        revoke = staticmethod(lambda handle, user_id: False)

    form = {"csrf": session.csrf_token(), "end": "00ff"}
    assert answer(session, request("POST", form=form), Accounts()).status == 404


def test_a_method_that_it_does_not_know_does_nothing(session: Visit) -> None:
    reply = answer(session, request("DELETE"), Down())
    assert reply.status == 405
    assert ("Allow", "GET, HEAD, POST") in reply.headers


def test_for_asyncio_all_is_awaited(session: Visit) -> None:
    asked: list[str] = []

    class Accounts:
        async def revoke_user(self, user_id: str, keep: Visit) -> int:
            asked.append(user_id)
            await asyncio.sleep(0)
            return 1

    page = SessionsPage({})
    form = {"csrf": session.csrf_token(), "end": "others"}
    reply = asyncio.run(run_page_async(page.answer(request("POST", form=form), session), Accounts()))
    assert (reply.status, asked) == (303, ["ada"])


def test_for_asyncio_what_goes_wrong_comes_out(session: Visit) -> None:
    class Accounts:
        async def revoke_user(self, user_id: str, keep: Visit) -> int:
            raise StoreError("the store is down")

    form = {"csrf": session.csrf_token(), "end": "others"}
    with pytest.raises(StoreError):
        asyncio.run(run_page_async(SessionsPage({}).answer(request("POST", form=form), session), Accounts()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour": "red"}, "the page has no option colour"),
        ({"language": "fr"}, "the page speaks en, zh, and no 'fr'"),
        ({"place": "Leipzig"}, "place= takes a function"),
        ({"logout": "/logout"}, "logout= takes a function"),
        ({"login_url": 5}, "login_url= takes text, or a function"),
        ({"timezone": "Asia/Shanghai"}, "timezone= takes a tzinfo, such as zoneinfo.ZoneInfo"),
        ({"policy": "x"}, "policy= takes the sources, as one text, of each directive"),
        ({"policy": {"style-src": ["'self'"]}}, "policy= takes the sources, as one text, of each directive"),
        ({"policy": {"img-src": "'self'; script-src *"}}, "policy= takes the sources of a directive"),
        ({"policy": {"img-src": "a, b"}}, "policy= takes the sources of a directive"),
        ({"policy": {"img-src": "a\r\nSet-Cookie: b"}}, "policy= takes the sources of a directive"),
        ({"policy": {"img-src x": "a"}}, "policy= takes the sources of a directive"),
        ({"policy": {"img-src": "é"}}, "policy= takes the sources of a directive"),
    ],
)
def test_an_option_that_cannot_be_right_is_refused(options: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SessionsPage(options)


def test_a_function_that_names_an_unknown_language_is_refused(session: Visit) -> None:
    with pytest.raises(UsageError, match="no 'fr'"):
        answer(session, request(), Down(), language=lambda _: "fr")


@pytest.mark.parametrize("nothing", ["", None])
def test_a_function_that_names_no_language_leaves_it_to_the_browser(nothing: str | None) -> None:
    reply = answer(Site().open(), request(accept_language="zh"), language=lambda _: nothing)
    assert reply.context["words"]["lang"] == "zh-CN"


def test_the_policy_has_what_the_application_adds() -> None:
    policy = Policy({"style-src": "'self'", "font-src": "https://fonts.example"}).write("n")
    assert "style-src 'self' 'nonce-n'" in policy
    assert "; font-src https://fonts.example" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    ("login_url", "target"),
    [
        ("/login", "'self'"),
        ("login", "'self'"),
        ("https://id.example/in?next=x", "'self' https://id.example"),
        ("http://127.0.0.1:8000/in", "'self' http://127.0.0.1:8000"),
        ("javascript://id.example/x", "'self'"),
        ("https://id.example;x/in", "'self'"),
    ],
)
def test_a_sign_out_may_lead_to_where_one_signs_in(login_url: str, target: str) -> None:
    assert f"; form-action {target}; " in Policy({}).write("n", login_url)


def test_no_answer_shows_content_of_the_session_in_its_repr(session: Visit) -> None:
    session["card"] = "4111-1111"
    secret: Callable[[object], bool] = lambda each: "4111" in repr(each)  # noqa: E731
    page = SessionsPage({})
    steps = page.answer(request(), session)
    assert not [each for each in (page, steps, request(), answer(session, request("PUT"))) if secret(each)]


def test_a_function_that_would_have_to_be_awaited_is_an_error_where_nobody_awaits(session: Visit) -> None:
    """It would not have run, and the visitor would have been told that it had."""
    ended: list[str] = []

    async def log_out(_: object) -> None:
        ended.append("here")

    class Here:
        handle, current = "00ff", True

    class Accounts:
        sessions_of = staticmethod(lambda user_id, current: [Here])
        revoke = staticmethod(lambda handle, user_id: True)

    form = {"csrf": session.csrf_token(), "end": "00ff"}
    steps = SessionsPage({"logout": log_out}).answer(request("POST", form=form), session)
    with pytest.raises(UsageError, match="place= and logout= are not awaited here"):
        run_page(steps, Accounts())
    assert ended == []
