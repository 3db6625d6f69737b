"""Two requests of one visitor at the same time: neither loses what the other kept, and a logout stays a logout."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue

from coatcheck import Event
from coatcheck.flask import Coatcheck, session
from coatcheck.testing import Clock, FailingStore

Browse = Callable[[Flask, CookieJar], Callable[[str], str]]
MANY = 8


class Overlap:
    """A visitor with two tabs: while a view of one is at work, the other makes requests from beginning to end."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.one = app.test_client()
        self.other = app.test_client()

    def get(self, page: str, *meanwhile: str) -> Any:
        cookie = self.one.get_cookie("session")
        if cookie is not None:
            self.other.set_cookie("session", cookie.value)
        self.app.extensions["meanwhile"] = [lambda page=page: self.other.get(page) for page in meanwhile]
        return self.one.get(page)


@pytest.fixture(autouse=True)
def slow_views(app: Flask) -> None:
    def meanwhile() -> None:
        for act in app.extensions.pop("meanwhile", ()):
            assert act().status_code == 200

    def slow(act: Callable[[], object]) -> Callable[[], ResponseReturnValue]:
        def view() -> ResponseReturnValue:
            session.get("user")
            meanwhile()
            act()
            return str(session.get("user"))

        return view

    def login() -> None:
        session.regenerate()
        session["user"] = "ada"

    def logout() -> None:
        session.destroy()

    acts: dict[str, Callable[[], object]] = {
        "read": lambda: None,
        "keep": lambda: session.update(step="one"),
        "visit": lambda: session.update(visits=session.get("visits", 0) + 1),
        "buy": lambda: session.setdefault("cart", []).append("pear"),
        "pop": lambda: session.pop("basket", None),
        "refill": lambda: session.update(basket="half"),
        "login": login,
        "logout": logout,
    }
    for name, act in acts.items():
        app.add_url_rule(f"/slow/{name}", f"slow {name}", slow(act))
        app.add_url_rule(f"/fast/{name}", f"fast {name}", lambda act=act: str(act()))


@pytest.fixture
def configure(app: Flask, store: FailingStore, clock: Clock, events: list[Event]) -> Callable[..., Overlap]:
    """Gives the visitor, who has a session with a basket in it."""

    def start(**options: Any) -> Overlap:
        Coatcheck(app, store=store, clock=clock, on_event=events.append, **options)
        visitor = Overlap(app)
        visitor.one.get("/keep/basket/full")
        events.clear()
        return visitor

    return start


@pytest.fixture
def visitor(configure: Callable[..., Overlap]) -> Overlap:
    return configure()


def content(client: FlaskClient) -> Any:
    return client.get("/read").json


@pytest.mark.parametrize(
    ("slow", "fast", "kept"),
    [
        ("/slow/read", "/fast/refill", {"basket": "half"}),
        ("/slow/read", "/fast/pop", {}),
        ("/slow/refill", "/fast/read", {"basket": "half"}),
        ("/slow/pop", "/fast/read", {}),
        ("/slow/pop", "/keep/basket/empty", {}),
        ("/slow/pop", "/fast/pop", {}),
        ("/slow/refill", "/fast/pop", {"basket": "half"}),
        ("/slow/refill", "/keep/basket/empty", {"basket": "half"}),
        ("/slow/keep", "/keep/step/two", {"basket": "full", "step": "one"}),
        ("/slow/keep", "/keep/user/eve", {"basket": "full", "step": "one", "user": "eve"}),
        ("/slow/pop", "/keep/user/eve", {"user": "eve"}),
        ("/slow/keep", "/fast/pop", {"step": "one"}),
        ("/slow/visit", "/fast/visit", {"basket": "full", "visits": 1}),
    ],
)
def test_the_changes_of_a_request_go_on_top_of_what_another_kept(
    visitor: Overlap, slow: str, fast: str, kept: dict[str, object]
) -> None:
    """Row by row as docs/how-it-merges.md has it."""
    assert "Set-Cookie" not in visitor.get(slow, fast).headers
    assert content(visitor.one) == kept


def test_a_merge_is_an_event(visitor: Overlap, events: list[Event]) -> None:
    visitor.get("/slow/keep", "/keep/user/eve")
    assert [event.kind for event in events] == ["changed", "merged"]


@pytest.mark.parametrize("said", ["keyword", "configuration"])
def test_a_rule_of_the_application_merges_what_both_changed(
    app: Flask, configure: Callable[..., Overlap], said: str
) -> None:
    rules = {
        "visits": lambda before, mine, other: other + mine - (before or 0),
        "cart": lambda before, mine, other: other + mine[len(before or []) :],
    }
    app.config["SESSION_MERGE"] = rules if said == "configuration" else None
    visitor = configure(**({"merge": rules} if said == "keyword" else {}))
    for _ in range(3):
        visitor.get("/slow/visit", "/fast/visit", "/fast/visit")
        visitor.get("/slow/buy", "/fast/buy")
    assert content(visitor.one) == {"basket": "full", "visits": 9, "cart": ["pear"] * 6}


def test_a_rule_may_be_added_to_the_configuration_later(app: Flask, configure: Callable[..., Overlap]) -> None:
    app.config["SESSION_MERGE"] = {}
    visitor = configure()
    app.config["SESSION_MERGE"]["visits"] = lambda before, mine, other: other + mine - (before or 0)
    visitor.get("/slow/visit", "/fast/visit")
    assert content(visitor.one) == {"basket": "full", "visits": 2}


def test_a_rule_that_raises_is_an_error_of_the_request_and_nothing_is_kept(configure: Callable[..., Overlap]) -> None:
    visitor = configure(merge={"visits": lambda before, mine, other: before + mine + other})
    assert visitor.get("/slow/visit", "/fast/visit").status_code == 500
    assert content(visitor.one) == {"basket": "full", "visits": 1}


@pytest.mark.parametrize("slow", ["read", "keep", "visit", "pop"])
@pytest.mark.parametrize("logout", ["/fast/logout", "/clear"])
def test_a_logout_stays_a_logout_whatever_another_request_does(
    visitor: Overlap, events: list[Event], slow: str, logout: str
) -> None:
    response = visitor.get(f"/slow/{slow}", logout)
    assert response.status_code == 200 and "Set-Cookie" not in response.headers
    assert content(visitor.one) == {} == content(visitor.other)
    dropped = [(event.kind, event.reason) for event in events if event.kind == "dropped"]
    assert dropped == ([] if slow == "read" else [("dropped", "ended")])


def test_a_change_is_kept_though_a_login_gives_the_session_another_id(visitor: Overlap) -> None:
    response = visitor.get("/slow/keep", "/fast/login")
    assert "Set-Cookie" not in response.headers
    assert content(visitor.other) == {"basket": "full", "step": "one", "user": "ada"}


def test_a_login_takes_along_what_another_request_kept_meanwhile(visitor: Overlap) -> None:
    visitor.get("/slow/login", "/keep/step/two")
    assert content(visitor.one) == {"basket": "full", "step": "two", "user": "ada"}


def test_a_login_and_a_logout_at_once_are_a_logout(visitor: Overlap) -> None:
    visitor.get("/slow/login", "/fast/logout")
    assert content(visitor.one) == {} == content(visitor.other)


def test_a_slow_logout_ends_what_a_login_made_meanwhile(visitor: Overlap) -> None:
    visitor.get("/slow/logout", "/fast/login")
    assert content(visitor.one) == {} == content(visitor.other)


def test_a_refresh_revives_nothing(visitor: Overlap, clock: Clock) -> None:
    clock.advance(7200)
    visitor.get("/slow/read", "/fast/logout")
    assert content(visitor.one) == {} == content(visitor.other)


def test_a_conflict_whose_second_try_fails_is_a_503_and_overwrites_nothing(
    visitor: Overlap, store: FailingStore
) -> None:
    original = store.replace

    def replace(*arguments: Any) -> bool:
        if store.calls.count("replace") == 1:
            store.down = True
        return original(*arguments)

    store.calls.clear()
    store.replace = replace  # type: ignore[assignment,method-assign]
    assert visitor.get("/slow/keep", "/keep/user/eve").status_code == 503
    store.down = False
    assert content(visitor.one) == {"basket": "full", "user": "eve"}


def test_eight_threads_lose_nothing(app: Flask, browse: Browse) -> None:
    barrier = Barrier(MANY)
    Coatcheck(app, store="memory:", merge={"visits": lambda before, mine, other: other + mine - (before or 0)})

    @app.get("/together/<number>")
    def together(number: str) -> str:
        session[number] = "kept"
        session["visits"] = session.get("visits", 0) + 1
        barrier.wait(30)
        return ""

    jar = CookieJar()
    get = browse(app, jar)
    get("/keep/user/ada")
    with ThreadPoolExecutor(MANY) as threads:
        list(threads.map(lambda number: browse(app, jar)(f"/together/{number}"), range(MANY)))
    with app.test_client() as client:
        (cookie,) = jar
        client.set_cookie("session", str(cookie.value))
        expected = {str(number): "kept" for number in range(MANY)} | {"user": "ada", "visits": MANY}
        assert content(client) == expected
