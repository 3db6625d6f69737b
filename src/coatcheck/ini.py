"""Options that come as text, from an ini file or the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from coatcheck.core.settings import Settings

_WORDS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}
_NUMBERS: tuple[tuple[str, type[int | float]], ...] = (("timedelta", float), ("float", float), ("int", int))
_KINDS = {field.name: str(field.type) for field in fields(Settings)} | {"secret_key_fallbacks": "tuple"}


def read(options: Mapping[str, Any]) -> dict[str, Any]:
    """Gives options with those that are text read as what they are: a switch, a number of seconds, a list of words.

    What is empty is not given. What is none of its kind stays text, and `Settings` refuses it.
    """
    return {
        option: _read(value.strip(), _KINDS.get(option, "")) if isinstance(value, str) else value
        for option, value in options.items()
    }


def _read(text: str, kind: str) -> Any:
    word = _WORDS.get(text.lower())
    if not text:
        return None
    if word is not None and ("bool" in kind or (word is False and "SameSite" in kind)):
        return word
    for name, number in _NUMBERS:
        if kind.startswith(name):
            try:
                return number(text)
            except ValueError:
                return text
    return text.split() if "tuple" in kind else text
