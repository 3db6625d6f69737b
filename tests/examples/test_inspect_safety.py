"""The page of the demo that shows a session from both ends: what holds for it in every state."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from examples.page import HOSTILE, Page, html, look, press
from flask import Flask
from flask.testing import FlaskClient

from coatcheck.testing import Clock

each_language = pytest.mark.parametrize("language", ["en", "zh-CN"])


@pytest.fixture(params=["empty", "with content", "tampered", "of another program", "large", "hostile"])
def client(request: pytest.FixtureRequest, demo: Flask) -> FlaskClient:
    client = demo.test_client()
    if request.param in ("with content", "tampered"):
        client.get("/")
    if request.param == "tampered":
        press(client, "tamper")
    if request.param == "of another program":
        client.set_cookie("session", HOSTILE)
    if request.param == "large":
        with client.session_transaction() as own:
            own["text"] = "x" * 2900
    if request.param == "hostile":
        with client.session_transaction() as own:
            own[HOSTILE] = [HOSTILE]
    return client


@each_language
def test_it_has_one_heading_of_each_step_and_names_its_landmarks(client: FlaskClient, language: str) -> None:
    page = look(client, language)
    levels = [int(heading.tag[1]) for heading in page.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert [element.tag for element in page.all("header", "nav", "main", "footer")] == [
        "header",
        "nav",
        "main",
        "footer",
    ]
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    for element in page.elements:
        for attribute in ("aria-labelledby", "aria-describedby"):
            assert element.attributes.get(attribute, ids[0]) in ids
    for section in page.all("nav", "section", "article", "meter"):
        assert "aria-labelledby" in section.attributes
    for cell in page.all("th"):
        assert cell.attributes["scope"] in ("row", "col")
    (viewport,) = [element for element in page.all("meta") if element.attributes.get("name") == "viewport"]
    assert viewport.attributes["content"] == "width=device-width, initial-scale=1"


@each_language
def test_it_needs_nothing_from_elsewhere_and_no_script(client: FlaskClient, language: str) -> None:
    text = html(client, language)
    page = Page(text)
    addresses = [
        element.attributes[name]
        for element in page.elements
        for name in ("src", "href", "action", "srcset", "data", "poster", "formaction", "content")
        if name in element.attributes and element.tag != "meta"
    ]
    assert "/static/inspect.css" in addresses
    for address in addresses:
        assert re.fullmatch("/[a-z_]*(/[a-z.]*)?", address), address
        with client.get(address) as answer:
            assert answer.status_code == 200
    for banned in ("script", "style", "iframe", "object", "embed", "base", "img"):
        assert not page.all(banned)
    for element in page.elements:
        assert not [name for name in element.attributes if name.startswith("on") or name == "style"]
    with client.get("/static/inspect.css") as answer:
        css = answer.get_data(as_text=True)
    assert "url(" not in css
    assert "@import" not in css
    assert "@font-face" not in css


def test_looking_writes_nothing_and_is_stored_nowhere(client: FlaskClient, clock: Clock) -> None:
    # Two hours on, a view that looked would have the session sealed anew.
    clock.advance(7200)
    answer = client.get("/inspect/")
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Vary"] == "Cookie, Accept-Language"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self';")


def test_the_content_is_escaped_everywhere(demo: Flask) -> None:
    client = demo.test_client()
    with client.session_transaction() as own:
        own[HOSTILE] = HOSTILE
        own["list"] = [HOSTILE]
    text = html(client)
    assert "<script" not in text
    page = Page(text)
    assert f"{HOSTILE} {HOSTILE!r}" in page.texts("tr")
    assert HOSTILE.replace('"', '\\"') in page.texts("pre")[0]


def test_the_cookie_and_the_address_are_escaped_too(demo: Flask) -> None:
    client = demo.test_client(use_cookies=False)
    answer = client.get("/inspect/?after=<script>", headers={"Cookie": "session=<script>alert(1)</script>"})
    text = answer.get_data(as_text=True)
    assert "<script" not in text
    assert Page(text).facts()["Value"] == ["<script>alert(1)</script>"]


def test_both_languages_say_the_same_things(demo: Flask) -> None:
    """A value that one language names and the other does not would be lost."""
    import words

    for english, chinese in words.TEXTS.values():
        assert sorted(re.findall(r"\{\w+\}|<[^>]+>", english)) == sorted(re.findall(r"\{\w+\}|<[^>]+>", chinese))
        assert re.search("[\u4e00-\u9fff]", chinese)
        assert not re.search("[\u3000-\u9fff\uff00-\uffef]", english)


def test_the_icon_is_found_where_browsers_look_for_it(demo: Flask) -> None:
    with demo.test_client().get("/favicon.ico") as answer:
        assert answer.content_type.partition(";")[0] == "image/svg+xml"
        assert "Set-Cookie" not in answer.headers
