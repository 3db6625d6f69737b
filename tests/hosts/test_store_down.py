"""What a request gets while the store does not answer."""

from __future__ import annotations

import pytest
from hosts.conftest import Make
from hosts.host import Browser
from hosts.pages import PAGES

from coatcheck import Session
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore


@pytest.fixture
def store(clock: Clock) -> FailingStore:
    return FailingStore(MemoryStore(clock=clock))


def test_a_page_that_looks_is_answered_with_503(make: Make, store: FailingStore) -> None:
    browser = Browser(make(PAGES, store=store))
    browser.get("/put")
    store.down = True
    answer = browser.get("/look")
    assert (answer.status, answer.cookies) == (503, [])
    assert "ann" not in answer.text and "store" not in answer.text.lower()
    store.down = False
    assert browser.get("/look").text == "{'user': 'ann'}"


def test_a_page_that_does_not_look_is_answered(make: Make, store: FailingStore) -> None:
    browser = Browser(make(PAGES, store=store))
    browser.get("/put")
    store.down = True
    assert browser.get("/nothing").text == "nothing"


def test_what_could_not_be_kept_is_not_confirmed(make: Make, store: FailingStore) -> None:
    def break_down(session: Session) -> str:
        session["colour"] = "blue"
        store.down = True
        return "done"

    browser = Browser(make({**PAGES, "break": break_down}, store=store))
    browser.get("/put")
    answer = browser.get("/break")
    assert (answer.status, answer.cookies) == (503, [])
    assert "done" not in answer.text
    assert "no-store" in answer.cache
    store.down = False
    assert browser.get("/look").text == "{'user': 'ann'}"


def test_a_first_session_that_could_not_be_kept_sends_no_cookie(make: Make, store: FailingStore) -> None:
    browser = Browser(make(PAGES, store=store))
    store.down = True
    answer = browser.get("/put")
    assert (answer.status, answer.cookies) == (503, [])


def test_a_logout_that_did_not_happen_is_not_confirmed(make: Make, store: FailingStore) -> None:
    browser = Browser(make(PAGES, store=store))
    browser.get("/put")
    store.down = True
    answer = browser.get("/destroy")
    assert (answer.status, answer.cookies) == (503, [])


@pytest.mark.parametrize("place", ["store", "revocations"])
@pytest.mark.parametrize("page", ["/put", "/plain"])
def test_a_login_that_did_not_happen_is_not_confirmed(make: Make, store: FailingStore, place: str, page: str) -> None:
    browser = Browser(make({**PAGES, "login": lambda session: session.login(7)}, **{place: store}))
    browser.get(page)
    store.down = True
    answer = browser.get("/login")
    assert (answer.status, answer.cookies) == (503, [])


def test_by_an_option_the_request_goes_on_and_nothing_is_overwritten(make: Make, store: FailingStore) -> None:
    browser = Browser(make(PAGES, store=store, store_down="empty"))
    browser.get("/put")
    store.down = True
    assert browser.get("/look").text == "{}"
    answer = browser.get("/other")
    assert (answer.status, answer.cookies) == (200, [])
    store.down = False
    assert browser.get("/look").text == "{'user': 'ann'}"


def test_a_page_may_catch_the_error_and_answer_by_itself(make: Make, store: FailingStore) -> None:
    from coatcheck import StoreError

    def careful(session: Session) -> str:
        try:
            return str(session.get("user"))
        except StoreError:
            return f"come again, {session.get('user', 'stranger')}"

    browser = Browser(make({**PAGES, "careful": careful}, store=store))
    browser.get("/put")
    store.down = True
    answer = browser.get("/careful")
    assert (answer.status, answer.text) == (200, "come again, stranger")
