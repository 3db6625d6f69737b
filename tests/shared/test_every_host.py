"""One session is the same on every host: each reads what another wrote, and an end on one is an end on all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hosts.conftest import hosts
from hosts.host import Browser, Host, View
from kit import OTHER_SECRET, SECRET

from coatcheck import Session
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

KINDS = hosts()
NAMES = [kind.name for kind in KINDS]
VALUES: dict[str, Any] = {
    "text": "xiaoming \u5c0f\u660e",
    "number": -(2**63),
    "fraction": 0.1,
    "bytes": b"\x00\xff",
    "nothing": None,
    "tuple": (1, (2,)),
    "set": {1, 2},
    "frozen": frozenset({"a"}),
    "price": Decimal("19.90"),
    "at": datetime(2030, 1, 2, 3, 4, 5, 6, UTC),
    "naive": datetime(2030, 1, 2),
    "day": date(2030, 1, 2),
    "span": timedelta(days=-1, microseconds=1),
    "id": UUID(int=7),
    "cart": {"items": [{"sku": "A-100"}], 7: "a key that is a number"},
}


class Group:
    """All hosts under the same options, serving the same pages."""

    def __init__(self, stack: ExitStack, **options: Any) -> None:
        self._stack = stack
        self._options = options
        self._built: dict[type[Host], Host] = {}
        self.views: dict[str, View] = {}

    @contextmanager
    def host(self, kind: type[Host]) -> Iterator[Host]:
        """Gives one of them."""
        if kind.name.startswith("Django"):
            # Its settings are those of the process, and the others of its kind want them too.
            with kind(self.views, **self._options) as host:
                yield host
            return
        if kind not in self._built:
            self._built[kind] = self._stack.enter_context(kind(self.views, **self._options))
        yield self._built[kind]

    def get(self, browser: Browser, kind: type[Host], path: str) -> str:
        """Makes a request to one of the hosts. Gives the text of the page."""
        with self.host(kind) as browser.host:
            answer = browser.get(path)
        assert answer.status == 200
        return answer.text

    def run(self, browser: Browser, kind: type[Host], view: View) -> str:
        """As `get`, for a page that does this."""
        self.views["page"] = view
        return self.get(browser, kind, "/page")


class Visitor(Browser):
    """A browser that visits one host after the other."""

    def __init__(self, cookies: Mapping[str, str] | None = None) -> None:
        self.https = True
        self.cookies = dict(cookies or {})


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module", params=["cookie", "store"])
def storage(request: pytest.FixtureRequest, clock: Clock) -> Mapping[str, Any]:
    return {} if request.param == "cookie" else {"store": MemoryStore(clock=clock)}


@pytest.fixture(scope="module")
def group(storage: Mapping[str, Any], clock: Clock) -> Iterator[Group]:
    with ExitStack() as stack:
        yield Group(stack, secret_key=SECRET, clock=clock, **storage)


@pytest.fixture
def browser() -> Visitor:
    return Visitor()


@pytest.fixture(params=KINDS, ids=NAMES)
def one(request: pytest.FixtureRequest) -> type[Host]:
    kind: type[Host] = request.param
    return kind


other = one


def put(**items: Any) -> View:
    return lambda session: session.update(items)


def look(session: Session) -> str:
    return repr(sorted(session.items()))


def test_there_are_hosts_of_both_kinds() -> None:
    assert len(KINDS) > 10
    assert {kind.is_async for kind in KINDS} == {True, False}


def test_a_session_walks_through_all_hosts(group: Group, browser: Visitor) -> None:
    def sign(name: str) -> View:
        def view(session: Session) -> str:
            session.setdefault("been", []).append(name)
            return repr(session["been"])

        return view

    been: list[str] = []
    # There and back, so that each comes after two others.
    for kind in [*KINDS, *reversed(KINDS)]:
        been.append(kind.name)
        assert group.run(browser, kind, sign(kind.name)) == repr(been)
        assert len(browser.cookies) == 1


def test_a_session_gets_a_new_id_on_each_host_and_keeps_its_content(group: Group, browser: Visitor) -> None:
    group.run(browser, KINDS[-1], put(user="ann"))
    handles = []
    for kind in KINDS:
        group.run(browser, kind, Session.regenerate)
        handles.append(group.run(browser, kind, lambda session: session.handle))
        assert group.run(browser, kind, look) == "[('user', 'ann')]"
    assert len(set(handles)) == len(KINDS)


@pytest.mark.parametrize("first", KINDS, ids=NAMES)
def test_each_host_reads_and_changes_what_any_other_wrote(
    group: Group, browser: Visitor, first: type[Host], other: type[Host]
) -> None:
    def compare(session: Session) -> str:
        assert dict(session) == VALUES
        assert [type(value) for value in session.values()] == [type(value) for value in VALUES.values()]
        session["cart"]["items"].append(other.name)
        session["price"] += 1
        return str(session.new)

    group.run(browser, first, put(**VALUES))
    sent = dict(browser.cookies)
    group.run(browser, other, len)
    # What only looks leaves the cookie as it is: the settings are the same.
    assert browser.cookies == sent
    assert group.run(browser, other, compare) == "False"
    assert group.run(browser, first, lambda session: (session["cart"]["items"][1:], session["price"])) == str(
        ([other.name], Decimal("20.90"))
    )


@pytest.mark.parametrize("first", KINDS, ids=NAMES)
def test_somebody_who_signs_out_on_one_host_is_signed_out_on_all(
    group: Group, browser: Visitor, storage: Mapping[str, Any], first: type[Host], other: type[Host]
) -> None:
    group.run(browser, first, put(user="ann"))
    copied = dict(browser.cookies)
    group.run(browser, other, Session.destroy)
    assert browser.cookies == {}
    assert group.run(browser, first, look) == "[]"
    if storage:
        # On the server it is gone, whoever has a copy of the cookie.
        browser.cookies = copied
        for kind in KINDS:
            assert group.run(browser, kind, look) == "[]"


def test_an_old_id_is_dead_on_every_host_when_one_has_given_a_new_one(
    group: Group, browser: Visitor, storage: Mapping[str, Any], clock: Clock, one: type[Host]
) -> None:
    group.run(browser, KINDS[0], put(user="ann"))
    copied = dict(browser.cookies)
    group.run(browser, one, Session.regenerate)
    renewed = dict(browser.cookies)
    clock.now += 60
    for kind in KINDS:
        browser.cookies = dict(renewed)
        assert group.run(browser, kind, look) == "[('user', 'ann')]"
    for kind in KINDS:
        browser.cookies = dict(copied)
        # A sealed cookie that was copied is good until it expires.
        assert group.run(browser, kind, look) == ("[]" if storage else "[('user', 'ann')]")


@pytest.mark.parametrize("waits", [True, False], ids=["it waits for the other", "the other waits for it"])
def test_two_requests_at_the_same_time_on_two_hosts_lose_nothing(clock: Clock, one: type[Host], waits: bool) -> None:
    partner = next(kind for kind in KINDS if kind.name in ("Flask", "Starlette") and kind is not one)
    slow, quick = (one, partner) if waits else (partner, one)
    with ExitStack() as stack, ThreadPoolExecutor(1) as thread:
        group = Group(stack, secret_key=SECRET, clock=clock, store=MemoryStore(clock=clock))
        browser = Visitor()
        group.run(browser, slow, put(user="ann"))
        meanwhile = Visitor(browser.cookies)
        group.views["quick"] = put(quick=1)

        def view(session: Session) -> None:
            session["slow"] = 1
            thread.submit(group.get, meanwhile, quick, "/quick").result(30)

        group.run(browser, slow, view)
        assert group.run(browser, partner, look) == "[('quick', 1), ('slow', 1), ('user', 'ann')]"


@pytest.mark.parametrize(
    "unequal",
    [{"secret_key": OTHER_SECRET}, {"audience": "shop"}, {"cookie_name": "sid"}, {"store": MemoryStore()}],
    ids=["secret key", "audience", "cookie name", "store"],
)
def test_a_host_that_is_set_otherwise_has_another_session_and_leaves_this_cookie_alone(
    clock: Clock, unequal: Mapping[str, Any], one: type[Host]
) -> None:
    common = {"secret_key": SECRET, "clock": clock, "store": MemoryStore(clock=clock)}
    with ExitStack() as stack:
        group, stranger = Group(stack, **common), Group(stack, **{**common, **unequal})
        browser = Visitor()
        group.run(browser, one, put(user="ann"))
        sent = dict(browser.cookies)
        assert stranger.run(browser, one, look) == "[]"
        assert browser.cookies == sent
        assert group.run(browser, one, look) == "[('user', 'ann')]"


def test_a_new_secret_key_reaches_one_host_after_the_other(clock: Clock, one: type[Host]) -> None:
    with ExitStack() as stack:
        before = Group(stack, secret_key=SECRET, clock=clock)
        ready = Group(stack, secret_key=SECRET, secret_key_fallbacks=[OTHER_SECRET], clock=clock)
        after = Group(stack, secret_key=OTHER_SECRET, secret_key_fallbacks=[SECRET], clock=clock)
        browser = Visitor()
        before.run(browser, one, put(user="ann"))
        assert after.run(browser, one, look) == "[('user', 'ann')]"
        assert ready.run(browser, one, look) == "[('user', 'ann')]"


def test_each_host_holds_a_session_to_its_own_lifetime(clock: Clock, one: type[Host]) -> None:
    store = MemoryStore(clock=clock)
    with ExitStack() as stack:
        long = Group(stack, secret_key=SECRET, clock=clock, store=store, permanent_lifetime=7200)
        short = Group(stack, secret_key=SECRET, clock=clock, store=store, permanent_lifetime=600)
        browser = Visitor()
        long.run(browser, one, put(user="ann"))
        clock.now += 1200
        assert short.run(browser, one, look) == "[]"
        assert long.run(browser, one, look) == "[('user', 'ann')]"
