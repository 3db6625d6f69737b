"""Two requests changed one session at the same time: what both said, in one content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from coatcheck.core.codec import pack, sizes, unpack
from coatcheck.core.confined import Confined
from coatcheck.core.facts import Facts
from coatcheck.errors import SessionTooLarge, StoreError

MergeRule: TypeAlias = Callable[[Any, Any, Any], Any]
"""Gives the value of a key that both changed, from what it was (None if there was
none), what this request made of it, and what the other request did."""

# The most bytes of packed content. Memcached, the tightest of the stores, ends at 2^20 with all that is around it.
LIMIT_BYTES = 1_000_000
ABSENT = object()


def merge(
    base: Mapping[str, Any],
    mine: Mapping[str, Any],
    theirs: Mapping[str, Any],
    rules: Mapping[str, MergeRule],
) -> dict[str, Any]:
    """Gives their content with my changes on top.

    A key that only one side changed or deleted is as that side left it. Of a key that
    both changed, mine is the later save and counts, unless the key has a rule. A rule
    is asked only where both have a value: where one deleted the key, the later save counts.
    """
    merged = dict(theirs)
    for key in {**base, **mine}:
        was, now, other = base.get(key, ABSENT), mine.get(key, ABSENT), theirs.get(key, ABSENT)
        if same(was, now):
            continue
        if now is ABSENT:
            merged.pop(key, None)
        elif key in rules and other is not ABSENT and not same(was, other):
            merged[key] = rules[key](None if was is ABSENT else was, now, other)
        else:
            merged[key] = now
    return merged


def additions(base: bytes, content: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the keys of a content that were not there before, whatever their values; the base comes packed."""
    before: Any = unpack(base)
    return {key: value for key, value in content.items() if key not in before}


def same(one: Any, other: Any) -> bool:
    """Says whether two values, or `ABSENT`, are kept alike."""
    if one is ABSENT or other is ABSENT:
        return one is other
    # Equality would take 1 for True; what is kept decides.
    return pack(one) == pack(other)


class Draft(Confined):
    """The content that a request wants to keep, and what it was made from.

    Attributes:
        own: the content as this request left it.
        packed: the same, together with what others have kept meanwhile.
        sent: what a store was last asked to keep of it, sealed.
        before: the draft of an earlier try to commit the session.
        guard: looks at what a merge makes, and raises where that has no room.
        facts: of whom it is, for a record that is new; one that is there keeps its own.
        facts_before: what the request began with.
    """

    __slots__ = (
        "_base",
        "_rules",
        "before",
        "created_at",
        "facts",
        "facts_before",
        "guard",
        "own",
        "packed",
        "sent",
    )

    def __init__(
        self, base: bytes, content: dict[str, Any], packed: bytes, created_at: int, rules: Mapping[str, MergeRule]
    ) -> None:
        self._base = base
        self.own: bytes = packed
        self._rules = rules
        self.packed: bytes = packed
        self.created_at: int = created_at
        self.sent: bytes = b""
        self.before: Draft | None = None
        self.guard: Callable[[bytes], None] | None = None
        self.facts: Facts | None = None
        self.facts_before: Facts | None = None
        self._check(content)

    def unchanged(self) -> Draft:
        """Gives a draft of what the request began with."""
        content: Any = unpack(self._base)
        draft = Draft(self._base, content, self._base, self.created_at, self._rules)
        draft.facts = self.facts_before
        return draft

    def _check(self, content: dict[str, Any]) -> None:
        if len(self.packed) > LIMIT_BYTES:
            raise SessionTooLarge(len(self.packed), LIMIT_BYTES, sizes(content), "record")
        if self.guard is not None:
            self.guard(self.packed)

    def merge(self, theirs: bytes, content: bytes = b"") -> None:
        """Puts the changes of this request on top of what has been kept; `content` is that as a store has it.

        It may be what this request sent at an earlier try, whose changes are then in there.
        """
        known = self.before is not None and content != b"" and content == self.before.sent
        try:
            other = unpack(theirs)
        except ValueError:
            other = None
        if not isinstance(other, dict):
            # Sealed with our key, by a later version of this library: nothing to merge with, nothing to overwrite.
            raise StoreError("the session was changed by another request in a way that this version cannot read")
        # Each time from what this request began and ended with, in copies: others' changes are never taken
        # for its own, whatever a rule does to its arguments.
        base: Any = unpack(self.before.own if known and self.before else self._base)
        mine: Any = unpack(self.own)
        merged = merge(base, mine, other, self._rules)
        self.packed = pack(merged)
        self._check(merged)
