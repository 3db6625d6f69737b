"""The URL of a store: which it is, where, and its options."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from coatcheck.errors import UsageError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.*", re.DOTALL)
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
        if not isinstance(url, str) or not _URL.fullmatch(url):
            raise UsageError("a store is named by a URL, such as redis://localhost:6379/0")
        try:
            parts = urlsplit(url)
            credentials, _, places = parts.netloc.rpartition("@")
            user, _, password = credentials.partition(":")
            hosts = tuple(_host(place) for place in places.split(",") if place)
            query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            problem = "the URL of the store cannot be read; special characters in a password are percent-encoded"
            # Nothing of the URL, which may hold a password, goes along with the error.
            raise UsageError(problem) from None
        return cls(
            scheme=parts.scheme.lower(),
            user=unquote(user) or None,
            password=unquote(password) or None,
            hosts=hosts,
            path=unquote(parts.path),
            options={**query, **{name: value for name, value in keywords.items() if value is not None}},
        )

    def check(self, known: Iterable[str]) -> None:
        """Raises `UsageError` for an option that is not among the known ones."""
        names = sorted(known)
        for name in self.options:
            if name not in names:
                close = get_close_matches(name, names, 1)
                hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"
                raise UsageError(f"a {self.scheme} store has no option {name!r}; {hint}")

    def seconds(self, name: str, default: float) -> float:
        """Gives an option that is a positive number of seconds."""
        return _number(name, self.options.get(name, default), float)

    def count(self, name: str, default: int) -> int:
        """Gives an option that is a positive number."""
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


def _host(place: str) -> tuple[str, int | None]:
    parts = urlsplit(f"//{place}")
    if not parts.hostname:
        raise ValueError(place)
    return parts.hostname, parts.port


def _number(name: str, value: Any, kind: type[int] | type[float]) -> float:
    try:
        number = kind(value)
    except (TypeError, ValueError):
        number = kind(0)
    if isinstance(value, bool) or not 0 < number < 1e9:
        raise UsageError(f"the option {name!r} of a store is a number above 0")
    return number
