"""Options that come as text."""

from __future__ import annotations

from typing import Any

import pytest

from coatcheck import UsageError, ini
from coatcheck.core.settings import Settings


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("max_sessions_per_user", "3", 3),
        ("revocation_delay", "2.5", 2.5),
        ("permanent_lifetime", " 60 ", 60.0),
        ("refresh_interval", "", None),
        ("cookie_httponly", "off", False),
        ("cookie_samesite", "no", False),
        ("cookie_name", "on", "on"),
        ("earlier_cookie_names", "one two", ["one", "two"]),
        ("store", "memory:", "memory:"),
    ],
)
def test_text_is_read_as_what_the_option_is(option: str, text: str, value: Any) -> None:
    (found,) = ini.read({option: text}).values()
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("option", ["max_sessions_per_user", "revocation_delay", "permanent_lifetime"])
@pytest.mark.parametrize("text", ["many", "3 or 4", "nan", "-1"])
def test_what_is_no_number_is_refused_with_the_name_of_the_option(option: str, text: str) -> None:
    with pytest.raises(UsageError, match=option):
        Settings.read(ini.read({option: text}))
