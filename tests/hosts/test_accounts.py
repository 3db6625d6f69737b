"""The sessions of a user, listed and ended from another of them."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hosts.conftest import Make
from hosts.host import Asking, Browser, Host
from hosts.pages import PAGES

from coatcheck.accounts import SessionInfo
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(params=["list", "store"])
def place(request: pytest.FixtureRequest) -> str:
    """The option that makes a host remember sessions: beside sealed cookies, or with all that they hold."""
    return {"list": "revocations", "store": "store"}[request.param]


@pytest.fixture
def remembered(place: str, clock: Clock) -> Mapping[str, Any]:
    return {place: MemoryStore(clock=clock)}


def marked(found: Sequence[SessionInfo]) -> str:
    """Shows the handles, and which of them is the one of this request."""
    return repr([(info.handle, info.current) for info in found])


def ending(handle: str, user_id: object = 7) -> Asking:
    """Gives a page that ends one session."""
    return Asking(lambda _, accounts: accounts.revoke(handle, user_id=user_id))


ACCOUNTS = {
    **PAGES,
    "login": lambda session: session.login(7),
    "login_as_8": lambda session: session.login(8),
    "who": lambda session: repr(session.user_id),
    "mine": Asking(lambda session, accounts: accounts.sessions_of(session.user_id, current=session), marked),
    "unsaid": Asking(lambda _, accounts: accounts.sessions_of(7), marked),
    "clients": Asking(
        lambda _, accounts: accounts.sessions_of(7),
        lambda found: repr([(info.ip, info.user_agent, info.device) for info in found]),
    ),
    "end": ending("00" * 16),
    "end_others": Asking(lambda session, accounts: accounts.revoke_user(session.user_id, keep=session)),
    "end_7": Asking(lambda _, accounts: accounts.revoke_user("7")),
    "end_all": Asking(lambda _, accounts: accounts.revoke_everyone()),
}


def signed_in(host: Host, count: int, path: str = "/login") -> list[Browser]:
    """Gives browsers that have signed in, each by itself."""
    browsers = [Browser(host) for _ in range(count)]
    for browser in browsers:
        browser.get(path)
    return browsers


def users(*browsers: Browser) -> list[str]:
    """Gives who is signed in with each."""
    return [browser.get("/who").text for browser in browsers]


def listed(browser: Browser, path: str = "/mine") -> list[tuple[str, bool]]:
    """Gives the sessions that a browser is shown."""
    found: list[tuple[str, bool]] = literal_eval(browser.get(path).text)
    return found


def test_a_user_sees_all_sessions_of_their_own_and_which_is_this_one(make: Make, remembered: Mapping[str, Any]) -> None:
    host = make(ACCOUNTS, **remembered)
    (first, second), (other,) = signed_in(host, 2), signed_in(host, 1, "/login_as_8")
    (mine, here), (theirs, there) = listed(first)
    assert (here, there) == (True, False)
    assert listed(second) == [(theirs, True), (mine, False)]
    assert [current for _, current in listed(other)] == [True]


def test_which_session_is_this_one_need_not_be_said(make: Make, remembered: Mapping[str, Any]) -> None:
    first, second = signed_in(make(ACCOUNTS, **remembered), 2)
    for browser in (first, second):
        assert listed(browser, "/unsaid") == listed(browser)


def test_a_session_is_listed_with_the_client_that_signed_in(make: Make, remembered: Mapping[str, Any]) -> None:
    browser = Browser(make(ACCOUNTS, **remembered))
    browser.get("/login", headers=[("User-Agent", FIREFOX)])
    ((address, agent, device),) = literal_eval(browser.get("/clients", headers=[("User-Agent", "B/2")]).text)
    assert (agent, device) == (FIREFOX, "Firefox on Linux")
    assert address in {"127.0.0.1", "testclient", ""}


def test_one_browser_ends_another_by_its_handle(make: Make, remembered: Mapping[str, Any]) -> None:
    views = dict(ACCOUNTS)
    first, second, third = signed_in(make(views, **remembered), 3)
    ((theirs, _),) = [row for row in listed(second) if row[1]]
    views["end"] = ending(theirs)
    assert first.get("/end").text == "True"
    assert users(first, second, third) == ["7", "None", "7"]
    assert theirs not in dict(listed(first))
    assert first.get("/end").text == "False"


def test_a_handle_of_another_user_ends_nothing(make: Make, remembered: Mapping[str, Any]) -> None:
    views = dict(ACCOUNTS)
    host = make(views, **remembered)
    (mine,), (other,) = signed_in(host, 1), signed_in(host, 1, "/login_as_8")
    ((theirs, _),) = listed(other)
    views["end"] = ending(theirs)
    assert mine.get("/end").text == "False"
    assert users(mine, other) == ["7", "8"]


def test_a_session_ends_all_others_of_its_user_and_goes_on(make: Make, remembered: Mapping[str, Any]) -> None:
    host = make(ACCOUNTS, **remembered)
    (first, second, third), (other,) = signed_in(host, 3), signed_in(host, 1, "/login_as_8")
    assert first.get("/end_others").text == "2"
    assert users(first, second, third, other) == ["7", "None", "None", "8"]
    assert [current for _, current in listed(first)] == [True]


def test_all_sessions_of_a_user_are_ended_by_somebody_else(make: Make, remembered: Mapping[str, Any]) -> None:
    host = make(ACCOUNTS, **remembered)
    (first, second), (other,) = signed_in(host, 2), signed_in(host, 1, "/login_as_8")
    assert other.get("/end_7").text == "2"
    assert users(first, second, other) == ["None", "None", "8"]
    (again,) = signed_in(host, 1)
    assert users(again) == ["7"]


def test_a_request_may_end_its_own_session_with_the_others(make: Make, remembered: Mapping[str, Any]) -> None:
    first, second = signed_in(make(ACCOUNTS, **remembered), 2)
    assert first.get("/end_7").text == "2"
    assert users(first, second) == ["None", "None"]


def test_all_sessions_there_are_end_those_of_guests_too(make: Make, remembered: Mapping[str, Any]) -> None:
    host = make(ACCOUNTS, **remembered)
    guest, (first,), (other,) = Browser(host), signed_in(host, 1), signed_in(host, 1, "/login_as_8")
    guest.get("/put")
    assert other.get("/end_all").text == "None"
    assert users(first, other) == ["None", "None"]
    assert guest.get("/look").text == "{}"
    (again,) = signed_in(host, 1)
    assert users(again) == ["7"]


@pytest.mark.parametrize("call", ["mine", "end", "end_others", "end_all"])
def test_where_nothing_remembers_sessions_each_call_is_a_mistake_of_the_program(make: Make, call: str) -> None:
    (browser,) = signed_in(make(ACCOUNTS), 1)
    answer = browser.get(f"/{call}")
    assert (answer.status, answer.text) == (200, "UsageError")
    assert users(browser) == ["7"]


@pytest.mark.parametrize("call", ["end_others", "end_7", "end_all"])
def test_an_ending_that_did_not_happen_is_not_confirmed(make: Make, place: str, clock: Clock, call: str) -> None:
    store = FailingStore(MemoryStore(clock=clock))
    host = make(ACCOUNTS, **{place: store})
    first, second = signed_in(host, 2)
    store.down = True
    answer = first.get(f"/{call}")
    assert (answer.status // 100, answer.cookies) == (5, [])
    assert answer.text not in {"0", "1", "2", "None"}
    store.down = False
    assert users(first, second) == ["7", "7"]


@pytest.mark.parametrize("call", ["unsaid", "end", "end_7", "end_all"])
def test_a_call_that_fails_with_the_store_is_a_503(make: Make, place: str, clock: Clock, call: str) -> None:
    store = FailingStore(MemoryStore(clock=clock))
    host = make(ACCOUNTS, **{place: store})
    store.down = True
    answer = Browser(host).get(f"/{call}")
    assert (answer.status, answer.cookies) == (503, [])
    assert "store" not in answer.text.lower()
