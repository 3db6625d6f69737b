"""What the behaviour suite asks of a host: an application whose pages are given as functions of the session."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

from coatcheck import Session, UsageError


class Asking:
    """A page that lists or ends the sessions of a user.

    Args:
        call: gets the session, and what the host's documentation names for the calls (`accounts`). Gives what one of
            these gives; an async host awaits it.
        show: makes the text of the page of that. A `UsageError` is shown by its name.
    """

    def __init__(self, call: Callable[[Session, Any], Any], show: Callable[[Any], str] = repr) -> None:
        self._call = call
        self._show = show

    def text(self, session: Session, accounts: Any) -> str:
        try:
            return self._show(self._call(session, accounts))
        except UsageError as error:
            return type(error).__name__

    async def text_async(self, session: Session, accounts: Any) -> str:
        try:
            return self._show(await self._call(session, accounts))
        except UsageError as error:
            return type(error).__name__


View: TypeAlias = Callable[[Session], object] | Asking
"""A page. It gets the session, and gives the text of the page, or None. A generator function is a streamed page:
what it yields is sent piece by piece, and the code before the first piece runs when the headers are gone."""


class Page(str):
    """What a page gives that sets headers of its own."""

    headers: Mapping[str, str]

    @classmethod
    def of(cls, text: str, headers: Mapping[str, str]) -> Self:
        page = cls(text)
        page.headers = headers
        return page


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """As sent: several of one name stay apart."""
    text: str
    broken: bool = False
    """Whether the application or the server gave up after the headers were gone."""

    def all(self, name: str) -> list[str]:
        """Gives the values of a header, in their order."""
        return [value for each, value in self.headers if each.lower() == name.lower()]

    @property
    def timeless(self) -> Self:
        """The same without its `Date`, to compare it with another."""
        return self._replace(headers=tuple(each for each in self.headers if each[0].lower() != "date"))

    @property
    def cookies(self) -> list[str]:
        return self.all("Set-Cookie")

    @property
    def vary(self) -> list[str]:
        return [field.strip().lower() for value in self.all("Vary") for field in value.split(",")]

    @property
    def cache(self) -> list[str]:
        return [field.strip().lower() for value in self.all("Cache-Control") for field in value.split(",")]


class Host(ABC):
    """One framework with our sessions. Each adapter is a subclass.

    `views` are the pages by name: `/name`. They may be changed after the application is built.
    `options` are ours, as keywords (`secret_key=`, `store=`, `cookie_name=`, `clock=`, `on_event=`, ...). A store
    comes as a sync `Store` object or a URL; an adapter whose host is async makes of it what that needs.
    An error in a page or in the session becomes what the host answers in production, 500 or 503; it is not raised.
    """

    name: ClassVar[str]
    """As the table of the documentation calls it."""
    is_async: ClassVar[bool]
    differs: ClassVar[Mapping[str, str]] = {}
    """By the name of a test of the suite: why this host cannot do that. Some case of the test must then fail."""

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        self.views = views
        self.options = options

    @abstractmethod
    def get(
        self,
        path: str,
        cookies: str | Sequence[str] = (),
        *,
        https: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """Makes a request, with these raw `Cookie` headers."""

    def close(self) -> None:  # noqa: B027  # most have nothing to end
        """Ends what the host has begun."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Browser:
    """Keeps the cookies that a host sets, and sends them all."""

    def __init__(self, host: Host, *, https: bool = True) -> None:
        self.host = host
        self.https = https
        self.cookies: dict[str, str] = {}

    @property
    def header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def copy(self) -> Browser:
        """Gives what somebody has who copied the cookies."""
        thief = Browser(self.host)
        thief.cookies.update(self.cookies)
        return thief

    def get(self, path: str, **how: Any) -> Answer:
        answer = self.host.get(path, self.header or (), https=self.https, **how)
        for cookie in answer.cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            if "max-age=0" in cookie.lower().replace(" ", "").split(";"):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer


async def pieces_async(view: View, session: Session, accounts: Any) -> str | Iterator[str]:
    """As `pieces`, for a host whose account calls are awaited."""
    return await view.text_async(session, accounts) if isinstance(view, Asking) else pieces(view, session, accounts)


def pieces(view: View, session: Session, accounts: Any) -> str | Iterator[str]:
    """Runs a page, with what has the account calls. Gives its text, or the pieces of a streamed one."""
    if isinstance(view, Asking):
        return view.text(session, accounts)
    result = view(session)
    if isinstance(result, (Iterator, Page)):
        return result
    return "" if result is None else str(result)


def headers_of(result: str | Iterator[str]) -> dict[str, str]:
    """Gives the headers that a page sets."""
    return dict(result.headers) if isinstance(result, Page) else {}
