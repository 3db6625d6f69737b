"""D7 for those who sign in: what a store holds of a user tells nothing, and a new key opens it as the old one did."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kit import NOON, OTHER_SECRET, SECRET, name_and_value
from servers.redis import RedisServer

from coatcheck import Session
from coatcheck.bell import LocalBell
from coatcheck.request_session import RequestSession
from coatcheck.sessions import Sessions
from coatcheck.stores import Store
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.redis import RedisStore
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.stores.url import StoreURL
from coatcheck.testing import Clock

USER = "ann.of.green.gables@example.org"
IP = "2001:db8:5ca1:ab1e::77"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
# Shorter pieces may be there by chance: of a random text, six characters are there once in some ten thousand runs.
PIECE, RANDOM_PIECE = 6, 8
MODES = ("list", "store", "hybrid")


class Visit(RequestSession):
    """The session of one request, from a known place."""

    def _client(self) -> tuple[str, str]:
        return IP, AGENT


class Worker:
    """A process with a key ring of its own, beside others with the same store."""

    def __init__(self, mode: str, store: Store, *keys: str, clock: Clock, **options: Any) -> None:
        place = {"revocations": store} if mode == "list" else {"store": store}
        given = {"secret_key": keys[0], "secret_key_fallbacks": keys[1:], "clock": clock, "revocation_delay": 0}
        if mode == "hybrid":
            given["mode"] = mode
        self.sessions = Sessions({**given, **place, **options}, bell=LocalBell())

    def visit(self, cookie: str = "", job: Callable[[Session], object] = lambda _: None) -> tuple[Any, str]:
        """Gives who is signed in after a request, and the cookie that the browser has then."""
        session = Visit(self.sessions, cookie)
        job(session)
        user = session.user_id
        for line in self.sessions.commit(session, https=True).cookies:
            name, value = name_and_value(line)
            cookie = f"{name}={value}" if value else ""
        return user, cookie

    def login(self, user: str = USER, cookie: str = "") -> str:
        return self.visit(cookie, lambda session: session.login(user))[1]

    def user(self, cookie: str) -> Any:
        return self.visit(cookie)[0]


class Place(NamedTuple):
    """A store, and what whoever has stolen it has."""

    store: Store
    dump: Callable[[], bytes]


def _memory(clock: Clock) -> Place:
    store = MemoryStore(clock=clock)
    return Place(store, lambda: b"".join(key + each.content + each.owner for key, each in store._records.items()))  # noqa: SLF001  # all there is


def _sqlite(clock: Clock, folder: Path) -> Place:
    store = SQLiteStore(folder / "sessions.db", clock=clock)
    return Place(store, lambda: b"".join(file.read_bytes() for file in sorted(folder.iterdir())))


def _redis(clock: Clock, server: RedisServer) -> Place:
    def dump() -> bytes:
        with server.administer() as client:
            return b"".join(key + (client.dump(key) or b"") for key in client.scan_iter())

    with server.administer() as client:
        client.flushall()
    return Place(RedisStore.from_url(StoreURL.parse(server.url()), clock=clock), dump)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture(params=["memory", "sqlite", "redis"])
def place(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> Iterator[Place]:
    if request.param == "memory":
        yield _memory(clock)
        return
    if request.param == "sqlite":
        made = _sqlite(clock, tmp_path)
        with closing(made.store):  # type: ignore[type-var]  # it has it
            yield made
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    made = _redis(clock, server)
    with closing(made.store):  # type: ignore[type-var]  # it has it
        yield made
    # By this clock, everyone's sessions end years ahead: those of other tests, by the real one, are before that.
    with server.administer() as client:
        client.flushall()


def pieces(text: bytes, length: int = PIECE) -> set[bytes]:
    return {text[at : at + length] for at in range(len(text) - length + 1)}


def spellings(text: str, piece: int) -> Iterator[tuple[bytes, int]]:
    """The usual ways of writing a text, each with the length of what is not there by chance."""
    yield text.encode(), piece
    yield b64encode(text.encode()), piece
    # Six digits are in every dump that has instants; and a byte is two of them.
    yield text.encode().hex().encode(), 2 * piece


def found(text: str, dump: bytes, piece: int = PIECE) -> bool:
    return any(pieces(spelt, length) & pieces(dump, length) for spelt, length in spellings(text, piece))


@pytest.mark.parametrize("mode", MODES)
def test_a_dump_names_no_user_no_address_and_no_browser(mode: str, place: Place, clock: Clock) -> None:
    """Not in clear and not in the usual ways of writing it; nor is any cookie there."""
    worker = Worker(mode, place.store, SECRET, clock=clock)
    tokens = [worker.login().partition("=")[2] for _ in range(5)]
    worker.sessions.revoke(worker.sessions.sessions_of(USER)[0].handle, user_id=USER)
    worker.login("somebody@else.example")
    worker.sessions.revoke_user("somebody@else.example")
    dump = place.dump()
    assert len(dump) > 500
    for text in (USER, USER.upper(), USER[::-1], IP, AGENT, "somebody@else.example", "Firefox"):
        assert not found(text, dump), text
    for token in tokens:
        assert not found(token, dump, RANDOM_PIECE), token


@pytest.mark.parametrize("spelt", [USER.encode(), USER.encode().hex().encode(), b64encode(USER.encode())])
def test_the_search_finds_what_is_there(spelt: bytes) -> None:
    assert found(USER, b"xx" + spelt[3:-3] + b"xx")


def test_the_search_is_not_misled_by_instants() -> None:
    """Those of the store are decimal digits, as most of what a token is in hexadecimal ones."""
    assert not found("Asyb1CCRhrABWzZU2qWSIanS26_tt7a80Xdq3r5Yzovl", b"1764058647000000")


@pytest.mark.parametrize("mode", MODES)
def test_equal_users_of_two_audiences_have_nothing_in_common(mode: str, clock: Clock) -> None:
    place = _memory(clock)
    for audience in ("shop", "forum"):
        Worker(mode, place.store, SECRET, clock=clock, audience=audience).login()
    assert Worker(mode, place.store, SECRET, clock=clock, audience="shop").sessions.revoke_user(USER) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_new_key_lists_and_ends_what_the_old_one_began(mode: str, place: Place, clock: Clock) -> None:
    old = Worker(mode, place.store, SECRET, clock=clock)
    before = [old.login(), old.login()]
    clock.advance(5)
    new = Worker(mode, place.store, OTHER_SECRET, SECRET, clock=clock)
    assert len(new.sessions.sessions_of(USER)) == 2
    after = new.login()
    infos = new.sessions.sessions_of(USER)
    assert len(infos) == 3
    assert {(info.ip, info.user_agent) for info in infos} == {(IP, AGENT)}
    oldest = {info.authenticated_at: info.handle for info in infos if info.authenticated_at.timestamp() == NOON}
    assert new.sessions.revoke(oldest.popitem()[1], user_id=USER)
    assert sorted(map(str, map(new.user, before))) == ["None", USER]
    assert new.sessions.revoke_user(USER) == 2
    assert [new.user(cookie) for cookie in (*before, after)] == [None] * 3
    assert new.sessions.sessions_of(USER) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("end", ["revoke_user", "revoke_everyone"])
def test_what_a_worker_with_the_old_ring_ends_is_ended_for_all(mode: str, end: str, place: Place, clock: Clock) -> None:
    """As while the workers of a site are restarted one by one: some have the new key as the first, some as another."""
    old = Worker(mode, place.store, SECRET, OTHER_SECRET, clock=clock)
    new = Worker(mode, place.store, OTHER_SECRET, SECRET, clock=clock)
    resealed = old.login()
    clock.advance(3600)
    user, resealed = new.visit(resealed, lambda session: session.update(seen=1))
    cookies = [resealed, new.login(), old.login()]
    assert (user, [new.user(each) for each in cookies], len(new.sessions.sessions_of(USER))) == (USER, [USER] * 3, 3)
    getattr(old.sessions, end)(*([USER] if end == "revoke_user" else []))
    assert [worker.user(each) for worker in (old, new) for each in cookies] == [None] * 6
    assert new.sessions.sessions_of(USER) == []
    assert new.user(new.login()) == USER


@pytest.mark.parametrize("mode", MODES)
def test_a_worker_that_lacks_the_new_key_ends_its_sessions_all_the_same(mode: str, clock: Clock) -> None:
    place = _memory(clock)
    old = Worker(mode, place.store, SECRET, clock=clock)
    new = Worker(mode, place.store, OTHER_SECRET, SECRET, clock=clock)
    cookies = [old.login(), new.login()]
    old.sessions.revoke_user(USER)
    assert [new.user(cookie) for cookie in cookies] == [None, None]


@pytest.mark.parametrize("mode", MODES)
def test_without_the_old_key_nothing_of_it_is_known_and_all_works(mode: str, clock: Clock) -> None:
    place = _memory(clock)
    old = Worker(mode, place.store, SECRET, clock=clock).login()
    new = Worker(mode, place.store, OTHER_SECRET, clock=clock)
    assert (new.user(old), new.sessions.sessions_of(USER)) == (None, [])
    cookie = new.login()
    assert [info.ip for info in new.sessions.sessions_of(USER)] == [IP]
    assert (new.sessions.revoke_user(USER), new.user(cookie)) == (1, None)
