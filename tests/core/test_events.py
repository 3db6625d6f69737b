"""The words in which events are told: applications compare and count them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import coatcheck
from coatcheck import Event, Reason
from coatcheck.core.events import Kind, Rejected


def test_the_kinds_are_these_words() -> None:
    assert [str(kind.value) for kind in Kind] == [
        "created",
        "changed",
        "refreshed",
        "resealed",
        "regenerated",
        "merged",
        "signed_in",
        "signed_out",
        "revoked",
        "reused",
        "elsewhere",
        "destroyed",
        "dropped",
        "rejected",
    ]


def test_the_reasons_are_these_words() -> None:
    assert [str(reason.value) for reason in Reason] == [
        "too_long",
        "malformed",
        "unknown_kind",
        "unknown_key",
        "key_expired",
        "forged",
        "unreadable",
        "expired",
        "too_old",
        "from_the_future",
        "ambiguous",
        "unknown_id",
        "invalid",
        "ended",
        "revoked",
        "reused",
        "unrevoked",
        "late",
        "store_down",
    ]


def test_kinds_and_reasons_are_text_to_a_program_and_to_json() -> None:
    event = Event(Kind.REJECTED, Reason.FORGED, None)
    assert event.kind == "rejected" and event.reason == "forged"
    assert f"{event.kind} {event.reason}" == "rejected forged"
    assert json.dumps(event) == '["rejected", "forged", null]'


def test_an_event_may_have_neither_reason_nor_handle() -> None:
    assert Event(Kind.CREATED) == (Kind.CREATED, None, None)
    assert Event(Kind.CREATED, handle="ab").handle == "ab"


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_is_explained_where_it_stands(reason: Reason) -> None:
    source = Path(str(coatcheck.__file__)).with_name("core").joinpath("events.py").read_text()
    assert f'{reason.name} = "{reason.value}"\n    """' in source


def test_a_rejection_says_its_reason_alone() -> None:
    rejected = Rejected(Reason.EXPIRED)
    assert rejected.reason is Reason.EXPIRED
    assert str(rejected) == "expired"
