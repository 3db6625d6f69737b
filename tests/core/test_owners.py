"""What stands for a user in a store and in the list: the same in every process, and nothing to anybody else."""

from __future__ import annotations

import hmac
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import OTHER_SECRET, SECRET

from coatcheck import Keyring
from coatcheck.core import owners as module
from coatcheck.core.owners import Owners

NUMBER = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
THIRD = "c0ffee7e2b09a6c4f13857dbe9c20fa61830c5be4d7f29a1868b3e07c5d94f1a"


def owners(*secrets: str, audience: str = "") -> Owners:
    first, *others = secrets or (SECRET,)
    return Owners(Keyring(first, others), audience)


def everything(known: Owners, user_id: Any) -> set[bytes]:
    owner = known.find(user_id)
    return {*owner.keys, *owner.subjects, *known.everyone}


def test_it_is_a_keyed_hash_as_the_documentation_says() -> None:
    key = Keyring(SECRET).primary.derive("owner", "admin", "")
    owner = owners(audience="admin").find("ada")
    assert owner.keys == (hmac.digest(key, b"roster ada", "sha256"),)
    assert owner.subjects == (hmac.digest(key, b"user ada", "sha256")[:16],)
    assert owners(audience="admin").everyone == (hmac.digest(key, b"everyone", "sha256")[:16],)


@pytest.mark.parametrize(("one", "other"), [(7, "7"), (-7, "-7"), (NUMBER, str(NUMBER)), ("\u00e9", "\u00e9")])
def test_ids_are_compared_as_text(one: Any, other: Any) -> None:
    known = owners()
    assert known.find(one) == known.find(other) == owners().find(other)


@given(st.lists(st.text(min_size=1, max_size=20), min_size=2, max_size=6, unique=True))
def test_of_two_users_nothing_is_the_same(names: list[str]) -> None:
    known = owners()
    found = [known.find(name) for name in names]
    hashes = [part for owner in found for part in (*owner.keys, *owner.subjects)]
    assert len({*hashes, *(part[:16] for part in hashes), *known.everyone}) == 3 * len(names) + 1


@pytest.mark.parametrize("other", [owners(OTHER_SECRET), owners(audience="admin")])
def test_another_secret_or_audience_shares_nothing(other: Owners) -> None:
    assert not everything(owners(), "ada") & everything(other, "ada")


@pytest.mark.parametrize("name", ["everyone", "user ada", "roster ada", " ada", "ada "])
def test_a_name_that_looks_like_what_is_hashed_is_another(name: str) -> None:
    known = owners()
    assert not {*known.find("ada").subjects, *known.everyone} & {*known.find(name).subjects}


def test_under_several_keys_that_of_the_primary_comes_first_and_all_are_there() -> None:
    ring = owners(OTHER_SECRET, SECRET, THIRD)
    for part in ("keys", "subjects"):
        found = getattr(ring.find("ada"), part)
        assert found == tuple(getattr(owners(each).find("ada"), part)[0] for each in (OTHER_SECRET, SECRET, THIRD))
    assert ring.everyone == owners(OTHER_SECRET).everyone + owners(SECRET).everyone + owners(THIRD).everyone


def test_what_is_remembered_has_a_bound_and_stays_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 3)
    known = owners()
    found = [known.find(number) for number in range(10)]
    assert len(known._known) <= 3  # noqa: SLF001
    assert [known.find(number) for number in range(10)] == found


def test_it_is_never_pickled_or_shown() -> None:
    known = owners()
    known.find("ada lovelace")
    assert "ada" not in repr(known) and SECRET not in repr(known)
    with pytest.raises(TypeError):
        known.__reduce__()
