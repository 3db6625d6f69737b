"""The demo as Chromium sees it: its cookie, its views, and the page that shows both ends."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from browser.scripts import FAINT_TEXT, FOCUSED, OVERFLOWING
from browser.visitor import Visitor, cookie_of, each_language, program
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser

WEEK = 604800
each_state = pytest.mark.parametrize("state", ["empty", "with content", "tampered"])


def tamper(visitor: Visitor) -> None:
    """Changes one character of the cookie, as one does in the browser's own tools."""
    cookie = cookie_of(visitor)
    value = cookie["value"]
    other = "A" if value[80] != "A" else "B"
    visitor.driver.delete_cookie("session")
    visitor.driver.add_cookie(cookie | {"value": value[:80] + other + value[81:]})
    assert cookie_of(visitor)["value"] != value


def bring_about(visitor: Visitor, state: str) -> None:
    if state != "empty":
        visitor.visit("/")
    if state == "tampered":
        tamper(visitor)
    visitor.visit("/inspect/")


def test_the_browser_keeps_the_cookie_for_a_week_and_from_scripts(visitor: Visitor) -> None:
    assert visitor.visit("/") == "Hello World!"
    cookie = cookie_of(visitor)
    assert abs(cookie.pop("expiry") - time.time() - WEEK) < 120
    assert len(cookie.pop("value")) > 100
    assert cookie == {
        "name": "session",
        "domain": "127.0.0.1",
        "path": "/",
        "httpOnly": True,
        "secure": False,
        "sameSite": "Lax",
    }
    assert visitor.run("return document.cookie") == ""


def test_the_name_is_kept_read_and_deleted_once(visitor: Visitor) -> None:
    assert visitor.visit("/username/") == "Nobody is logged in."
    visitor.visit("/")
    assert visitor.visit("/username/") == "xiaoming"
    assert visitor.visit("/delete_user/") == "The name is deleted."
    assert visitor.visit("/delete_user/") == "There was no name to delete."
    assert visitor.visit("/username/") == "Nobody is logged in."


def test_the_views_answer_in_chinese(chinese_visitor: Visitor) -> None:
    assert chinese_visitor.visit("/username/") == "没有人登录。"
    assert chinese_visitor.visit("/") == "Hello World!"
    assert chinese_visitor.visit("/username/") == "xiaoming"
    assert chinese_visitor.visit("/delete_user/") == "用户名已删除。"
    assert chinese_visitor.visit("/delete_user/") == "没有可以删除的用户名。"


def test_the_page_shows_both_ends_in_english(visitor: Visitor) -> None:
    visitor.visit("/")
    text = visitor.visit("/inspect/")
    assert visitor.run("return [document.documentElement.lang, document.title]") == ["en", "What is in the cookie?"]
    assert cookie_of(visitor)["value"] in text
    assert "Max-Age=604800" in text
    assert "'xiaoming'" in text
    assert '"username": "xiaoming"' in text
    assert "in 6 days 23 hours" in text or "in 7 days" in text


def test_the_page_shows_both_ends_in_chinese(chinese_visitor: Visitor) -> None:
    chinese_visitor.visit("/")
    text = chinese_visitor.visit("/inspect/")
    assert chinese_visitor.run("return [document.documentElement.lang, document.title]") == [
        "zh-CN",
        "Cookie 里有什么？",
    ]
    assert cookie_of(chinese_visitor)["value"] in text
    assert "服务器看到的" in text
    assert "'xiaoming'" in text


def test_looking_at_the_page_leaves_the_cookie_as_it_is(visitor: Visitor) -> None:
    visitor.visit("/")
    before = cookie_of(visitor)
    visitor.visit("/inspect/")
    visitor.visit("/inspect/")
    assert cookie_of(visitor) == before


def test_one_changed_character_gives_an_empty_session_and_no_error(visitor: Visitor) -> None:
    visitor.visit("/")
    tamper(visitor)
    assert visitor.visit("/username/") == "Nobody is logged in."
    text = visitor.visit("/inspect/")
    assert "The session is empty" in text
    assert "Its tag does not fit: something in it was changed after it was sealed." in text
    # The next write makes it good.
    visitor.visit("/")
    assert visitor.visit("/username/") == "xiaoming"


def test_a_cookie_from_before_a_restart_says_why_it_does_not_open(visitor: Visitor, restarted_demo: str) -> None:
    visitor.visit("/")
    visitor.origin = restarted_demo
    assert visitor.visit("/username/") == "Nobody is logged in."
    assert "It was sealed with a key that this server lacks" in visitor.visit("/inspect/")
    visitor.visit("/")
    assert visitor.visit("/username/") == "xiaoming"


def test_the_buttons_set_change_and_delete(visitor: Visitor) -> None:
    visitor.visit("/inspect/")
    assert "'xiaoming'" in visitor.press("Visit /")
    good = cookie_of(visitor)["value"]
    visitor.visit("/inspect/")
    assert "The session is empty" in visitor.press("Change one character")
    visitor.visit("/inspect/")
    assert "'xiaoming'" in visitor.press("Change one character")
    assert cookie_of(visitor)["value"] == good
    visitor.visit("/inspect/")
    assert "'xiaoming'" not in visitor.press("Visit /delete_user/")
    assert visitor.visit("/username/") == "Nobody is logged in."


def test_the_page_is_read_again_after_going_back(visitor: Visitor) -> None:
    visitor.visit("/inspect/")
    visitor.visit("/")
    visitor.driver.back()
    assert "'xiaoming'" in visitor.text


def test_everything_is_reached_and_pressed_by_keyboard(visitor: Visitor) -> None:
    visitor.visit("/")
    visitor.visit("/inspect/")
    reached = []
    for _ in range(4):
        visitor.type(Keys.TAB)
        reached.append(visitor.run(FOCUSED))
    texts = ["Visit /", "Visit /username/", "Visit /delete_user/", "Change one character"]
    assert reached == [[text, True] for text in texts]
    visitor.type(Keys.ENTER)
    assert visitor.driver.current_url == f"{visitor.origin}/inspect/?after=tamper"
    # An empty session has a link more, to where it begins.
    visitor.type(*[Keys.TAB] * 5)
    assert visitor.run(FOCUSED) == ["Visit /", True]
    visitor.type(Keys.ENTER)
    assert visitor.text == "Hello World!"


@each_language
@each_state
@pytest.mark.parametrize(("width", "height"), [(390, 844), (320, 640), (700, 900), (1280, 900)])
def test_nothing_stands_out_at_the_side(
    arrive: Callable[[str], Visitor], languages: str, state: str, width: int, height: int
) -> None:
    visitor = arrive(languages)
    visitor.resize(width, height)
    bring_about(visitor, state)
    assert visitor.run("return innerWidth") == width
    assert visitor.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert visitor.run(OVERFLOWING) == []


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 900)])
def test_long_and_hostile_words_stay_in_their_place(visitor: Visitor, full_demo: str, width: int, height: int) -> None:
    visitor.origin = full_demo
    visitor.resize(width, height)
    assert visitor.visit("/fill/") == "filled"
    text = visitor.visit("/inspect/")
    assert "<script>document.title = 'taken over'</script>" in text
    assert "<img src=x" in text
    assert "k" * 300 in text
    assert visitor.driver.title == "What is in the cookie?"
    assert visitor.run(OVERFLOWING) == []


@pytest.mark.parametrize(("width", "columns"), [(390, 1), (700, 1), (701, 2), (1280, 2)])
def test_the_two_ends_stand_side_by_side_where_there_is_room(visitor: Visitor, width: int, columns: int) -> None:
    visitor.resize(width, 900)
    bring_about(visitor, "with content")
    lefts = visitor.run(
        "return [...document.querySelectorAll('section')].map(each => each.getBoundingClientRect().left)"
    )
    assert len(lefts) == 2
    assert len(set(lefts)) == columns


@each_language
@each_state
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast(arrive: Callable[[str], Visitor], languages: str, state: str, scheme: str) -> None:
    visitor = arrive(languages)
    visitor.prefer(scheme)
    bring_about(visitor, state)
    red, *_ = visitor.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (red < 128) == (scheme == "dark")
    seen, faint = visitor.run(FAINT_TEXT)
    assert seen > 15
    assert faint == []


def test_chinese_has_a_font(chinese_visitor: Visitor) -> None:
    chinese_visitor.visit("/inspect/")
    # Without one, every character is the same box.
    drawn = """
      const canvas = document.createElement("canvas");
      const draw = canvas.getContext("2d");
      draw.font = "40px " + getComputedStyle(document.body).fontFamily;
      return [..."会话"].map(character => {
        draw.clearRect(0, 0, 300, 150);
        draw.fillText(character, 50, 100);
        return canvas.toDataURL();
      });
    """
    assert len(set(chinese_visitor.run(drawn))) == 2


def test_a_missing_browser_is_a_failure_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium chromium-driver"):
        program("chromium")
