"""Login, logout and revocation against each other and against ordinary requests: see `signing.py` for what must hold.

Each runs in a process of its own, one store operation at a time, in every order; where there are many orders,
so many of them are tried. For more of them, in some minutes:

    COATCHECK_ORDERS=1000000 pytest tests/races/test_signing.py
"""

from __future__ import annotations

import os
from itertools import combinations, combinations_with_replacement

import pytest
from races.orders import orders
from races.signing import MODES, Place
from races.steps import Fault

from coatcheck.core.revocations import Revocations

MOST = int(os.environ.get("COATCHECK_ORDERS", "3"))
ENDINGS = (
    "logout",
    "login guest ada",
    "login  ada",
    "login  bob",
    "revoke",
    "revoke user",
    "revoke everyone",
    "keep",
    "keep second",
)
OTHERS = ("look", "write", "regenerate", "revoke another's")
FEW = ("logout", "login guest ada", "login  ada", "revoke user", "keep second", "regenerate", "write")
LIMITED = ("login guest ada", "login bob ada", "login  ada", "logout", "regenerate", "keep", "revoke user")

in_each_mode = pytest.mark.parametrize("mode", MODES)


def views(*names: str) -> tuple[tuple[str, ...], ...]:
    return tuple((name,) for name in names)


@in_each_mode
def test_each_two(mode: str) -> None:
    for names in combinations_with_replacement(ENDINGS + OTHERS, 2):
        assert list(orders(lambda: Place(mode), views(*names), most=MOST))


@in_each_mode
def test_each_three_of_a_few(mode: str) -> None:
    for names in combinations(FEW, 3):
        assert list(orders(lambda: Place(mode), views(*names), most=max(1, MOST // 3)))


@in_each_mode
def test_on_machines_that_hear_no_bell_and_ask_at_every_request(mode: str) -> None:
    for names in combinations_with_replacement(FEW, 2):
        assert list(orders(lambda: Place(mode, heard=False), views(*names), most=max(1, MOST // 2)))


@in_each_mode
def test_in_the_threads_of_one_process(mode: str) -> None:
    for names in combinations_with_replacement(FEW, 2):
        assert list(orders(lambda: Place(mode, together=True), views(*names), most=max(1, MOST // 2)))


@pytest.mark.parametrize("over_limit", ["refuse", "end_oldest"])
@in_each_mode
def test_nobody_has_more_sessions_than_allowed_however_many_sign_in_at_once(mode: str, over_limit: str) -> None:
    for names in combinations_with_replacement(LIMITED, 2):
        assert list(
            orders(lambda: Place(mode, max_sessions_per_user=2, over_limit=over_limit), views(*names), most=MOST)
        )


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.TWICE])
@in_each_mode
def test_with_a_fault_at_each_operation(mode: str, fault: Fault) -> None:
    """What was confirmed is so, whichever answer of the store was lost."""
    for names in (("logout", "login  ada"), ("revoke user", "regenerate"), ("login  bob", "write"), ("revoke", "look")):
        assert list(orders(lambda: Place(mode), views(*names), fault, most=max(1, MOST // 3)))


@in_each_mode
def test_of_two_who_each_end_all_others_at_most_one_stays(mode: str) -> None:
    for place in orders(lambda: Place(mode), views("keep", "keep second"), most=20 * MOST):
        kept = [login for login in (place.first, place.second) if place.opens(login)]
        assert len(kept) <= 1


@in_each_mode
def test_it_is_seen_where_a_list_says_nothing(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Revocations, "judge", lambda *_: None)
    with pytest.raises(AssertionError):
        list(orders(lambda: Place(mode), views("revoke everyone", "write"), most=MOST))
