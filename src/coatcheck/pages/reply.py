"""What the page answers, before a framework makes a response of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from coatcheck.errors import UsageError

_POLICY = {
    "default-src": "'none'",
    "style-src": "",
    "img-src": "data:",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A response: the framework renders the template, where there is one, and adds the headers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    template: str | None = None
    """None for a redirect."""
    context: Mapping[str, Any] = field(default_factory=dict)

    def adding(self, *headers: tuple[str, str]) -> Reply:
        return replace(self, headers=(*self.headers, *headers))


def redirect(location: str) -> Reply:
    """Leads the browser to an address with a GET."""
    return Reply(status=303, headers=(("Location", location), ("Cache-Control", "no-store")))


def page(status: int, template: str, context: Mapping[str, Any], policy: str) -> Reply:
    """Gives a page that nobody keeps, frames or puts a script into.

    Args:
        policy: the `Content-Security-Policy`.
    """
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Language", context["words"]["lang"]),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", policy),
        # Not less: Django wants to see where a form comes from.
        ("Referrer-Policy", "same-origin"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Vary", "Accept-Language"),
    )
    return Reply(status=status, headers=headers, template=template, context=context)


class Policy:
    """The `Content-Security-Policy` of the pages: no scripts, no frames, and styles by a nonce.

    Args:
        more: sources by directive, for templates of the application's own: `{"style-src": "'self'"}`.

    Raises `UsageError` for what would end a directive or the header.
    """

    def __init__(self, more: Mapping[str, str]) -> None:
        for directive, sources in more.items():
            if not _fits(directive + sources) or " " in directive:
                text = f"{directive} {sources}"
                raise UsageError(f"policy= takes the sources of a directive, and these cannot be: {text!r}")
        self._directives: dict[str, str] = {**_POLICY, **more}

    def write(self, nonce: str, login_url: str = "") -> str:
        """Gives the header. To sign out here leads to `login_url`, and browsers hold that too for the form's target."""
        directives = dict(self._directives)
        directives["style-src"] = f"{directives['style-src']} 'nonce-{nonce}'".lstrip()
        address = urlsplit(login_url)
        if address.scheme in ("http", "https") and address.netloc and _fits(address.netloc):
            directives["form-action"] += f" {address.scheme}://{address.netloc}"
        return "; ".join(f"{directive} {sources}" for directive, sources in directives.items())


def _fits(sources: str) -> bool:
    """Says whether a text ends neither its directive nor the header."""
    return sources.isascii() and sources.isprintable() and not {";", ","} & set(sources)
