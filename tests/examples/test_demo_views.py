"""The demo's three views, as a program without a browser uses them."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from datetime import timedelta

import pytest
from flask import Flask
from kit import attributes, name_and_value
from werkzeug.http import http_date
from werkzeug.test import TestResponse

from coatcheck.testing import Clock

WEEK = 604800
NOBODY = {"en": "Nobody is logged in.", "zh-CN": "没有人登录。"}
DELETED = {"en": "The name is deleted.", "zh-CN": "用户名已删除。"}
NOTHING_DELETED = {"en": "There was no name to delete.", "zh-CN": "没有可以删除的用户名。"}

each_language = pytest.mark.parametrize("language", ["en", "zh-CN"])


def said(answer: TestResponse) -> str:
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    return answer.text


@each_language
def test_the_index_says_hello_world_in_every_language(demo: Flask, language: str) -> None:
    answer = demo.test_client().get("/", headers={"Accept-Language": language})
    assert said(answer) == "Hello World!"
    assert answer.headers["Vary"] == "Cookie"
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_index_sets_a_cookie_that_lives_a_week(demo: Flask, clock: Clock) -> None:
    answer = demo.test_client().get("/")
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert name_and_value(cookie)[0] == "session"
    assert attributes(cookie) == {
        "expires": http_date(clock.now + WEEK),
        "max-age": "604800",
        "httponly": "",
        "path": "/",
        "samesite": "Lax",
    }


def test_the_cookie_is_base64url_and_shows_nothing_of_the_content(demo: Flask) -> None:
    _, value = name_and_value(demo.test_client().get("/").headers["Set-Cookie"])
    assert re.fullmatch("[A-Za-z0-9_-]+", value)
    raw = urlsafe_b64decode(value + "=" * (-len(value) % 4))
    for word in ("xiaoming", "username", "permanent"):
        assert word not in value
        assert word.encode() not in raw
        # Nor in whatever else the text might be an encoding of: hexadecimal, reversed, other case.
        assert word.encode().hex() not in raw.hex()
        assert word[::-1].encode() not in raw
        assert word.encode() not in raw.lower()


@each_language
def test_the_name_is_read(demo: Flask, language: str) -> None:
    client = demo.test_client()
    client.get("/")
    answer = client.get("/username/", headers={"Accept-Language": language})
    assert said(answer) == "xiaoming"
    assert "Set-Cookie" not in answer.headers


@each_language
def test_who_is_not_logged_in_is_told_so(demo: Flask, language: str) -> None:
    answer = demo.test_client().get("/username/", headers={"Accept-Language": language})
    assert said(answer) == NOBODY[language]
    assert answer.headers["Vary"] == "Accept-Language, Cookie"
    assert "Set-Cookie" not in answer.headers


@each_language
def test_the_name_is_deleted_once(demo: Flask, language: str) -> None:
    client = demo.test_client()
    headers = {"Accept-Language": language}
    client.get("/")
    assert said(client.get("/delete_user/", headers=headers)) == DELETED[language]
    again = client.get("/delete_user/", headers=headers)
    assert said(again) == NOTHING_DELETED[language]
    assert "Set-Cookie" not in again.headers
    assert said(client.get("/username/", headers=headers)) == NOBODY[language]


def test_a_name_is_no_html(demo: Flask) -> None:
    client = demo.test_client()
    with client.session_transaction() as session:
        session["username"] = "<script>alert('小明')</script>"
    assert said(client.get("/username/")) == "&lt;script&gt;alert(&#39;小明&#39;)&lt;/script&gt;"


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("zh", "zh-CN"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("zh-Hans-CN", "zh-CN"),
        ("en-US,en;q=0.9,zh-CN;q=0.8", "en"),
        ("fr-FR,zh-CN;q=0.5", "zh-CN"),
        ("fr", "en"),
        ("*", "en"),
        ("zh-CN;q=0, en;q=0.1", "en"),
        (";;q=x,,\x7f", "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_likes_best(demo: Flask, wanted: str, given: str) -> None:
    assert said(demo.test_client().get("/username/", headers={"Accept-Language": wanted})) == NOBODY[given]


def test_after_a_week_unseen_the_name_is_gone_whatever_the_browser_keeps(demo: Flask, clock: Clock) -> None:
    cookie = demo.test_client().get("/").headers["Set-Cookie"].partition(";")[0]
    client = demo.test_client(use_cookies=False)
    clock.advance(timedelta(days=7).total_seconds())
    assert said(client.get("/username/", headers={"Cookie": cookie})) == "xiaoming"
    clock.advance(1)
    assert said(client.get("/username/", headers={"Cookie": cookie})) == NOBODY["en"]
