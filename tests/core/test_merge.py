"""What two requests made of one session at the same time, in one content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck import SessionTooLarge, StoreError, Unserializable
from coatcheck.core.codec import pack, unpack
from coatcheck.core.merge import LIMIT_BYTES, Draft, MergeRule, additions, merge

Content = dict[str, Any]
keys = st.sampled_from("abcd")
contents = st.dictionaries(keys, st.integers(0, 2) | st.booleans() | st.lists(st.integers(0, 1), max_size=1))


def add(was: int | None, mine: int, theirs: int) -> int:
    return mine + theirs - (was or 0)


def union(was: list[Any] | None, mine: list[Any], theirs: list[Any]) -> list[Any]:
    return theirs + [item for item in mine if item not in (was or [])]


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "merged"),
    [
        ({}, {}, {}, {}),
        ({"a": 1}, {"a": 1}, {"a": 1}, {"a": 1}),
        # Only one side did something.
        ({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}),
        ({}, {"a": 1}, {}, {"a": 1}),
        ({}, {}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {}, {"a": 1}, {}),
        ({"a": 1}, {"a": 1}, {}, {}),
        # Each did something else.
        ({}, {"a": 1}, {"b": 2}, {"b": 2, "a": 1}),
        ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}),
        ({"a": 1, "b": 1}, {"b": 1}, {"a": 1, "b": 2}, {"b": 2}),
        ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1}, {"a": 2}),
        # Both did something to the same key: mine is the later save.
        ({"a": 1}, {"a": 2}, {"a": 3}, {"a": 2}),
        ({}, {"a": 2}, {"a": 3}, {"a": 2}),
        ({"a": 1}, {}, {"a": 3}, {}),
        ({"a": 1}, {"a": 2}, {}, {"a": 2}),
        ({"a": 1}, {}, {}, {}),
        ({"a": 1}, {"a": 2}, {"a": 2}, {"a": 2}),
        # A change deep inside is a change of its key.
        ({"a": [1]}, {"a": [1, 2]}, {"a": [1, 3]}, {"a": [1, 2]}),
        ({"a": [1], "b": 0}, {"a": [1, 2], "b": 0}, {"a": [1], "b": 1}, {"a": [1, 2], "b": 1}),
        # What is kept decides, and not what Python calls equal.
        ({"a": 1}, {"a": True}, {"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1}, {"a": 1.0}, {"a": 1.0}),
        ({"a": 0.0}, {"a": -0.0}, {"a": 0.0}, {"a": -0.0}),
        ({"a": None}, {}, {"a": None}, {}),
        ({}, {"a": None}, {}, {"a": None}),
        ({1: "a"}, {1: "b"}, {1: "a", "1": "c"}, {1: "b", "1": "c"}),
    ],
)
def test_my_changes_go_on_top_of_theirs(base: Any, mine: Any, theirs: Any, merged: Content) -> None:
    assert pack(merge(base, mine, theirs, {})) == pack(merged)


@given(contents, contents, contents)
def test_of_each_key_the_one_who_changed_it_decides_and_of_two_the_later(
    base: Content, mine: Content, theirs: Content
) -> None:
    merged = merge(base, mine, theirs, {})
    was, now, other, result = (
        {key: pack(value) for key, value in content.items()} for content in (base, mine, theirs, merged)
    )
    for key in "abcd":
        decides = other if was.get(key) == now.get(key) else now
        assert result.get(key) == decides.get(key)


@given(contents, contents, contents)
def test_nothing_is_changed_that_was_given(base: Content, mine: Content, theirs: Content) -> None:
    before = [pack(content) for content in (base, mine, theirs)]
    merge(base, mine, theirs, {"a": lambda was, now, other: [was, now, other]})
    assert [pack(content) for content in (base, mine, theirs)] == before


# Rules


@pytest.mark.parametrize(
    ("rule", "base", "mine", "theirs", "merged"),
    [
        (add, {"a": 5}, {"a": 6}, {"a": 8}, {"a": 9}),
        (add, {}, {"a": 1}, {"a": 1}, {"a": 2}),
        (union, {"a": [1]}, {"a": [1, 2]}, {"a": [1, 3]}, {"a": [1, 3, 2]}),
        (lambda was, mine, theirs: theirs, {"a": 1}, {"a": 2}, {"a": 3}, {"a": 3}),
        (lambda was, mine, theirs: None, {"a": 1}, {"a": 2}, {"a": 3}, {"a": None}),
        (lambda was, mine, theirs: [was, mine, theirs], {"a": 1}, {"a": 2}, {"a": 3}, {"a": [1, 2, 3]}),
        (lambda was, mine, theirs: [was, mine, theirs], {}, {"a": 2}, {"a": 3}, {"a": [None, 2, 3]}),
    ],
)
def test_a_rule_decides_where_both_have_changed_a_value(
    rule: MergeRule, base: Content, mine: Content, theirs: Content, merged: Content
) -> None:
    assert merge(base, mine, theirs, {"a": rule}) == merged


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "merged"),
    [
        ({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {}, {"a": 2}, {}),
        ({"a": 1}, {"a": 2}, {}, {"a": 2}),
        ({"a": 1}, {}, {}, {}),
        ({"b": 1}, {"b": 2}, {"b": 3}, {"b": 2}),
    ],
)
def test_a_rule_is_not_asked_where_one_side_has_nothing_to_say(
    base: Content, mine: Content, theirs: Content, merged: Content
) -> None:
    def never(was: Any, mine: Any, theirs: Any) -> Any:
        raise AssertionError("the rule was asked")

    assert merge(base, mine, theirs, {"a": never}) == merged


# Drafts


def draft(base: Content, content: Content, rules: dict[str, MergeRule] | None = None) -> Draft:
    return Draft(pack(base), content, pack(content), 5, rules or {})


def test_a_draft_without_a_conflict_is_what_the_request_wants() -> None:
    one = draft({"a": 1}, {"a": 2})
    assert (one.packed, one.created_at, one.sent, one.before) == (pack({"a": 2}), 5, b"", None)


def test_a_draft_takes_in_what_others_have_kept() -> None:
    one = draft({"a": 1}, {"a": 2})
    one.merge(pack({"a": 1, "b": 1}))
    assert unpack(one.packed) == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("base", "mine", "others", "merged"),
    [
        # The first of the others had said the same, and the second not.
        ({"k": 0}, {"k": 5}, [{"k": 5}, {"k": 7}], {"k": 5}),
        ({"k": 0}, {}, [{}, {"k": 7}], {}),
        # What the first had added, the second took away.
        ({}, {"a": 1}, [{"b": 1}, {}], {"a": 1}),
        ({}, {"a": 1}, [{"a": 2}, {}], {"a": 1}),
    ],
)
def test_each_conflict_is_settled_from_what_the_request_began_with(
    base: Content, mine: Content, others: list[Content], merged: Content
) -> None:
    one = draft(base, mine)
    for other in others:
        one.merge(pack(other))
    assert unpack(one.packed) == merged


def extend(was: list[Any] | None, mine: list[Any], theirs: list[Any]) -> list[Any]:
    mine.extend(item for item in theirs if item not in (was or []))
    return mine


def test_a_rule_may_change_its_arguments_however_often_it_is_asked() -> None:
    content: Content = {"list": ["mine"]}
    one = draft({"list": []}, content, {"list": extend})
    one.merge(pack({"list": ["b"]}))
    one.merge(pack({"list": ["b", "c"]}))
    assert unpack(one.packed) == {"list": ["mine", "b", "c"]}
    assert content == {"list": ["mine"]}


def test_what_this_request_has_kept_at_an_earlier_try_is_not_counted_again() -> None:
    before = draft({"count": 1}, {"count": 2}, {"count": add})
    before.sent = b"sealed"
    one = draft({"count": 1}, {"count": 2, "sorry": True}, {"count": add})
    one.before = before
    one.merge(pack({"count": 2, "of another": 1}), b"sealed")
    assert unpack(one.packed) == {"count": 2, "sorry": True, "of another": 1}
    one.merge(pack({"count": 5}), b"sealed by another")
    assert unpack(one.packed) == {"count": 6, "sorry": True}


def test_a_guard_may_refuse_what_a_merge_makes() -> None:
    seen: list[bytes] = []
    one = draft({}, {"a": 1})
    one.guard = seen.append
    one.merge(pack({"b": 2}))
    assert [unpack(packed) for packed in seen] == [{"b": 2, "a": 1}]


def test_a_draft_without_its_changes_is_what_the_request_began_with() -> None:
    one = draft({"a": 1}, {"a": 2, "user": "ada"}).unchanged()
    one.merge(pack({"a": 3}))
    assert (unpack(one.packed), one.created_at) == ({"a": 3}, 5)


@pytest.mark.parametrize(
    ("base", "content", "added"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {}, {}),
        ({"a": 1}, {"a": 2, "b": 1}, {"b": 1}),
        ({"a": {"user": 1}}, {"a": {"user": 1, "at": 5}}, {}),
        ({}, {"a": None}, {"a": None}),
    ],
)
def test_additions_are_the_keys_that_were_not_there_before(base: Content, content: Content, added: Content) -> None:
    assert additions(pack(base), content) == added


@pytest.mark.parametrize(
    "theirs", [b"", b"\xc1", pack([1]), pack(None), b"\x81\x01\x01", b"\x80\x04\x95."], ids=lambda packed: packed.hex()
)
def test_what_cannot_be_read_is_neither_merged_nor_overwritten(theirs: bytes) -> None:
    one = draft({}, {"a": 1})
    with pytest.raises(StoreError, match="in a way that this version cannot read"):
        one.merge(theirs)


def test_the_content_of_a_record_has_a_limit() -> None:
    fits: Callable[[int], Content] = lambda size: {"a": "x" * (size - 8), "b": 1}  # noqa: E731
    size = len(pack(fits(LIMIT_BYTES)))
    exact = fits(2 * LIMIT_BYTES - size)
    assert len(draft({}, exact).packed) == LIMIT_BYTES
    with pytest.raises(SessionTooLarge) as caught:
        draft({}, exact | {"c": 1})
    assert (caught.value.size, caught.value.limit, caught.value.place) == (LIMIT_BYTES + 3, LIMIT_BYTES, "record")
    assert next(key for key, _ in caught.value.largest) == "a"
    assert "needs a record of 1000003 bytes and a store is given at most 1000000" in str(caught.value)


def test_two_contents_that_fit_alone_may_not_fit_together() -> None:
    one = draft({}, {"a": "x" * 600_000})
    with pytest.raises(SessionTooLarge) as caught:
        one.merge(pack({"b": "y" * 600_000}))
    assert [key for key, _ in caught.value.largest] == ["b", "a"]


def test_what_a_rule_gives_must_be_something_that_a_session_can_keep() -> None:
    one = draft({}, {"a": 1}, {"a": lambda was, mine, theirs: object()})
    with pytest.raises(Unserializable, match=r"^session\['a'\] is of a type"):
        one.merge(pack({"a": 2}))


def test_what_a_rule_raises_comes_out() -> None:
    one = draft({}, {"a": 1}, {"a": lambda was, mine, theirs: 1 // 0})
    with pytest.raises(ZeroDivisionError):
        one.merge(pack({"a": 2}))
