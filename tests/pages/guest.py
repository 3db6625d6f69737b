"""Somebody with a browser in front of a site, whatever it runs on: its cookies, and the page as it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from kit import attributes, name_and_value
from starlette.testclient import TestClient
from werkzeug.test import Client

ORIGIN = "https://shop.example"
LIST = "/account/sessions/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.5 Mobile/15E148 Safari/604.1"
)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    text: str

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        """Gives the one value of a header."""
        (value,) = self.all(name)
        return value

    @property
    def page(self) -> Page:
        return Page(self.text)


class Caller(Protocol):
    """Makes one request of an application, without cookies of its own."""

    def __call__(self, method: str, path: str, body: bytes, headers: Mapping[str, str], address: str) -> Answer: ...


def call_wsgi(app: Any) -> Caller:
    client = Client(app, use_cookies=False)

    def call(method: str, path: str, body: bytes, headers: Mapping[str, str], address: str) -> Answer:
        environ = {"REMOTE_ADDR": address}
        answer = client.open(
            path, method=method, base_url=ORIGIN, data=body, headers=dict(headers), environ_overrides=environ
        )
        with answer:
            return Answer(answer.status_code, list(answer.headers), answer.text)

    return call


@contextmanager
def calling_asgi(app: Any, *, lifespan: bool = True) -> Iterator[Caller]:
    """Gives what calls an application.

    Args:
        lifespan: whether the application wants to hear when it begins and ends. Django's does not.
    """
    addresses: list[str] = []

    async def placed(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" and not lifespan:
            for done in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{done}.complete"})
            return
        await app({**scope, "client": (addresses[-1], 50000)} if addresses else scope, receive, send)

    # All in one event loop, as in a server.
    with TestClient(placed, base_url=ORIGIN, follow_redirects=False) as client:

        def call(method: str, path: str, body: bytes, headers: Mapping[str, str], address: str) -> Answer:
            addresses[:] = [address]
            answer = client.request(method, path, content=body, headers=[_bytes(each) for each in headers.items()])
            client.cookies.clear()
            return Answer(answer.status_code, answer.headers.multi_items(), answer.text)

        yield call


def _bytes(header: tuple[str, str]) -> tuple[bytes, bytes]:
    name, value = header
    return name.encode("latin-1"), value.encode("latin-1")


class Guest:
    """A browser with cookies of its own."""

    def __init__(self, call: Caller, agent: str = FIREFOX, language: str = "en", address: str = "203.0.113.7") -> None:
        self._call = call
        self._address = address
        self._headers = {"User-Agent": agent, "Accept-Language": language}
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        answer = self._call(
            method, path, body, self._headers | (cookies if self.cookies else {}) | headers, self._address
        )
        for cookie in answer.all("Set-Cookie"):
            name, value = name_and_value(cookie)
            self.cookies.pop(name, None)
            if attributes(cookie).get("max-age") != "0":
                self.cookies[name] = value
        return answer

    def get(self, path: str = LIST) -> Answer:
        return self.ask("GET", path)

    def post(self, fields: Mapping[str, str], kind: str = "application/x-www-form-urlencoded") -> Answer:
        # What the policy of the page has a browser say.
        origin = {"Origin": ORIGIN, "Referer": ORIGIN + LIST}
        return self.ask("POST", LIST, urlencode(fields).encode(), **{"Content-Type": kind}, **origin)

    def sign_in(self, user: str = "ada") -> Guest:
        assert self.get(f"/login?user={user}").status in (302, 303)
        return self

    @property
    def greeting(self) -> str:
        return self.get("/").text

    def press(self, end: str) -> Answer:
        """Presses a button of the list: that with this value."""
        return self.post({"csrf": self.get().page.csrf, "end": end})


class Card(NamedTuple):
    """One session of the list."""

    device: str
    handle: str
    text: str


class Page(HTMLParser):
    """The page taken apart."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._texts: list[list[str]] = []
        self._open: list[int] = []
        self.feed(html)
        self.close()
        assert not self._open, "an element is left open"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))
        self._texts.append([])
        if tag not in ("meta", "link", "input", "br", "img"):
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for index in self._open:
            self._texts[index].append(data)

    def find(
        self, tag: str, where: Callable[[dict[str, str]], object] = lambda _: True
    ) -> list[tuple[dict[str, str], str]]:
        """Gives the attributes and the text of each element of a kind."""
        return [
            (attributes, " ".join("".join(text).split()))
            for (each, attributes), text in zip(self.elements, self._texts, strict=True)
            if each == tag and where(attributes)
        ]

    def texts(self, tag: str) -> list[str]:
        return [text for _, text in self.find(tag)]

    @property
    def csrf(self) -> str:
        ((field, _),) = self.find("input", lambda attributes: attributes["name"] == "csrf")
        return field["value"]

    @property
    def cards(self) -> list[Card]:
        handles = [button["value"] for button, _ in self.find("button") if button["value"] != "others"]
        return [
            Card(device, handle, text)
            for device, handle, text in zip(self.texts("h2"), handles, self.texts("li"), strict=True)
        ]

    def handle_of(self, device: str) -> str:
        (handle,) = [card.handle for card in self.cards if card.device == device]
        return handle

    @property
    def notice(self) -> str:
        return " ".join(text for attributes, text in self.find("p") if attributes.get("role") in ("status", "alert"))
