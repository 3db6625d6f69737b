"""D: stores that hold what was put there by somebody else, or nothing, or that do not answer.

Absent on purpose:
    D6: what a client does whose connection drops is tested with the real servers.
    D13: replicas are the operator's; the documentation of each store says what to read from.
    D14: no store keeps a file for a session.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from kit import OTHER_SECRET, Browser, ServerSite, look, put
from races.steps import Fault, Request

from coatcheck import Session, StoreError
from coatcheck.core.opaque import make_id, read_token
from coatcheck.stores import StoredRecord
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

SECRET_OF_ANN = "the secret of ann"


def destroy(session: Session) -> None:
    session.destroy()


@pytest.fixture
def site() -> ServerSite:
    return ServerSite()


@pytest.fixture
def ann(site: ServerSite) -> Browser:
    return site.begin(user=SECRET_OF_ANN)


def key_of(browser: Browser) -> bytes:
    return make_id("session", read_token(browser.cookies["session"])).key


def write(site: ServerSite, key: bytes, content: Any, **times: Any) -> None:
    """What whoever may write to the store can do."""
    record = StoredRecord(content, int(site.clock.now), int(site.clock.now) + 1000)._replace(**times)
    site.memory._put(key, record)  # noqa: SLF001


def is_refused(site: ServerSite, browser: Browser, *reasons: str) -> None:
    """The session is empty, the record is left alone, and what the visitor does next is a session of its own."""
    before = dict(site.records)
    site.told()
    assert browser.read() == {}
    assert site.told() == [("rejected", reason) for reason in reasons]
    for view in (look, destroy, Session.regenerate, put(user="new")):
        visitor = Browser(site)
        visitor.cookies = dict(browser.cookies)
        visitor.visit(view)
        assert {key: site.records[key] for key in before} == before
    assert visitor.cookies != browser.cookies
    assert visitor.read() == {"user": "new"}


class Exploit:
    """Unpickling it would write a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (self.path,)


GARBAGE = [b"", b"\x00", b"null", b"{}", b"\x80", b"\x02", bytes(65), b"\xff" * 200, b"A" * 5000, "é".encode() * 50]


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_d1_garbage_is_an_empty_session(site: ServerSite, ann: Browser, content: bytes) -> None:
    write(site, key_of(ann), content)
    is_refused(site, ann, "unknown_key" if content == b"\x02" + bytes(64) else "malformed")


def test_d1_a_record_that_was_cut_or_changed_anywhere_is_an_empty_session(site: ServerSite, ann: Browser) -> None:
    key = key_of(ann)
    content = site.records[key].content
    for at in range(0, len(content), 3):
        for changed in (
            content[:at],
            content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :],
            content + bytes(at + 1),
        ):
            write(site, key, changed)
            assert ann.read() == {}
    assert {reason for _, reason in site.told()} == {"malformed", "unknown_key", "forged"}


def test_d1_a_record_that_is_too_large_is_not_even_opened(site: ServerSite, ann: Browser) -> None:
    write(site, key_of(ann), site.records[key_of(ann)].content + bytes(2_000_000))
    is_refused(site, ann, "too_long")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_d2_a_pickle_in_the_store_is_not_executed(site: ServerSite, ann: Browser, protocol: int, tmp_path: Any) -> None:
    target = tmp_path / "executed"
    write(site, key_of(ann), pickle.dumps(Exploit(str(target)), protocol))
    is_refused(site, ann, "malformed")
    assert not target.exists()


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER])
def test_d3_a_read_that_fails_is_an_error_and_no_empty_session(site: ServerSite, ann: Browser, fault: Fault) -> None:
    request = Request(site, ann.header, put(user="overwritten"))
    request.step(fault)
    assert isinstance(request.error, StoreError) and request.seen is None
    assert ann.read() == {"user": SECRET_OF_ANN}


@pytest.mark.parametrize("view", [put(user="new"), Session.regenerate, destroy])
def test_d4_a_write_that_fails_is_no_success(site: ServerSite, ann: Browser, view: Any) -> None:
    request = Request(site, ann.header, view).look()
    site.store.down = True
    request.finish()
    site.store.down = False
    assert isinstance(request.error, StoreError) and request.decision is None
    assert ann.read() == {"user": SECRET_OF_ANN}


def test_d5_a_new_id_whose_second_half_fails_leaves_the_old_one_in_force(site: ServerSite, ann: Browser) -> None:
    """The new one is known to nobody."""
    request = Request(site, ann.header, Session.regenerate).until("replace")
    request.step(Fault.BEFORE)
    assert request.cookies == {}
    assert ann.read() == {"user": SECRET_OF_ANN}
    assert len(site.records) == 2


def test_d8_whoever_can_write_to_the_store_and_has_no_key_makes_no_session(site: ServerSite, ann: Browser) -> None:
    foreign = ServerSite(OTHER_SECRET, memory=MemoryStore(clock=site.clock), clock=site.clock)
    mallory = foreign.begin(user="admin")
    content = foreign.records[key_of(mallory)].content
    mallory.site = site
    write(site, key_of(mallory), content)
    is_refused(site, mallory, "unknown_key")
    # With the id of our key, which every record names.
    write(site, key_of(mallory), site.records[key_of(ann)].content[:5] + content[5:])
    is_refused(site, mallory, "forged")


def test_d8_a_record_that_was_moved_to_another_key_opens_for_nobody(site: ServerSite, ann: Browser) -> None:
    mallory = site.begin(user="mallory")
    own, hers = site.records[key_of(mallory)], site.records[key_of(ann)]
    write(site, key_of(mallory), hers.content)
    write(site, key_of(ann), own.content)
    is_refused(site, mallory, "forged")
    is_refused(site, ann, "forged")


@pytest.mark.parametrize("options", [{"audience": "staging"}, {"cookie_name": "other"}])
def test_d8_a_record_of_another_application_is_an_empty_session(
    site: ServerSite, ann: Browser, options: dict[str, str]
) -> None:
    other = ServerSite(memory=site.memory, clock=site.clock, **options)
    visitor = Browser(other)
    visitor.cookies = {other.settings.cookie_name: ann.cookies["session"]}
    is_refused(other, visitor, "forged")


@pytest.mark.parametrize("expires_in", [10**6, 10**9, 2**40])
def test_d10_a_record_that_claims_a_longer_life_has_that_of_the_settings(expires_in: int) -> None:
    site = ServerSite(permanent_lifetime=100, absolute_lifetime=150)
    ann = site.begin(user=1)
    key, used_at = key_of(ann), int(site.clock.now)
    write(site, key, site.records[key].content, expires_at=used_at + expires_in, used_at=used_at)
    site.clock.advance(100)
    assert ann.read() == {"user": 1}
    site.clock.advance(1)
    assert ann.read() == {}
    # And one that claims to have been used a moment ago is not younger for that.
    write(site, key, site.records[key].content, expires_at=used_at + expires_in, used_at=used_at + 150)
    site.clock.advance(49)
    assert ann.read() == {"user": 1}
    site.clock.advance(1)
    assert ann.read() == {}
    assert site.told() == [("rejected", "expired"), ("rejected", "too_old")]


class Timeless(MemoryStore):
    """Forgets nothing."""

    def __init__(self) -> None:
        super().__init__(clock=Clock(0))


def test_d11_a_store_that_ignores_the_time_keeps_no_session_alive() -> None:
    site = ServerSite(memory=Timeless())
    ann = site.begin(user=1)
    site.clock.advance(31 * 86_400)
    assert ann.read() == {"user": 1}
    site.clock.advance(1)
    assert ann.read() == {}


def test_d12_a_session_that_the_store_threw_out_is_an_empty_session(site: ServerSite, ann: Browser) -> None:
    late = Request(site, ann.header, put(late=True)).look()
    site.memory.delete(key_of(ann))
    late.finish()
    assert late.kinds == ["dropped"]
    is_refused(site, ann, "unknown_id")


@pytest.mark.parametrize("prefix", [b"", b"\x00", b"user:", b"session:"])
def test_d15_what_an_application_keeps_in_the_same_place_is_no_session(site: ServerSite, prefix: bytes) -> None:
    """The keys of records are hashes: nobody who does not have the id can say which one it will be."""
    ann = site.begin(user=1)
    assert all(len(key) == 32 for key in site.records)
    write(site, (prefix + bytes(32))[:32], b"something else")
    assert ann.read() == {"user": 1}


def test_a_record_from_before_brings_back_what_was_there_of_this_session_alone(site: ServerSite, ann: Browser) -> None:
    """Whoever writes to the store can undo: nothing outside of it says which version is the last. No more than that."""
    key = key_of(ann)
    old = site.records[key]
    ann.visit(put(user="changed"))
    write(site, key, old.content)
    assert ann.read() == {"user": SECRET_OF_ANN}
    ann.visit(destroy)
    assert site.records == {}


@pytest.mark.parametrize("down", [True, False])
def test_only_a_request_that_looks_at_a_session_asks_the_store(site: ServerSite, ann: Browser, down: bool) -> None:
    site.store.down = down
    for header in (ann.header, "", "session=rubbish", f"session={'A' * 44}", "session=" + "A" * 5000):
        site.commit(site.open(header))
        if header != ann.header:
            assert dict(site.open(header)) == {}
    assert site.asked() == []
