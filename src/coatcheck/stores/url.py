"""The URL of a store: which it is, where, and its options.

What is wrong with one is said without repeating user, password or any value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl, unquote

from coatcheck.errors import UsageError

# Scheme, authority, path, query and fragment, as RFC 3986, appendix B, takes them apart. urllib's own leaves line
# breaks out without a word, where a password read from a file often has one, and refuses [::1] among several hosts.
_URL = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#\x00-\x1f\x7f]*))?"
    r"([^?#\x00-\x1f\x7f]*)(?:\?([^#\x00-\x1f\x7f]*))?(?:#([^\x00-\x1f\x7f]*))?"
)
_PLACE = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[^\[\]]+)?)\]|([^:\[\]]+))(?::([0-9]{0,5}))?")
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreURL:
    """A URL taken apart. Its repr shows no user and no password."""

    scheme: str
    """In lower case."""
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    hosts: tuple[tuple[str, int | None], ...] = ()
    """Name and port of each server, in the order of the URL."""
    path: str = ""
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    """From the query, and the keywords that win over it."""

    @classmethod
    def parse(cls, url: str, **keywords: Any) -> StoreURL:
        """Takes a URL apart: `scheme://user:password@host:port,host:port/path?option=value`.

        Raises `UsageError` for what is no URL; the message does not repeat it.
        """
        found = _URL.fullmatch(url) if isinstance(url, str) else None
        if not found:
            raise UsageError("a store is named by a URL, such as redis://localhost:6379/0 or sqlite:///sessions.db")
        try:
            return cls._parse(found, keywords)
        except ValueError:
            problem = "the URL of the store cannot be read; special characters in a password are percent-encoded"
            if found[1].lower() == "sqlite":
                problem = "the URL of the store cannot be read; that of a file is as sqlite:///sessions.db"
            # Nothing of the URL, which may hold a password, goes along with the error.
            raise UsageError(problem) from None

    @classmethod
    def _parse(cls, found: re.Match[str], keywords: dict[str, Any]) -> StoreURL:
        found[0].encode()
        scheme, authority, path, query_string, fragment = (part or "" for part in found.groups())
        credentials, _, places = authority.rpartition("@")
        user, _, password = credentials.partition(":")
        if "[" in credentials or fragment or (authority and "@" in path + query_string):
            # Then this is the rest of a password with a special character in it, and what comes before is the rest.
            raise ValueError("a password that is cut in two")
        pairs = parse_qsl(
            query_string, keep_blank_values=True, strict_parsing=bool(query_string), encoding="utf-8", errors="strict"
        )
        query = dict(pairs)
        if len(query) < len(pairs):
            raise ValueError("an option twice")
        return cls(
            scheme=scheme.lower(),
            user=_decoded(user) or None,
            password=_decoded(password) or None,
            hosts=tuple(_host(place) for place in places.split(",")) if places else (),
            path=_decoded(path),
            options={**query, **{name: value for name, value in keywords.items() if value is not None}},
        )

    def check(self, known: Iterable[str]) -> None:
        """Raises `UsageError` for an option that is not among the known ones."""
        names = sorted(known)
        for name in self.options:
            if name not in names:
                close = get_close_matches(name, names, 1)
                hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names) or 'none'}"
                raise UsageError(f"a {self.scheme} store has no option {name!r}; {hint}")

    def seconds(self, name: str, default: float) -> float:
        """Gives an option that is a positive number of seconds."""
        return _number(name, self.options.get(name, default), float)

    def count(self, name: str, default: int) -> int:
        """Gives an option that is a positive whole number."""
        return int(_number(name, self.options.get(name, default), int))

    def switch(self, name: str, *, default: bool) -> bool:
        """Gives an option that is on or off."""
        value = self.options.get(name, default)
        if isinstance(value, bool):
            return value
        if str(value).lower() not in _WORDS:
            raise UsageError(f"the option {name!r} of a store is true or false")
        return _WORDS[str(value).lower()]

    def text(self, name: str, default: str | None = None) -> str | None:
        """Gives an option that is text."""
        value = self.options.get(name, default)
        if value is not None and not isinstance(value, str):
            raise UsageError(f"the option {name!r} of a store is text")
        return value


def _decoded(part: str) -> str:
    return unquote(part, errors="strict")


def _host(place: str) -> tuple[str, int | None]:
    found = _PLACE.fullmatch(place)
    if not found:
        raise ValueError("no host")
    address, name, port = found.groups()
    if port and not 0 < int(port) < 2**16:
        raise ValueError("no port")
    return (address or name).lower(), int(port) if port else None


def _number(name: str, value: Any, kind: type[int | float]) -> float:
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        number = kind(0)
    is_cut = isinstance(value, float) and number != value
    if isinstance(value, bool) or is_cut or not 0 < number < 1e9:
        raise UsageError(f"the option {name!r} of a store is a number above 0")
    return number
