"""What a row of the table is, and how a test says which it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

NOT_REMEMBERED = (
    "a sealed cookie alone leaves nothing behind that could be looked up: a copy stays valid until it expires."
    " `logout()` says so in the log. Give `revocations=`, or a store"
)
NO_LIST = "there is nowhere to remember which sessions a user has: the call raises `UsageError`"


class Row(NamedTuple):
    id: str
    requirement: str
    role: str
    """fulfils: by itself. enforces: what the application sets or calls. helps: with a call or a default."""
    cannot: Mapping[str, str]
    """Why not, by mode. The test then shows what happens in its place."""


def row(
    id_: str, requirement: str, role: str, cannot: Mapping[str, str] | None = None
) -> Callable[[Callable[..., None]], Any]:
    return pytest.mark.conformance(Row(id_, requirement, role, cannot or {}))


# What no library can do. The table says so, and has no test for it.
OF_THE_APPLICATION = (Row("ASVS 7.4.4", "Every page that needs a login shows how to log out", "application", {}),)
