"""The `Cookie` header read and the `Set-Cookie` header written (RFC 6265bis).

Own code on purpose: frameworks disagree on doubled names, quotes, odd spaces
and percent signs, and what one of them reads as our name another one sent.
"""

from __future__ import annotations

import re
from time import gmtime

from coatcheck.core.settings import SECURE_PREFIXES, Settings

# Name and value together; RFC 6265bis, section 5.6, step 5.
LIMIT_BYTES = 4096
# A header is not read beyond this: servers stop at 8 to 64 KiB.
HEADER_BYTES = 65536 + LIMIT_BYTES

_LOCAL = re.compile(r"((.+\.)?localhost|127(\.\d{1,3}){3}|\[::1\]|)(:\d*)?", re.IGNORECASE)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def find_values(header: str, name: str) -> tuple[str, ...]:
    """Gives the values that a `Cookie` header has under exactly this name, in its order, each once.

    Nothing is unquoted or decoded. Around a pair, only spaces and tabs are
    dropped: dropping more lets `\\u2000__Host-session` pass for `__Host-session`.
    """
    start = name + "="
    at = header.find(start)
    if at < 0:
        return ()
    if at == 0 or header[at - 2 : at] == "; ":
        # As every browser sends it; splitting the whole header takes three times as long.
        begin = at + len(start)
        end = header.find(";", begin)
        if end < 0:
            return (header[begin:].rstrip(" \t"),)
        if header.find(start, end) < 0:
            return (header[begin:end].rstrip(" \t"),)
    pairs = (pair.strip(" \t") for pair in header.split(";"))
    return tuple(dict.fromkeys(pair[len(start) :] for pair in pairs if pair.startswith(start)))


def http_date(seconds: float) -> str:
    """Gives an instant as HTTP writes it (RFC 9110, section 5.6.7)."""
    year, month, day, hour, minute, second, weekday, *_ = gmtime(seconds)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month]} {year} {hour:02}:{minute:02}:{second:02} GMT"


class CookieWriter:
    """Writes the cookie of one name with the attributes of the settings."""

    __slots__ = ("_plain", "_secure", "_start", "_tail", "secure")

    def __init__(self, name: str, settings: Settings) -> None:
        self._start = name + "="
        prefix = name.lower()
        # An earlier name may promise more than the present settings do, and browsers hold it to that.
        host_only = prefix.startswith("__host-")
        attributes = "; HttpOnly" if settings.cookie_httponly else ""
        if settings.cookie_domain is not None and not host_only:
            attributes += f"; Domain={settings.cookie_domain}"
        attributes += f"; Path={'/' if host_only else settings.cookie_path}"
        if settings.cookie_samesite:
            attributes += f"; SameSite={settings.cookie_samesite}"
        if settings.cookie_partitioned:
            attributes += "; Partitioned"
        always = settings.cookie_secure is True or prefix.startswith(SECURE_PREFIXES)
        never = settings.cookie_secure is False and not always
        self._plain = attributes if not always else "; Secure" + attributes
        self._secure = attributes if never else "; Secure" + attributes
        self.secure: tuple[bool, bool] = (always, not never)
        self._tail: tuple[int, int, bool, str] = (-1, 0, False, "")

    def write(self, value: str, *, https: bool, max_age: int | None, now: int) -> str:
        """Gives the value of `Set-Cookie`. `max_age`, in seconds, is None for a cookie that ends with the browser."""
        if max_age is None:
            return self._start + value + (self._secure if https else self._plain)
        # The date changes once a second, and writing it takes longer than sealing.
        second, age, scheme, tail = self._tail
        if second != now or age != max_age or scheme is not https:
            tail = f"; Expires={http_date(now + max_age)}; Max-Age={max_age}{self._secure if https else self._plain}"
            self._tail = (now, max_age, https, tail)
        return self._start + value + tail

    def delete(self, *, https: bool) -> str:
        """Gives the `Set-Cookie` that deletes the cookie: with its attributes, or a browser takes it for another."""
        return self.write("", https=https, max_age=0, now=0)


def is_local(host: str) -> bool:
    """Says whether a `Host` header names the machine that the browser runs on."""
    return _LOCAL.fullmatch(host) is not None
