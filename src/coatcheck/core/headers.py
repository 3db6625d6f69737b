"""What a response must say to caches when it depends on a session or sets its cookie."""

from __future__ import annotations

from collections.abc import Collection, Iterable

BODILESS = (204, 304)
"""Statuses without a body (RFC 9110, sections 15.3.5 and 15.4.5). Any other without a length is streamed."""


# What the browser has of the site (W3C Clear Site Data). Not "cookies": they are those of the whole domain, of its
# other sites too, and one of this response would be among them.
_CLEAR = '"cache", "storage"'


def protection(present: Iterable[tuple[str, str]], *, no_store: bool, clears: bool = False) -> dict[str, str]:
    """Gives the headers that are to take the place of those of their names, for a response that has these.

    Args:
        no_store: whether the response sets our cookie.
        clears: whether the browser is to clear what it has of the site. What the application says of that stays.
    """
    vary: list[str] = []
    control: list[str] = []
    # One walk: frameworks look each name up by another.
    for name, value in present:
        if len(name) == 4 and name.lower() == "vary":
            vary.append(value)
        elif len(name) == 13 and name.lower() == "cache-control":
            control.append(value)
        elif clears and name.lower() == "clear-site-data":
            clears = False
    changes = {
        "Vary": add_vary(vary),
        "Cache-Control": add_no_store(control) if no_store else None,
        "Clear-Site-Data": _CLEAR if clears else None,
    }
    return {name: value for name, value in changes.items() if value is not None}


def put(headers: list[tuple[str, str]], cookies: Collection[str], *, clears: bool = False) -> None:
    """Puts into a list of headers what a response says that depends on the session and sets these cookies."""
    changes = protection(headers, no_store=bool(cookies), clears=clears)
    if changes:
        replaced = {name.lower() for name in changes}
        headers[:] = [header for header in headers if header[0].lower() not in replaced]
        headers.extend(changes.items())
    headers.extend([("Set-Cookie", cookie) for cookie in cookies])


def add_vary(present: Collection[str]) -> str | None:
    """Gives the one `Vary` header that stands for these and says Cookie too; None where they say it already.

    `*` says everything (RFC 9110, section 12.5.5).
    """
    if not present:
        return "Cookie"
    fields = [field for value in present for field in (part.strip(" \t") for part in value.split(",")) if field]
    if any(field == "*" or field.lower() == "cookie" for field in fields):
        return None
    return ", ".join([*fields, "Cookie"])


def add_no_store(present: Collection[str]) -> str | None:
    """Gives the one `Cache-Control` header for a response that sets our cookie; None where it says so already.

    It replaces what the application said: a cache that stored the response would
    hand one visitor's cookie to the next (RFC 9111, section 5.2.2.5).
    """
    # A quoted string may hold the words and mean something else.
    plain = [value for value in present if '"' not in value]
    if any(part.strip(" \t").lower() == "no-store" for value in plain for part in value.split(",")):
        return None
    return "no-store"
