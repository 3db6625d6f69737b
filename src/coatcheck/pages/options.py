"""What the page is told: once by the application, and with each request by the framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, TypeAlias, TypedDict

from coatcheck.errors import UsageError
from coatcheck.pages.reply import Policy
from coatcheck.pages.words import LANGUAGES, check_language, choose_language
from coatcheck.sessions import Sessions

Place: TypeAlias = Callable[[str], str | Awaitable[str]]


class PageOptions(TypedDict, total=False):
    """What an application may say about the page, which works without any of it.

    Where a function is given the request, this is the framework's.

    login_url: where a guest is led to, and who signs out here: text, or a function that is given the
        request. Without it, a guest gets a page with status 401.
    logout: signs out here, where the application has more to end than its session. It is given the request.
    place: gives words for an address, "Leipzig, Germany". For asyncio it may be awaited.
    language: "en" or "zh", or a function that is given the request and says which. Without it,
        the browser's `Accept-Language` counts.
    timezone: for the time of the sign-in. UTC without it.
    policy: sources by directive that templates of the application's own need beside the
        default `Content-Security-Policy`, such as `{"style-src": "'self'"}`.
    """

    login_url: str | Callable[[Any], str] | None
    logout: Callable[[Any], Any] | None
    place: Place | None
    language: str | Callable[[Any], str] | None
    timezone: tzinfo
    policy: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """What the page has to know of a request."""

    method: str
    path: str
    """Of this page, as the browser asked for it: percent-encoded."""
    accept_language: str = ""
    form: Mapping[str, str] = field(default_factory=dict)
    nonce: str
    """Random text, for the style of this one response."""
    source: Any = None
    """The framework's request, for the functions that the application has given."""
    sign_out: Callable[[], Any] | None = None
    """Signs out here as the framework does; None for `session.logout`."""


class PageSettings:
    """The options, checked. Raises `UsageError` for those that cannot be right."""

    def __init__(self, options: PageOptions) -> None:
        unknown = set(options) - set(PageOptions.__annotations__)
        if unknown:
            raise UsageError(f"the page has no option {', '.join(sorted(unknown))}")
        self._login_url = options.get("login_url")
        self._language = options.get("language")
        if isinstance(self._language, str):
            check_language(self._language)
        self.logout: Callable[[Any], Any] | None = options.get("logout")
        self.place: Place | None = options.get("place")
        for name, function in (("place", self.place), ("logout", self.logout)):
            if function is not None and not callable(function):
                raise UsageError(f"{name}= takes a function")
        if not (self._login_url is None or isinstance(self._login_url, str) or callable(self._login_url)):
            raise UsageError("login_url= takes text, or a function")
        self.zone: tzinfo = options.get("timezone") or UTC
        if not isinstance(self.zone, tzinfo):
            raise UsageError("timezone= takes a tzinfo, such as zoneinfo.ZoneInfo('Asia/Shanghai')")
        policy = options.get("policy") or {}
        if not isinstance(policy, Mapping) or not all(isinstance(each, str) for each in policy.values()):
            raise UsageError("policy= takes the sources, as one text, of each directive")
        self.policy: Policy = Policy(policy)

    def choose_words(self, request: PageRequest) -> Mapping[str, str]:
        """Gives the words of the language that the application or the browser wants."""
        wanted = self._language(request.source) if callable(self._language) else self._language
        return LANGUAGES[check_language(wanted) if wanted else choose_language(request.accept_language)]

    def find_login_url(self, request: PageRequest) -> str:
        """Gives where to sign in; "" where the application has not said it."""
        wanted = self._login_url
        return (wanted(request.source) if callable(wanted) else wanted) or ""


def check_memory(sessions: Sessions) -> None:
    """Raises `UsageError` where the page would have no list to show."""
    if not sessions.remembers:
        raise UsageError(
            "nothing remembers which sessions a user has, and the page has no list to show: keep sessions in a"
            " store, or give revocations= a URL, such as sqlite:///revoked.db"
        )
