"""H14 on the server: what an error reporter sends of our frames holds no token, no secret and no content."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from typing import Any

import pytest
from attacks.harness import locals_shown
from kit import Browser, ServerSite, put

from coatcheck import CoatcheckError, Session, SessionTooLarge, StoreError, Unserializable
from coatcheck.core.opaque import read_token


class Visitor:
    """A session whose values are made at run time, so that no source line can hold them."""

    def __init__(self, **options: Any) -> None:
        self.value = token_hex(12)
        self.site = ServerSite(**options)
        self.browser: Browser = self.site.begin(user=self.value)
        self.token = self.browser.cookies["session"]

    def shown_in(self, error: BaseException) -> list[str]:
        text = locals_shown(error) + str(error)
        secret = read_token(self.token)
        hidden = {"value": self.value, "token": self.token[4:20], "T": secret.hex(), "bytes of T": repr(secret)[2:-1]}
        return [name for name, piece in hidden.items() if piece in text]

    def fails(self, view: Callable[[Session], object], *, down: bool = False) -> CoatcheckError:
        session = self.site.open(self.browser.header)
        view(session)
        self.site.store.down = down
        with pytest.raises(CoatcheckError) as caught:
            self.site.commit(session)
        return caught.value


def test_a_store_that_fails_at_the_look_shows_nothing() -> None:
    visitor = Visitor()
    visitor.site.store.down = True
    with pytest.raises(StoreError) as caught:
        visitor.browser.read()
    assert visitor.shown_in(caught.value) == []


@pytest.mark.parametrize("view", [put(more=1), Session.destroy, Session.regenerate])
def test_a_store_that_fails_at_the_end_shows_nothing(view: Callable[[Session], object]) -> None:
    visitor = Visitor()
    error = visitor.fails(view, down=True)
    assert isinstance(error, StoreError)
    assert visitor.shown_in(error) == []


def test_a_session_that_is_too_large_shows_nothing() -> None:
    visitor = Visitor()
    error = visitor.fails(put(large=visitor.value * 50_000))
    assert isinstance(error, SessionTooLarge)
    assert visitor.shown_in(error) == []


def test_a_value_that_cannot_be_kept_shows_nothing() -> None:
    visitor = Visitor()
    error = visitor.fails(put(deep=[visitor.value, object()]))
    assert isinstance(error, Unserializable)
    assert visitor.shown_in(error) == []


def test_a_merge_that_cannot_be_kept_shows_nothing() -> None:
    for rule, value, kind in (
        (lambda was, mine, theirs: object(), "x", Unserializable),
        (lambda was, mine, theirs: mine + theirs, "x" * 600_000, SessionTooLarge),
    ):
        visitor = Visitor(merge={"a": rule})

        def conflict(session: Session, visitor: Visitor = visitor, value: str = value) -> None:
            session["a"] = visitor.value + value
            visitor.browser.visit(put(a=value))

        error = visitor.fails(conflict)
        assert isinstance(error, kind)
        assert visitor.shown_in(error) == []


def test_what_happened_is_told_without_content_and_token() -> None:
    visitor = Visitor()
    visitor.browser.visit(put(a=visitor.value))
    visitor.browser.visit(Session.regenerate)
    visitor.browser.visit(Session.destroy)
    visitor.browser.cookies = {"session": visitor.token}
    visitor.browser.read()
    session = visitor.site.open(visitor.browser.header)
    text = f"{visitor.site.events} {visitor.site.engine} {visitor.site.memory} {session}"
    assert len(visitor.site.events) == 4
    assert visitor.value not in text and visitor.token not in text
