"""The page of the demo that shows a session from both ends: its buttons, and the empty sessions they lead to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from examples.page import HOSTILE, Page, look, press, token
from flask import Flask
from kit import attributes, name_and_value

from coatcheck import Reason
from coatcheck.testing import Clock

each_language = pytest.mark.parametrize("language", ["en", "zh-CN"])


# Empty sessions, and why they are


@each_language
def test_without_a_cookie_it_says_what_to_do(demo: Flask, language: str) -> None:
    page = look(demo.test_client(), language)
    chinese = language == "zh-CN"
    assert ("会话是空的" if chinese else "The session is empty") in page.texts("h3")
    assert ("浏览器没有本站的 Cookie。" if chinese else "Your browser holds no cookie of this site.") in page.texts("p")
    assert [link.attributes["href"] for link in page.all("a")] == ["/username/", "/", "/account/"]
    assert page.all("button")[-1].attributes["disabled"] == ""
    assert not page.all("meter")


def test_a_changed_character_gives_an_empty_session_and_the_reason(demo: Flask) -> None:
    client = demo.test_client()
    client.get("/")
    before = token(client)
    location = press(client, "tamper")
    assert location == "/inspect/?after=tamper"
    after = token(client)
    assert len(after) == len(before)
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1
    page = look(client, path=location)
    assert "The session is empty" in page.texts("h3")
    reason = "Its tag does not fit: something in it was changed after it was sealed. forged"
    assert page.facts()["Reason"] == [reason]
    assert page.facts()["Value"] == [after]
    notice = "One character in the middle of your cookie was changed. Press the button once more to change it back."
    assert notice in page.texts("p")
    assert client.get("/username/").text == "Nobody is logged in."
    # Nothing was sent that would take the cookie away from the browser.
    assert token(client) == after


def test_a_changed_character_is_changed_back(demo: Flask) -> None:
    client = demo.test_client()
    client.get("/")
    before = token(client)
    press(client, "tamper")
    press(client, "tamper")
    assert token(client) == before
    assert client.get("/username/").text == "xiaoming"


def test_the_changed_cookie_has_the_attributes_of_the_other(demo: Flask) -> None:
    client = demo.test_client()
    cookie = client.get("/").headers["Set-Cookie"]
    answer = client.post("/inspect/", data={"action": "tamper"})
    (changed,) = answer.headers.getlist("Set-Cookie")
    assert attributes(changed) == attributes(cookie)
    assert name_and_value(changed)[0] == name_and_value(cookie)[0]
    assert answer.headers["Cache-Control"] == "no-store"


@each_language
def test_a_cookie_of_an_earlier_start_says_why_it_does_not_open(start_demo: Callable[[], Flask], language: str) -> None:
    earlier = start_demo().test_client()
    earlier.get("/")
    client = start_demo().test_client()
    client.set_cookie("session", token(earlier))
    page = look(client, language)
    (reason,) = page.facts()["原因" if language == "zh-CN" else "Reason"]
    texts = {
        "en": "It was sealed with a key that this server lacks: the demo makes a new one at each start. unknown_key",
        "zh-CN": "服务器没有封装它的密钥：演示程序每次启动都会生成新密钥。 unknown_key",
    }
    assert reason == texts[language]


def test_a_cookie_of_another_program_is_no_token(demo: Flask) -> None:
    client = demo.test_client()
    client.set_cookie("session", "eyJhIjoxfQ.aaaaaa.bbbbbbbbbbbbbbb")
    page = look(client)
    assert page.facts()["Reason"][0].endswith(" malformed")
    assert "This is no token of coatcheck’s format. Perhaps another program on this host has set it." in page.texts("p")


def test_a_cookie_that_was_not_used_for_a_week_has_expired(demo: Flask, clock: Clock) -> None:
    client = demo.test_client(use_cookies=False)
    cookie = client.get("/").headers["Set-Cookie"].partition(";")[0]
    clock.advance(timedelta(days=7, seconds=1).total_seconds())
    page = Page(client.get("/inspect/", headers={"Cookie": cookie}).text)
    assert page.facts()["Reason"] == ["It was not used for longer than a session lives. expired"]


def test_of_several_cookies_the_one_that_opens_is_shown(demo: Flask) -> None:
    client = demo.test_client(use_cookies=False)
    cookie = client.get("/").headers["Set-Cookie"].partition(";")[0]
    page = Page(client.get("/inspect/", headers={"Cookie": f"session=rubbish; {cookie}"}).text)
    assert page.facts()["Value"][0] == cookie.partition("=")[2]
    assert "Reason" not in page.facts()


@each_language
@pytest.mark.parametrize("reason", list(Reason))
def test_there_is_a_text_for_every_reason(demo: Flask, reason: Reason, language: str) -> None:
    from words import say

    with demo.test_request_context(headers={"Accept-Language": language}):
        assert len(say(reason.value)) > 5


# The buttons


def test_the_first_button_keeps_the_name(demo: Flask) -> None:
    client = demo.test_client()
    location = press(client, "index")
    assert location == "/inspect/?after=index"
    assert client.get("/username/").text == "xiaoming"
    notice = "/ was visited. It kept the name in the session, and your browser was sent a new cookie."
    assert notice in look(client, path=location).texts("p")


def test_the_third_button_deletes_it(demo: Flask) -> None:
    client = demo.test_client()
    client.get("/")
    location = press(client, "delete_user")
    assert client.get("/username/").text == "Nobody is logged in."
    page = look(client, "zh-CN", location)
    assert "已访问 /delete_user/：用户名已不在会话里。_permanent 可能还在，那是 Flask 的标记。" in page.texts("p")


@pytest.mark.parametrize("action", ["", "tamper", "static", "inspector.inspect", HOSTILE])
def test_nothing_else_can_be_pressed(demo: Flask, action: str) -> None:
    answer = demo.test_client().post("/inspect/", data={"action": action})
    assert answer.headers["Location"] == "/inspect/"
    assert "Set-Cookie" not in answer.headers
