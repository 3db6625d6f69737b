"""The pages of the demo for signing in, as two browsers see them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from browser.scripts import FAINT_TEXT, FOCUSED, OVERFLOWING
from browser.visitor import Visitor, cookie_of, each_language
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.5 Mobile/15E148 Safari/604.1"
)
HOSTILE = "<img src=x onerror=\"document.title='taken over'\"> & 小明"


def sign_in(visitor: Visitor, name: str) -> str:
    """Signs in by the form, and gives what the page says that then comes."""
    visitor.visit("/account/login/")
    visitor.driver.find_element(By.ID, "name").send_keys(name)
    with visitor.leaving():
        visitor.type(Keys.ENTER)
    return visitor.text


@pytest.fixture
def phone(chinese_visitor: Visitor) -> Visitor:
    """Another browser, on a phone."""
    chinese_visitor.call_itself(IPHONE)
    chinese_visitor.resize(390, 844)
    return chinese_visitor


def test_a_name_signs_in_and_a_button_signs_out(visitor: Visitor) -> None:
    assert "Nobody is signed in with this browser." in visitor.visit("/account/")
    assert visitor.cookie is None
    assert "A name is enough" in visitor.follow("Sign in")
    text = sign_in(visitor, "  Ada Lovelace ")
    assert visitor.driver.current_url == f"{visitor.origin}/account/"
    assert re.search(r"Signed in\s+Ada Lovelace\s+Since\s+\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\s+\d+ seconds? ago", text)
    assert "Nobody is signed in" in visitor.follow("Sign out")
    assert visitor.cookie is None


def test_what_a_guest_had_in_the_session_stays_after_signing_in_under_another_id(visitor: Visitor) -> None:
    visitor.visit("/")
    assert re.search(r"Signed in\s+nobody", visitor.visit("/inspect/"))
    before = handle(visitor)
    sign_in(visitor, "Ada")
    text = visitor.visit("/inspect/")
    assert re.search(r"Signed in\s+Ada", text)
    assert "'xiaoming'" in text
    assert handle(visitor) != before
    assert "Since" in visitor.follow("Sign in or out")


def handle(visitor: Visitor) -> str:
    found = re.search(r"Handle\s+([0-9a-f]{32})", visitor.text)
    assert found
    return found[1]


def test_without_a_name_nobody_is_signed_in(visitor: Visitor) -> None:
    assert "Please enter a name of 1 to 60 characters." in sign_in(visitor, "   ")
    assert [line for line in visitor.complaints() if "422" not in line] == []
    assert "Nobody is signed in" in visitor.visit("/account/")


def test_a_name_is_text_wherever_it_is_shown(visitor: Visitor) -> None:
    assert HOSTILE in sign_in(visitor, HOSTILE)
    for path in ("/inspect/", "/account/confirm/", "/username/"):
        assert HOSTILE in visitor.visit(path)
        assert visitor.driver.title != "taken over"


def test_two_browsers_of_one_user_see_each_other_and_nobody_else(visitor: Visitor, phone: Visitor) -> None:
    sign_in(visitor, "Grace")
    assert "You are signed in nowhere else." in visitor.visit("/account/sessions/")
    sign_in(phone, "Grace")
    text = visitor.visit("/account/sessions/")
    assert text.index("Chrome on Linux") < text.index("This device") < text.index("Safari on iPhone")
    text = phone.visit("/account/sessions/")
    assert text.index("iPhone 上的 Safari") < text.index("当前设备") < text.index("Linux 上的 Chrome")
    sign_in(phone, "Hedy")
    assert "Linux 上的 Chrome" not in phone.visit("/account/sessions/")
    assert "Safari on iPhone" not in visitor.visit("/account/sessions/")


def test_one_browser_ends_the_other_which_is_signed_out_at_its_next_click(visitor: Visitor, phone: Visitor) -> None:
    sign_in(visitor, "Joan")
    assert "Joan" in sign_in(phone, "Joan")
    visitor.visit("/account/sessions/")
    text = visitor.follow("Sign out Safari on iPhone")
    assert "The session is signed out." in text
    assert "Safari on iPhone" not in text
    text = phone.follow("刚登录才能看")
    assert phone.driver.current_url == f"{phone.origin}/account/login/"
    assert "会话已经在别处被结束。" in text
    assert "这个浏览器没有登录。" in phone.visit("/account/")
    assert "Joan" in visitor.visit("/account/")


def test_signing_out_everywhere_else_leaves_this_browser_signed_in(visitor: Visitor, phone: Visitor) -> None:
    sign_in(visitor, "Rosa")
    sign_in(phone, "Rosa")
    visitor.visit("/account/sessions/")
    assert "All other sessions are signed out." in visitor.follow("Sign out all others")
    # Its form was good, and is so no more.
    assert "刚才的表单已经失效" in phone.follow("退出登录")
    assert [line for line in phone.complaints() if "403" not in line] == []
    assert phone.driver.find_element(By.ID, "name").is_displayed()
    assert "Rosa" in visitor.visit("/account/")


def test_a_copy_of_the_cookie_is_worth_nothing_after_signing_out(visitor: Visitor, phone: Visitor) -> None:
    sign_in(visitor, "Mary")
    copy = cookie_of(visitor)
    # As long as nobody signs out, it is as good as the cookie itself.
    phone.visit("/account/")
    phone.driver.add_cookie(copy)
    assert "Mary" in phone.visit("/account/")
    visitor.visit("/account/")
    visitor.follow("Sign out")
    for browser in (phone, visitor):
        browser.driver.add_cookie(copy)
        assert "Mary" not in browser.visit("/account/")
        browser.visit("/account/private/")
        assert browser.driver.current_url == f"{browser.origin}/account/login/"


def test_a_form_of_another_site_is_refused(visitor: Visitor) -> None:
    sign_in(visitor, "Lise")
    for forged in ("", "A" * 86):
        visitor.visit("/account/")
        visitor.run(f"document.querySelector('[name=csrf]').value = '{forged}'")
        text = visitor.follow("Sign out")
        assert "That form was no longer good, and nothing was done." in text
        assert "Lise" in text
    assert [line for line in visitor.complaints() if "403" not in line] == []


def test_a_minute_after_signing_in_a_page_has_one_sign_in_again(visitor: Visitor, full_demo: str) -> None:
    visitor.origin = full_demo
    visitor.visit("/")
    sign_in(visitor, "Edith")
    assert "You signed in 0 seconds ago, and this page is open to you." in visitor.follow("For the newly signed in")
    visitor.visit("/later/")
    text = visitor.visit("/account/private/")
    assert visitor.driver.current_url == f"{full_demo}/account/confirm/"
    assert "You signed in 1 minute 1 second ago." in text
    assert "You signed in 0 seconds ago, and this page is open to you." in visitor.follow("Sign in again")
    assert visitor.driver.current_url == f"{full_demo}/account/private/"
    assert visitor.visit("/username/") == "xiaoming"


def test_the_page_for_the_newly_signed_in_leads_a_guest_to_the_form(visitor: Visitor) -> None:
    for path in ("/account/private/", "/account/confirm/", "/account/sessions/"):
        assert "A name is enough" in visitor.visit(path)
        assert visitor.driver.current_url == f"{visitor.origin}/account/login/"


def test_the_pages_for_signing_in_are_used_by_keyboard(visitor: Visitor) -> None:
    visitor.visit("/account/login/")
    visitor.type(Keys.TAB, Keys.TAB, Keys.TAB)
    assert visitor.run("return [document.activeElement.id, document.activeElement.labels[0].innerText]") == [
        "name",
        "Name",
    ]
    visitor.type("Ruth", Keys.TAB)
    assert visitor.run(FOCUSED) == ["Sign in", True]
    with visitor.leaving():
        visitor.type(Keys.ENTER)
    reached = []
    for _ in range(5):
        visitor.type(Keys.TAB)
        reached.append(visitor.run(FOCUSED))
    texts = [
        "Who is signed in?",
        "What is in the cookie?",
        "For the newly signed in",
        "Where you are signed in",
        "Sign out",
    ]
    assert reached == [[text, True] for text in texts]


SIGNING_IN = ("/account/", "/account/login/")
SIGNED_IN = ("/account/", "/account/private/", "/account/confirm/", "/account/sessions/")


def read_each(visitor: Visitor) -> Iterator[None]:
    """Visits each page about signing in, as a guest where there is one for guests, and then as a user."""
    for path in SIGNING_IN:
        visitor.visit(path)
        yield
    sign_in(visitor, "A" * 60)
    for path in SIGNED_IN:
        visitor.visit(path)
        assert visitor.driver.current_url == visitor.origin + path
        yield


@each_language
@pytest.mark.parametrize(("width", "height"), [(390, 844), (320, 640), (1280, 900)])
def test_nothing_of_the_pages_for_signing_in_stands_out_at_the_side(
    arrive: Callable[[str], Visitor], languages: str, width: int, height: int
) -> None:
    visitor = arrive(languages)
    visitor.resize(width, height)
    for _ in read_each(visitor):
        assert visitor.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert visitor.run(OVERFLOWING) == []


@each_language
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_of_the_pages_for_signing_in_has_contrast(
    arrive: Callable[[str], Visitor], languages: str, scheme: str
) -> None:
    visitor = arrive(languages)
    visitor.prefer(scheme)
    for _ in read_each(visitor):
        seen, faint = visitor.run(FAINT_TEXT)
        assert seen >= 5
        assert faint == []


@each_language
def test_each_page_for_signing_in_has_its_language_one_main_heading_and_a_name_for_every_control(
    arrive: Callable[[str], Visitor], languages: str
) -> None:
    visitor = arrive(languages)
    for _ in read_each(visitor):
        assert visitor.run("return document.documentElement.lang") == languages.replace("en-US", "en").partition(",")[0]
        (title,) = visitor.run("return [...document.querySelectorAll('h1')].map(each => each.innerText)")
        assert visitor.driver.title == title
        assert visitor.run("return document.querySelectorAll('main').length") == 1
        controls = visitor.driver.find_elements(By.CSS_SELECTOR, "a, button, input:not([type=hidden])")
        assert [each.get_attribute("outerHTML") for each in controls if not each.accessible_name] == []
