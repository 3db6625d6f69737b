"""The reference leaves nothing out: each option, attribute, call and error has a row, with the default that counts."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import coatcheck
from coatcheck import CoatcheckError, Session, SessionInfo, Settings
from coatcheck.accounts import AccountCalls, AsyncAccountCalls
from coatcheck.core.settings import config_key

TEXT = (Path(__file__).parents[2] / "docs/reference.md").read_text()


def section(title: str) -> list[str]:
    """Gives the names that the table of a section begins its rows with."""
    part = re.split(r"\n##+ ", TEXT.partition(f"# {title}\n")[2])[0]
    return re.findall(r"^\| \[?`(\w+)", part, re.MULTILINE)


def test_each_attribute_of_a_session_in_a_list_has_a_row() -> None:
    assert sorted(section("SessionInfo")) == sorted(field.name for field in fields(SessionInfo))


@pytest.mark.parametrize("calls", [AccountCalls, AsyncAccountCalls])
def test_each_call_about_a_user_has_a_row(calls: type) -> None:
    assert section("The sessions of a user") == [name for name in vars(calls) if not name.startswith("_")]


def test_each_error_has_a_row() -> None:
    errors = [
        name
        for name in coatcheck.__all__
        if isinstance(found := getattr(coatcheck, name), type) and issubclass(found, CoatcheckError)
    ]
    assert sorted(section("Errors")) == sorted(name for name in errors if name != "CoatcheckError")


@pytest.mark.parametrize(
    "name",
    ["login", "logout", "user_id", "authenticated_at", "require_fresh", "csrf_token", "check_csrf", "regenerate"],
)
def test_what_a_session_has_for_signing_in_has_a_row(name: str) -> None:
    assert hasattr(Session, name)
    assert name in section("The session")


@pytest.mark.parametrize("option", ["over_limit", "revocation_delay", "revocations_down", "store_down"])
def test_the_default_of_an_option_is_the_one_that_counts(option: str) -> None:
    found = re.search(rf"^\| `{config_key(option)}` \| `?\"?([\w.]+)", TEXT, re.MULTILINE)
    assert found
    assert found[1] == str(getattr(Settings(), option))
