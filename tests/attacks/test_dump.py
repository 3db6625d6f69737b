"""D7: whoever has stolen all that a store holds, and perhaps the secret key too, has no session and no content."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex

import pytest
from kit import NOON, OTHER_SECRET, SECRET, Browser, Site, put

from coatcheck import Keyring
from coatcheck.core.events import Rejected
from coatcheck.core.opaque import OPAQUE, Entry, RecordSealer, make_id, read_token, write_token
from coatcheck.core.text import encode
from coatcheck.stores import Store
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.testing import Clock

# What is looked for in a dump: shorter pieces may be there by chance.
PIECE = 6


class Loot:
    """A store after many sessions, what the visitors had, and what somebody took of it."""

    def __init__(self, store: Store, dump: Callable[[], bytes]) -> None:
        self.site = Site(store=store)
        self.content = [token_hex(8) for _ in range(40)]
        self.tokens: list[str] = []
        for number, content in enumerate(self.content):
            browser = Browser(self.site)
            browser.visit(put(user=content, visits=number))
            for view in (put(cart=[content]), lambda session: session.regenerate(), put(seen=True))[: number % 4]:
                self.tokens.append(browser.cookies["session"])
                browser.visit(view)
            self.tokens.append(browser.cookies["session"])
        self.tokens = list(dict.fromkeys(self.tokens))
        self.dump = dump()

    @property
    def secrets(self) -> list[bytes]:
        return [read_token(token) for token in self.tokens]


def of_memory(_: Path) -> Iterator[Loot]:
    store = MemoryStore(clock=Clock(NOON))
    yield Loot(store, lambda: b"".join(key + record.content + record.owner for key, record in store._records.items()))  # noqa: SLF001


def of_sqlite(folder: Path) -> Iterator[Loot]:
    path = folder / "sessions.db"
    store = SQLiteStore(path, clock=Clock(NOON))
    try:
        yield Loot(store, lambda: b"".join(file.read_bytes() for file in sorted(folder.iterdir())))
    finally:
        store.close()


@pytest.fixture(params=[of_memory, of_sqlite], ids=["memory", "sqlite"])
def loot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Loot]:
    yield from request.param(tmp_path)


def pieces(text: bytes) -> set[bytes]:
    return {text[at : at + PIECE] for at in range(len(text) - PIECE + 1)}


def windows(dump: bytes, size: int) -> set[bytes]:
    return {dump[at : at + size] for at in range(len(dump) - size + 1)}


def test_a_dump_holds_what_it_is_searched_for() -> None:
    """Had the sessions been kept in clear, the search below would find them."""
    content = token_hex(8).encode()
    assert pieces(content) <= windows(b"xx" + content + b"xx", PIECE)


def test_a_dump_holds_no_content_and_no_token(loot: Loot) -> None:
    there = windows(loot.dump, PIECE)
    assert len(loot.dump) > 3000
    hidden = [content.encode() for content in loot.content]
    hidden += [token.encode() for token in loot.tokens] + loot.secrets
    hidden += [secret.hex().encode() for secret in loot.secrets]
    hidden += [SECRET.encode(), bytes.fromhex(SECRET), b"visits", b"_permanent"]
    assert not [text for text in hidden if pieces(text) & there]


def test_nothing_in_a_dump_is_a_cookie(loot: Loot) -> None:
    """Neither the keys, nor 32 bytes from anywhere, nor a whole record."""
    keys = {make_id("session", secret).key for secret in loot.secrets}
    found = windows(loot.dump, 32)
    assert keys & found
    assert not found & set(loot.secrets)
    for key in keys:
        for value in (write_token(key), encode(key), key.hex(), encode(bytes([OPAQUE]) + key[::-1])):
            assert dict(loot.site.open(f"session={value}")) == {}
    for start in range(0, len(loot.dump) - 120, 97):
        assert dict(loot.site.open(f"session={encode(loot.dump[start : start + 120])}")) == {}


def opens(sealer: RecordSealer, name: str, secret: bytes, content: bytes) -> Entry | None:
    try:
        return sealer.open(make_id(name, secret), content, 0)[0]
    except Rejected:
        return None


class Stolen:
    """A few records as a thief has them, beside what only the visitors have."""

    def __init__(self) -> None:
        store = MemoryStore(clock=Clock(NOON))
        self.loot = Loot(store, lambda: b"")
        self.records = {key: record.content for key, record in store._records.items()}  # noqa: SLF001
        self.sealer = RecordSealer(Keyring(SECRET), "", ("session",), os.urandom)


@pytest.fixture
def stolen() -> Stolen:
    return Stolen()


def test_the_secret_key_the_id_and_the_record_together_open_it(stolen: Stolen) -> None:
    """So that what follows shows what is missing, and no mistake of the thief's."""
    for secret in stolen.loot.secrets:
        content = stolen.records[make_id("session", secret).key]
        assert opens(stolen.sealer, "session", secret, content) is not None


def test_a_stolen_secret_key_and_a_dump_open_nothing(stolen: Stolen) -> None:
    """Of the id, the dump has the hash; whatever else is there does not serve in its place."""
    guesses = [*stolen.records, bytes(32), SECRET.encode()[:32], bytes.fromhex(SECRET)]
    for key, content in stolen.records.items():
        for guess in (*guesses[:10], *guesses[-3:], key, key[::-1], content[-32:]):
            id_ = make_id("session", guess)._replace(key=key)
            with pytest.raises(Rejected, match="^forged$"):
                stolen.sealer.open(id_, content, 0)


def test_stolen_ids_and_a_dump_open_nothing_without_the_secret_key(stolen: Stolen) -> None:
    other = RecordSealer(Keyring(OTHER_SECRET), "", ("session",), os.urandom)
    for secret in stolen.loot.secrets:
        content = stolen.records[make_id("session", secret).key]
        forged = content[:1] + Keyring(OTHER_SECRET).primary.id + content[5:]
        assert opens(other, "session", secret, content) is opens(other, "session", secret, forged) is None


def test_a_stolen_secret_key_and_an_id_show_nothing_without_the_record(stolen: Stolen) -> None:
    """With both, a thief comes as the visitor: to the site, for as long as the session lives there."""
    for token in stolen.loot.tokens:
        assert dict(Site(store=MemoryStore(clock=Clock(NOON))).open(f"session={token}")) == {}


def test_a_record_that_was_moved_to_another_key_opens_for_nobody(stolen: Stolen) -> None:
    secrets = stolen.loot.secrets
    for victim, thief in zip(secrets, [*secrets[1:], secrets[0]], strict=True):
        content = stolen.records[make_id("session", victim).key]
        for id_ in (make_id("session", thief), make_id("session", victim)._replace(key=make_id("session", thief).key)):
            with pytest.raises(Rejected, match="^forged$"):
                stolen.sealer.open(id_, content, 0)


def test_equal_sessions_have_nothing_in_common_in_a_dump() -> None:
    store = MemoryStore(clock=Clock(NOON))
    site = Site(store=store)
    for _ in range(50):
        Browser(site).visit(put(user="the same", cart=["the same"] * 20))
    contents = [record.content[5:] for record in store._records.values()]  # noqa: SLF001
    blocks = [content[at : at + 8] for content in contents for at in range(len(content) - 8)]
    assert len(set(blocks)) == len(blocks)
