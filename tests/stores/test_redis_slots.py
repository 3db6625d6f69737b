from __future__ import annotations

import pytest
from redis.exceptions import AskError, ClusterDownError, MovedError

from coatcheck.stores.redis_slots import Slots, known, slot_of, target

BY = ("one", 7000)
TOLD = [
    [0, 5460, [b"one", 7000, b"id", []], [b"replica", 7003, b"id", []]],
    [5461, 5461, [b"", 7001, b"id", []]],
    [16383, 16383, [None, 7002, b"id", []]],
]


def test_each_slot_has_the_owner_that_was_told() -> None:
    slots = Slots(TOLD, BY)
    assert [slots.owner(slot) for slot in (0, 5460)] == [("one", 7000)] * 2
    assert slots.owners == {("one", 7000), ("one", 7001), ("one", 7002)}


def test_a_server_that_does_not_know_its_name_has_the_one_it_was_asked_by() -> None:
    slots = Slots(TOLD, BY)
    assert (slots.owner(5461), slots.owner(16383)) == (("one", 7001), ("one", 7002))


@pytest.mark.parametrize("slot", [5462, 16382])
def test_a_slot_without_an_owner_is_an_error(slot: int) -> None:
    with pytest.raises(ClusterDownError):
        Slots(TOLD, BY).owner(slot)


def test_a_slot_that_moved_has_another_owner_and_its_neighbours_have_not() -> None:
    slots = Slots(TOLD, BY)
    slots.move(7, ("two", 1))
    assert [slots.owner(slot) for slot in (6, 7, 8)] == [BY, ("two", 1), BY]


def test_a_redirection_may_leave_out_the_name() -> None:
    assert target(MovedError("7 two:7001"), BY) == ("two", 7001)
    assert target(AskError("7 :7001"), BY) == ("one", 7001)


def test_servers_of_the_url_stay_known() -> None:
    assert sorted(known(Slots(TOLD, BY), (("one", 7000), ("seed", 1)))) == [
        ("one", 7000),
        ("one", 7001),
        ("one", 7002),
        ("seed", 1),
    ]


def test_a_slot_is_that_of_the_name_or_of_its_tag() -> None:
    """From the specification of Redis Cluster."""
    assert slot_of(b"123456789") == 0x31C3
    assert slot_of(b"{user1000}.following") == slot_of(b"{user1000}.followers")
