"""Frozen bytes of what format v1 says of users: facts in tokens and records, the list, and a roster.

They open for ever, as the other vectors do. The titles say what is in them.
"""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from kit import OTHER_SECRET, SECRET, Script

from coatcheck import Keyring
from coatcheck.core.codec import unpack
from coatcheck.core.endings import ENDED, EVERYONE, REVOKED, ROTATED, USER
from coatcheck.core.events import Reason
from coatcheck.core.facts import Facts
from coatcheck.core.opaque import LIVE, REPLACED, Entry, RecordSealer, make_id
from coatcheck.core.owners import Owners
from coatcheck.core.record import Record, StoredRecord
from coatcheck.core.revocations import Revocations
from coatcheck.core.roster import Rosters, Signed
from coatcheck.core.token import TokenSealer
from coatcheck.drive import run
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

FILE: dict[str, Any] = json.loads(Path(__file__).with_name("format_v1_facts.json").read_text())
NOW = 1_700_000_000
FAMILY = bytes(range(16))
FACTS = Facts(NOW * 1_000_000 + 7, FAMILY, NOW + 1, NOW + 2, NOW + 3)
USERS: dict[str, Facts] = {
    "a guest": Facts(NOW * 1_000_000 + 7, FAMILY),
    "text": FACTS._replace(user_id="ada \u59d3"),
    "a number": FACTS._replace(user_id=-12345),
    "a UUID": FACTS._replace(user_id=UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")),
    "text, with a client": FACTS._replace(user_id="ada \u59d3", client=b"\xc1\x00\x00lient"),
}
CONTENT = {"cart": 1}
PACKED = b"\x81\xa4cart\x01"
ROW = Signed(bytes(range(32)), FAMILY, FACTS.seen, NOW, NOW + 1, NOW + 3, NOW + 9, "203.0.113.9", "Mozilla/5.0 (test)")
every_user = pytest.mark.parametrize("title", USERS)
rings = pytest.mark.parametrize("keys", [(SECRET,), (OTHER_SECRET, [SECRET])], ids=["primary", "fallback"])


def record(title: str) -> Record:
    return Record(bytes(range(16, 32)), NOW, NOW + 4, PACKED, USERS[title])


def entry(title: str, state: int) -> Entry:
    if state == REPLACED:
        return Entry(REPLACED, NOW, 0, PACKED, NOW + 10, bytes(range(32, 64)), USERS[title])
    return Entry(state, NOW, 5, PACKED, facts=USERS[title])


@every_user
def test_the_facts_have_exactly_these_bytes(title: str) -> None:
    packed = bytes.fromhex(FILE["facts"][title])
    assert USERS[title].to_bytes() == packed
    assert Facts.from_bytes(packed) == USERS[title]
    assert type(Facts.from_bytes(packed).user_id) is type(USERS[title].user_id)


@every_user
def test_a_record_with_facts_has_exactly_this_plaintext(title: str) -> None:
    plaintext = bytes.fromhex(FILE["plaintexts"][title])
    assert record(title).to_bytes() == plaintext
    assert Record.from_bytes(plaintext) == record(title)
    # By the description alone: shape, times, id, length of the facts, these, the content, padding.
    facts = bytes.fromhex(FILE["facts"][title])
    head = b"\x01" + (NOW + 4).to_bytes(5, "big") + NOW.to_bytes(5, "big") + bytes(range(16, 32))
    body = head + len(facts).to_bytes(2, "big") + facts + PACKED + b"\x80"
    assert plaintext == body + bytes(-len(body) % 32)


@every_user
@rings
def test_a_token_with_facts_opens_to_exactly_its_record(title: str, keys: Any) -> None:
    token = FILE["tokens"][title]
    assert TokenSealer(Keyring(*keys), "", "session", Script()).open(token, NOW)[0] == record(title)
    again = TokenSealer(Keyring(SECRET), "", "session", Script(bytes(range(64, 88))))
    assert again.seal(record(title), NOW) == token


@every_user
@rings
@pytest.mark.parametrize("state", [LIVE, REPLACED])
def test_a_record_on_the_server_with_facts_opens_to_exactly_its_entry(title: str, keys: Any, state: int) -> None:
    content = bytes.fromhex(FILE["records"][f"{title}, state {state}"])
    id_ = make_id("session", bytes(range(100, 132)))
    assert RecordSealer(Keyring(*keys), "", ["session"], Script()).open(id_, content, NOW)[0] == entry(title, state)
    again = RecordSealer(Keyring(SECRET), "", ["session"], Script(bytes(range(88, 100))))
    assert again.seal(id_, entry(title, state)) == content


# The list


def the_list(*keys: Any) -> tuple[Revocations, MemoryStore]:
    """Gives the list as a process has it that finds the frozen one in its store."""
    store = MemoryStore(clock=Clock(NOW))
    for name in ("head", "segment"):
        key, content = (bytes.fromhex(FILE["list"][f"{name}{part}"]) for part in (" key", ""))
        store.insert(key, StoredRecord(content, NOW, NOW + 10**6))
    revocations = Revocations(Owners(Keyring(*keys), "admin"), "admin", delay=1)
    run(revocations.catch_up(NOW), (None, None, store))
    return revocations, store


def entries() -> list[tuple[int, bytes, int, int, bytes]]:
    """Gives what the segment says, put together from the description alone."""
    key = Keyring(SECRET).primary.derive("owner", "admin", "")
    at = NOW * 1_000_000
    return [
        (ENDED, b"e" * 16, at, NOW + 100, bytes(16)),
        (REVOKED, b"r" * 16, at + 1, NOW + 100, bytes(16)),
        (ROTATED, b"o" * 16, at + 2, NOW + 100, bytes(16)),
        (USER, hmac.digest(key, b"user ada", "sha256")[:16], at + 3, NOW + 100, FAMILY),
        (EVERYONE, hmac.digest(key, b"everyone", "sha256")[:16], at - 10, NOW + 100, bytes(16)),
    ]


def test_the_list_stands_where_everybody_can_compute_it() -> None:
    name = b"coatcheck revocations" + b"\x00\x05admin"
    assert FILE["list"]["head key"] == sha256(name + b"head").hexdigest()
    assert FILE["list"]["segment key"] == sha256(name + bytes(8)).hexdigest()
    assert FILE["list"]["head"] == "01" + "00" * 16


def test_a_segment_is_the_row_of_its_entries() -> None:
    body = b"".join(
        bytes([kind]) + subject + instant.to_bytes(8, "big") + until.to_bytes(8, "big") + kept
        for kind, subject, instant, until, kept in entries()
    )
    assert FILE["list"]["segment"] == "01" + body.hex()


@rings
def test_each_entry_says_what_it_said(keys: Any) -> None:
    revocations, _ = the_list(*keys)
    assert len(revocations) == 5
    assert revocations.latest == NOW * 1_000_000 + 3

    def judge(family: bytes, seen: int, now: int = NOW, user_id: str | None = None) -> Reason | None:
        facts = Facts(NOW * 1_000_000 + seen, family, user_id=user_id)
        return revocations.judge(Record(family, NOW, NOW, PACKED, facts), facts, now)

    assert judge(b"e" * 16, 5) is Reason.ENDED
    assert judge(b"r" * 16, 5) is Reason.REVOKED
    assert (judge(b"o" * 16, 5, NOW + 10), judge(b"o" * 16, 5, NOW + 11)) == (None, Reason.REUSED)
    assert judge(b"x" * 16, 2, user_id="ada") is Reason.REVOKED
    assert judge(FAMILY, 2, user_id="ada") is None
    assert judge(b"x" * 16, 3, user_id="ada") is None
    assert judge(b"x" * 16, 2, user_id="bob") is None
    assert judge(b"x" * 16, -11) is Reason.REVOKED
    assert judge(b"x" * 16, -10) is None


# A roster


@rings
def test_a_roster_opens_to_exactly_its_rows(keys: Any) -> None:
    store = MemoryStore(clock=Clock(NOW))
    key, content = bytes.fromhex(FILE["roster"]["key"]), bytes.fromhex(FILE["roster"]["content"])
    store.insert(key, StoredRecord(content, NOW, NOW + 100))
    keyring = Keyring(*keys)
    rosters = Rosters(keyring, Owners(keyring, "admin"), "admin", Script())
    assert run(rosters.read("ada", NOW), (None, None, store)) == {FAMILY: ROW}
    assert run(rosters.read("bob", NOW), (None, None, store)) == {}


def test_a_roster_is_sealed_to_exactly_these_bytes() -> None:
    store = MemoryStore(clock=Clock(NOW))
    keyring = Keyring(SECRET)
    rosters = Rosters(keyring, Owners(keyring, "admin"), "admin", Script(bytes(range(200, 224))))
    run(rosters.edit("ada", lambda rows: rows.update({FAMILY: ROW}), NOW), (None, None, store))
    stored = store.read(bytes.fromhex(FILE["roster"]["key"]))
    assert stored is not None
    assert stored.content.hex() == FILE["roster"]["content"]
    owner_key = keyring.primary.derive("owner", "admin", "")
    assert FILE["roster"]["key"] == hmac.digest(owner_key, b"roster ada", "sha256").hex()


def test_the_content_is_what_the_title_says() -> None:
    assert unpack(PACKED) == CONTENT
