"""Each reason, as it comes about, is told in the same words by the hook, as a signal and by the counter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from events.conftest import Begin, Counted
from events.life import IDLE, Life, copy_of
from hosts.host import Browser, Host
from kit import NOON, OTHER_SECRET, SECRET

from coatcheck import Event, Keyring, Reason, Session
from coatcheck.core.record import Record
from coatcheck.core.text import decode, encode
from coatcheck.core.token import TokenSealer
from coatcheck.signals import session_event
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore

Way = Callable[[Begin, type[Host]], Life]


def with_cookie(header: str, mode: str = "cookie", **options: Any) -> Way:
    """Gives a way to come with a cookie that was made elsewhere."""

    def come(begin: Begin, host: type[Host]) -> Life:
        life = begin(host, mode, **options)
        life.host.get("/look", header)
        return life

    return come


def token(*, secret: str = SECRET, packed: bytes = b"\x80", at: int = NOON) -> str:
    return TokenSealer(Keyring(secret), "", "session", os.urandom).seal(Record(os.urandom(16), at, at, packed), at)


def changed(at: int) -> str:
    raw = bytearray(decode(token()))
    raw[at] ^= 1
    return encode(bytes(raw))


def after(*steps: str, mode: str, **options: Any) -> Way:
    def live(begin: Begin, host: type[Host]) -> Life:
        life = begin(host, mode, **options)
        for step in steps:
            getattr(life, step)()
        return life

    return live


def after_the_login(begin: Begin, host: type[Host]) -> Life:
    """Somebody comes with the cookie of before the login, which may have been planted."""
    life = begin(host, "store")
    life.begin()
    planted = copy_of(life.browser)
    life.sign_in()
    life.get("look", browser=planted)
    return life


def when_it_is_older(begin: Begin, host: type[Host]) -> Life:
    life = begin(host, "cookie", absolute_lifetime=IDLE / 2)
    life.begin()
    life.clock.advance(IDLE / 2 + 1)
    life.come_back()
    return life


def when_nobody_answers(begin: Begin, host: type[Host]) -> Life:
    clock = Clock()
    store = FailingStore(MemoryStore(clock=clock))
    life = begin(host, "store", store=store, store_down="empty")
    life.begin()
    store.down = True
    life.come_back()
    return life


def by_a_stream(begin: Begin, host: type[Host]) -> Life:
    def stream(session: Session) -> Iterator[str]:
        yield "one"
        session["late"] = True
        yield "two"

    life = begin(host, "cookie")
    life.host.views = {"stream": stream}
    life.get("stream")
    return life


def by_a_model(begin: Begin, host: type[Host]) -> Life:
    life = begin(host, "cookie")
    life.begin()

    def look(session: Any) -> None:
        # What `coatcheck.typed` says of content that its model does not take.
        session.reject("Cart", "cart: not a list")

    life.host.views = {"look": look}
    life.come_back()
    return life


WAYS: Mapping[Reason, Way] = {
    Reason.TOO_LONG: with_cookie(f"session={'A' * 5000}"),
    Reason.MALFORMED: with_cookie("session=AAAA"),
    Reason.UNKNOWN_KIND: with_cookie(f"session={token()}", "store", move_cookies=False),
    Reason.UNKNOWN_KEY: with_cookie(f"session={token(secret=OTHER_SECRET)}"),
    Reason.KEY_EXPIRED: with_cookie(
        f"session={token(secret=OTHER_SECRET)}",
        secret_key_fallbacks=[(OTHER_SECRET, datetime.fromtimestamp(NOON - 1, UTC))],
    ),
    Reason.FORGED: with_cookie(f"session={changed(-1)}"),
    Reason.UNREADABLE: with_cookie(f"session={token(packed=bytes([0xC1]))}"),
    Reason.EXPIRED: after("begin", "expire", mode="cookie"),
    Reason.TOO_OLD: when_it_is_older,
    Reason.FROM_THE_FUTURE: with_cookie(f"session={token(at=NOON + 120)}"),
    Reason.AMBIGUOUS: with_cookie(f"session={token()}; session={token()}"),
    Reason.UNKNOWN_ID: after("begin", "forge", mode="store"),
    Reason.INVALID: by_a_model,
    Reason.ENDED: after_the_login,
    Reason.REVOKED: after("sign_in", "revoke", "come_back", mode="list"),
    Reason.REUSED: after("sign_in", "reuse", mode="hybrid"),
    Reason.UNREVOKED: after("sign_in", "sign_out", mode="cookie"),
    Reason.LATE: by_a_stream,
    Reason.STORE_DOWN: when_nobody_answers,
}


def test_there_is_a_way_to_each_reason() -> None:
    assert set(WAYS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_told_in_the_same_words_everywhere(
    host_with_signals: type[Host], reason: Reason, begin: Begin, counted: Counted
) -> None:
    sent: list[Event] = []

    def hear(sender: object, *, event: Event) -> None:
        sent.append(event)

    with session_event.connected_to(hear):
        life = WAYS[reason](begin, host_with_signals)
    told = [event for event in life.events if event.reason is reason]
    assert len(told) == 1
    kind = "signed_out" if reason is Reason.UNREVOKED else "dropped" if reason is Reason.LATE else "rejected"
    assert told[0].kind == kind
    assert [event for event in sent if event.reason is reason] == told
    assert counted()[("coatcheck.event.kind", kind), ("coatcheck.event.reason", reason.value)] == 1


def test_a_visitor_who_is_refused_learns_no_reason(host_with_signals: type[Host], begin: Begin) -> None:
    life = begin(host_with_signals, "cookie")
    values = ["AAAA", "A" * 5000, token(secret=OTHER_SECRET), changed(-1), token(at=NOON + 120)]
    answers = {life.host.get("/look", f"session={value}").timeless for value in values}
    assert len(answers) == 1
    assert Browser(life.host).get("/look").timeless in answers
