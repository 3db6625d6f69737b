"""What a response must say to caches when it depends on a session or sets its cookie."""

from __future__ import annotations

from collections.abc import Collection


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
