"""What a response says to caches, and what a request costs that does not look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hosts.conftest import Make
from hosts.host import Browser, Page
from hosts.pages import PAGES

from coatcheck import Session
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore

LOOKS: dict[str, Callable[[Session], object]] = {
    "in": lambda session: "user" in session,
    "len": len,
    "iteration": list,
    "get": lambda session: session.get("user"),
    "bool": bool,
    "equal": lambda session: session == {},
    "copy": lambda session: session.copy(),
    "items": lambda session: list(session.items()),
    "new": lambda session: session.new,
    "handle": lambda session: session.handle,
    "permanent": lambda session: session.permanent,
}


def test_a_page_that_does_not_look_says_nothing_of_the_session(make: Make, storage: Mapping[str, Any]) -> None:
    browser = Browser(make(PAGES, **storage))
    browser.get("/put")
    answer = browser.get("/nothing")
    assert answer.text == "nothing"
    assert (answer.vary, answer.cookies, answer.cache) == ([], [], [])


def test_every_look_makes_the_response_depend_on_the_cookie(make: Make, storage: Mapping[str, Any]) -> None:
    host = make(LOOKS, **storage)
    for look in LOOKS:
        answer = host.get(f"/{look}")
        assert (answer.status, answer.vary, answer.cookies) == (200, ["cookie"], []), look


def test_a_response_that_sets_the_cookie_is_stored_by_no_cache(make: Make, storage: Mapping[str, Any]) -> None:
    browser = Browser(make(PAGES, **storage))
    for page in ("/put", "/other", "/regenerate"):
        answer = browser.get(page)
        if answer.cookies:
            assert "no-store" in answer.cache
        assert answer.vary == ["cookie"]


def test_a_response_that_only_looked_may_be_stored_for_its_visitor(make: Make, storage: Mapping[str, Any]) -> None:
    browser = Browser(make(PAGES, **storage))
    browser.get("/put")
    answer = browser.get("/look")
    assert (answer.vary, answer.cookies, answer.cache) == (["cookie"], [], [])


def test_what_a_page_says_in_vary_stays_and_is_added_to(make: Make, storage: Mapping[str, Any]) -> None:
    headers: dict[str, str] = {}

    def page(session: Session) -> Page:
        session["user"] = "ann"
        return Page.of("done", headers)

    browser = Browser(make({"page": page, "quiet": lambda _: Page.of("quiet", headers)}, **storage))
    for said, expected in {
        "Accept": ["accept", "cookie"],
        "Accept-Encoding, Origin": ["accept-encoding", "origin", "cookie"],
        "cookie": ["cookie"],
        "Accept, COOKIE": ["accept", "cookie"],
        "*": ["*"],
    }.items():
        headers["Vary"] = said
        assert browser.get("/page").vary == expected
        assert browser.get("/quiet").all("Vary") == [said]


def test_a_page_that_asks_to_be_stored_is_not_where_the_cookie_is_set(make: Make, storage: Mapping[str, Any]) -> None:
    headers: dict[str, str] = {}

    def page(session: Session) -> Page:
        session["user"] = "ann"
        return Page.of("done", headers)

    host = make({"page": page}, **storage)
    for said in ("public, max-age=600", "private", "no-store, private", 'ext="no-store"', "s-maxage=60, No-Store"):
        headers["Cache-Control"] = said
        answer = Browser(host).get("/page")
        assert len(answer.cookies) == 1
        assert "no-store" in answer.cache and not {"public", "max-age=600"} & {*answer.cache}


def test_what_a_page_says_of_storing_stays_where_no_cookie_is_set(make: Make, storage: Mapping[str, Any]) -> None:
    def page(session: Session) -> Page:
        return Page.of(str(session.get("user")), {"Cache-Control": "private, max-age=60"})

    answer = Browser(make({"page": page}, **storage)).get("/page")
    assert answer.all("Cache-Control") == ["private, max-age=60"]
    assert answer.vary == ["cookie"]


def test_a_cookie_that_a_page_sets_itself_stays_beside_ours(make: Make, storage: Mapping[str, Any]) -> None:
    def page(session: Session) -> Page:
        session["user"] = "ann"
        return Page.of("done", {"Set-Cookie": "theme=dark; Path=/"})

    browser = Browser(make({**PAGES, "page": page}, **storage))
    browser.get("/page")
    assert sorted(browser.cookies) == ["session", "theme"]
    assert browser.get("/look").text == "{'user': 'ann'}"


def test_there_is_one_cookie_in_a_response(make: Make, storage: Mapping[str, Any]) -> None:
    def busy(session: Session) -> None:
        session["a"] = 1
        session.regenerate()
        session.clear()
        session["b"] = 2
        session.permanent = True

    browser = Browser(make({**PAGES, "busy": busy}, **storage))
    browser.get("/put")
    assert len(browser.get("/busy").cookies) == 1


def test_two_visitors_of_a_cache_that_honours_vary_never_meet(make: Make, storage: Mapping[str, Any]) -> None:
    host = make(PAGES, **storage)
    ann, bob = Browser(host), Browser(host)
    ann.get("/put")
    stored: dict[str, str] = {}
    for browser in (ann, bob):
        answer = browser.get("/look")
        assert "no-store" in answer.cache or "cookie" in answer.vary
        stored[browser.header] = answer.text
    assert stored == {ann.header: "{'user': 'ann'}", "": "{}"}


def test_an_anonymous_visitor_never_reaches_the_store(make: Make, clock: Clock) -> None:
    store = FailingStore(MemoryStore(clock=clock))
    store.down = True
    browser = Browser(make(PAGES, store=store))
    assert browser.get("/nothing").status == 200
    assert browser.get("/look").text == "{}"
    assert browser.host.get("/look", "other=1; sessions=2").text == "{}"
    assert store.calls == []


def test_what_the_store_is_asked(make: Make, clock: Clock) -> None:
    """A look reads once, a change replaces once, and nothing else happens."""
    store = FailingStore(MemoryStore(clock=clock))
    browser = Browser(make(PAGES, store=store, revocations="memory:"))
    browser.get("/put")
    browser.get("/look")
    browser.get("/other")
    assert store.calls == ["insert", "read", "read", "replace"]


def test_a_page_that_does_not_look_asks_nothing_of_the_store(make: Make, clock: Clock) -> None:
    store = FailingStore(MemoryStore(clock=clock))
    host = make(PAGES, store=store, revocations="memory:")
    browser = Browser(host)
    browser.get("/put")
    store.calls.clear()
    browser.get("/nothing")
    # A dict cannot await: where the framework gives no other place, a request that brings our cookie is read before.
    assert store.calls in ([], ["read"] if host.is_async else [])
