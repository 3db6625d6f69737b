"""What the page of the format says of sign-in and of what has been ended, computed from the page alone."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from struct import pack

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from coatcheck import Keyring
from coatcheck.core.endings import EVERYONE, USER, Ending
from coatcheck.core.facts import Facts
from coatcheck.core.owners import Owners
from coatcheck.core.revocations import Revocations
from coatcheck.core.roster import Rosters, Signed
from coatcheck.core.token import TokenSealer
from coatcheck.drive import run
from coatcheck.stores.memory import MemoryStore

PAGE = (Path(__file__).parents[2] / "docs/format.md").read_text()
FIRST, LAST = PAGE.index("\n## Vectors"), PAGE.rindex("### Vectors")
NOON = 1_700_000_000
FAMILY = bytes.fromhex("4d0b8c1f63a2e95570d8b41c92f7360e")


def shown(label: str, number: int = 0, *, start: int = LAST) -> str:
    """Gives what a row of a table of vectors has."""
    found = re.search(rf"^\| {re.escape(label)}[^|]*\| ([^|]+) \|$", PAGE[start:], re.MULTILINE)
    assert found, label
    value: str = re.findall(r"`([^`]+)`", found[1])[number]
    return value


def octets(label: str, number: int = 0, *, start: int = LAST) -> bytes:
    return bytes.fromhex(shown(label, number, start=start))


SECRET = octets("secret, hex", start=FIRST)


def derive(*parts: str) -> bytes:
    """The keys, as the page says it of them."""
    info = b"coatcheck v1" + b"".join(len(part).to_bytes(2, "big") + part.encode() for part in parts)
    return HKDF(SHA256(), 32, None, info).derive(SECRET)


def facts() -> Facts:
    return Facts(NOON * 1_000_000 - 999_999, FAMILY, NOON, NOON, NOON, 7)


@pytest.fixture
def random() -> Callable[[int], bytes]:
    """Gives the nonce of the page, from its beginning to its end."""
    nonce = octets("nonce", start=FIRST)
    left = bytearray(nonce)

    def draw(count: int) -> bytes:
        drawn = bytes(left[:count])
        del left[:count]
        return drawn

    return draw


def test_the_facts_stand_in_the_token_where_the_page_says() -> None:
    plaintext, packed = octets("plaintext, content"), octets("facts")
    assert packed == pack(">Q16s", NOON * 1_000_000 - 999_999, FAMILY) + NOON.to_bytes(8, "big") * 3 + b"i7"
    head = b"\x01" + NOON.to_bytes(5, "big") * 2 + octets("id", start=FIRST)
    assert plaintext == (head + len(packed).to_bytes(2, "big") + packed + b"\x80\x80").ljust(96, b"\x00")
    assert facts().to_bytes() == packed


def test_the_token_of_the_page_opens() -> None:
    record, current = TokenSealer(Keyring(SECRET), "", "session", bytes).open(shown("token"), NOON)
    assert current
    assert (record.facts, record.packed, record.created_at) == (facts(), b"\x80", NOON)


def test_what_stands_for_a_user_follows_from_the_secret() -> None:
    key = derive("owner", "", "")
    assert key == octets("owner key")
    owners = Owners(Keyring(SECRET), "")
    user, everyone = (hmac.digest(key, text, "sha256")[:16] for text in (b"user 7", b"everyone"))
    assert (user, everyone) == (octets("user, everyone", 0), octets("user, everyone", 1))
    assert (owners.find(7).subjects, owners.everyone) == ((user,), (everyone,))
    record = hmac.digest(key, b"roster 7", "sha256")
    assert owners.find("7").keys == (record,) == (octets("key of the user's record"),)


def test_the_list_is_written_where_and_as_the_page_says() -> None:
    name = b"coatcheck revocations\x00\x00"
    key, head = sha256(name + bytes(8)).digest(), sha256(name + b"head").digest()
    assert (key, head) == (octets("key of segment 0"), octets("key of the head"))
    owners, store = Owners(Keyring(SECRET), ""), MemoryStore(clock=lambda: NOON)
    revocations = Revocations(owners, "", delay=1)
    until = NOON + 31 * 86400 + 3600
    user = owners.find(7).subjects[0]
    run(revocations.append([Ending(USER, user, until, FAMILY)], NOON + 1), (None, None, store))
    kept = store.read(key)
    assert kept is not None
    entry = pack(">B16sQQ16s", 4, user, (NOON + 1) * 1_000_000, until, FAMILY)
    assert kept.content == b"\x01" + entry == octets("segment 0")
    assert kept.expires_at == until
    run(revocations.append([Ending(EVERYONE, owners.everyone[0], until)], NOON), (None, None, store))
    after = store.read(key)
    assert after is not None
    # The clock has gone back, and the instant has not.
    second = pack(">B16sQQ16s", 5, owners.everyone[0], (NOON + 1) * 1_000_000 + 1, until, bytes(16))
    assert after.content == kept.content + second


def test_the_sessions_of_a_user_are_sealed_as_the_page_says(random: Callable[[int], bytes]) -> None:
    assert derive("roster", "", "") == octets("what it is sealed under")
    keyring, store = Keyring(SECRET), MemoryStore(clock=lambda: NOON)
    rosters = Rosters(keyring, Owners(keyring, ""), "", random)
    session_id = octets("id", start=FIRST)
    row = Signed(session_id, FAMILY, facts().seen, NOON, NOON, NOON, NOON + 31 * 86400, "192.0.2.7", "Firefox")
    run(rosters.edit(7, lambda rows: rows.update({FAMILY: row}), NOON), (None, None, store))
    kept = store.read(octets("key of the user's record"))
    assert kept is not None
    assert kept.content == octets("its content")
    assert run(rosters.read(7, NOON), (None, None, store)) == {FAMILY: row}
    plaintext = octets("its plaintext")
    assert plaintext[:32] == octets("key of the user's record")
    assert plaintext[32:34] == b"\x91\x99"
    assert session_id in plaintext
    assert b"\xa9192.0.2.7\xa7Firefox\x80" in plaintext
