"""The demo's page as a test reads and uses it."""

from __future__ import annotations

from html.parser import HTMLParser

from flask.testing import FlaskClient

HOSTILE = "<script>alert(1)</script>\"'&小明"

_VOID = {"meta", "link", "br", "hr", "img", "input"}
# What HTML lets no paragraph hold (the phrasing content of its standard is the rest).
_BLOCKS = {"p", "div", "ul", "dl", "table", "pre", "section", "article", "nav", "form", "h1", "h2", "h3", "h4"}
_PARENTS = {
    "li": {"ul"},
    "dt": {"dl"},
    "dd": {"dl"},
    "thead": {"table"},
    "tbody": {"table"},
    "tr": {"thead", "tbody"},
    "th": {"tr"},
    "td": {"tr"},
}


class Element:
    """One element with its attributes and all text inside it."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.text = ""

    def __repr__(self) -> str:
        return f"<{self.tag} {self.attributes}>"


class Page(HTMLParser):
    """A page taken apart. Fails for one whose elements are not nested as HTML wants them, which browsers would mend."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attributes})
        assert len(element.attributes) == len(attributes), f"an attribute stands twice: {element}"
        above = [outer.tag for outer in self._open]
        if tag in _PARENTS:
            assert above[-1] in _PARENTS[tag], f"{element} in {above[-1]}"
        if tag in _BLOCKS:
            assert not {"p", "span", "code", "a", "button"} & set(above), f"{element} in {above}"
        if tag in ("a", "button"):
            assert not {"a", "button"} & set(above), f"{element} in {above}"
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> ends nothing"
        assert self._open[-1].tag == tag, f"</{tag}> ends {self._open[-1]}"
        self._open.pop()
        if tag in ("th", "td"):
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def texts(self, *tags: str) -> list[str]:
        """Gives the texts of all elements of these kinds, with single spaces."""
        return [" ".join(element.text.split()) for element in self.all(*tags)]

    def facts(self) -> dict[str, list[str]]:
        """Gives what the lists say: name, and the texts under it in the page's order."""
        facts: dict[str, list[str]] = {}
        name = ""
        for element in self.all("dt", "dd"):
            text = " ".join(element.text.split())
            if element.tag == "dt":
                name = text
            else:
                facts.setdefault(name, []).append(text)
        return facts


def html(client: FlaskClient, language: str = "en", path: str = "/inspect/") -> str:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    return answer.text


def look(client: FlaskClient, language: str = "en", path: str = "/inspect/") -> Page:
    return Page(html(client, language, path))


def token(client: FlaskClient) -> str:
    cookie = client.get_cookie("session")
    assert cookie is not None
    return cookie.value


def press(client: FlaskClient, action: str) -> str:
    """Presses a button and gives the address that the browser is led to."""
    answer = client.post("/inspect/", data={"action": action})
    assert answer.status_code == 303
    return answer.headers["Location"]
