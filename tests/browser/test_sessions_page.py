"""The page "where you are signed in" in Chromium: two browsers of one user, on real servers of each framework."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from browser.scripts import FAINT_TEXT, FOCUSED, OVERFLOWING
from browser.visitor import Visitor
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from servers.process import HOST, Server, free_port

pytestmark = pytest.mark.browser

LIST = "/account/sessions/"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.5 Mobile/15E148 Safari/604.1"
)
HOSTILE = "</h2><script>document.title = 'taken over'</script><img src=x onerror=\"document.title='taken over'\">"

# Two workers each: what one has ended, the other has to know. Threads, for Chromium opens connections that it does not
# use at once, and a sync worker would wait for them.
SERVERS = {
    "flask": "gunicorn --no-control-socket --workers=2 --threads=4 --bind={bind} pages.sites.flask_site:serve()",
    "fastapi": "uvicorn --workers=2 --host={host} --port={port} --factory pages.sites.fastapi_site:serve",
    "django": "gunicorn --no-control-socket --workers=2 --threads=4 --bind={bind} pages.sites.django_site:serve()",
}


@pytest.fixture(scope="module", params=SERVERS)
def origin(request: pytest.FixtureRequest) -> Iterator[str]:
    """A site with the page, on a server with two processes."""
    port = free_port()
    program = SERVERS[request.param].format(bind=f"{HOST}:{port}", host=HOST, port=port)
    environment = ["SESSION_STORE=sqlite:///sessions.db", f"PYTHONPATH={Path(__file__).parents[1]}"]
    server = Server(["env", *environment, sys.executable, "-m", *program.split()], port)
    try:
        server.start()
        yield f"http://{HOST}:{port}"
        output = (server.folder / "output").read_text()
        assert "Traceback" not in output, output
    finally:
        server.stop()
        server.discard()


class Pair(NamedTuple):
    """Two browsers: a desktop whose user reads English, and a phone whose user reads Chinese."""

    desktop: Visitor
    phone: Visitor


@pytest.fixture
def pair(origin: str, browser_for: Callable[[str], Chrome]) -> Iterator[Pair]:
    pair = Pair(Visitor(browser_for("en-US,en"), origin), Visitor(browser_for("zh-CN,zh"), origin))
    call_itself(pair.phone, IPHONE)
    pair.phone.resize(390, 844)
    yield pair
    call_itself(pair.phone, "")
    for visitor in pair:
        # A browser asks every site for this one, and these sites have none.
        assert [line for line in visitor.complaints() if "/favicon.ico" not in line] == []
        assert [url for url in visitor.requests() if not url.startswith(("http://127.0.0.1:", "data:,"))] == []


def call_itself(visitor: Visitor, agent: str) -> None:
    visitor.driver.execute_cdp_cmd("Emulation.setUserAgentOverride", {"userAgent": agent})


def sign_in(*visitors: Visitor, user: str) -> None:
    for visitor in visitors:
        assert visitor.visit(f"/login?user={user}") == f"{user} has nothing"


def button(visitor: Visitor, name: str) -> WebElement:
    """Gives the one button whose name, as a screen reader says it, begins so."""
    found = visitor.driver.find_elements(By.TAG_NAME, "button")
    (only,) = [each for each in found if str(each.accessible_name).startswith(name)]
    return only


def press(visitor: Visitor, name: str) -> str:
    """Presses a button and gives what the page says to which it leads."""
    with leading_on(visitor):
        button(visitor, name).click()
    return visitor.text


@contextmanager
def leading_on(visitor: Visitor) -> Iterator[None]:
    """Waits at the end until another page has taken the place of this one."""
    visitor.run("window.stillHere = true")
    yield
    # While the one goes and the other comes, the driver may have none to ask.
    waiting = WebDriverWait(visitor.driver, 20, 0.02, ignored_exceptions=[WebDriverException])
    waiting.until(lambda _: visitor.run("return !window.stillHere && document.readyState === 'complete'"))


def test_one_browser_ends_the_other(pair: Pair) -> None:
    desktop, phone = pair
    sign_in(desktop, phone, user="ada")
    text = desktop.visit(LIST)
    assert text.startswith("Where you are signed in")
    assert text.index("Chrome on Linux") < text.index("This device") < text.index("Safari on iPhone")
    assert "iPhone 上的 Safari" in phone.visit(LIST)
    text = press(desktop, "Sign out Safari on iPhone Last seen")
    assert "The session is signed out." in text
    assert "Safari on iPhone" not in text
    assert desktop.driver.current_url == desktop.origin + LIST
    # At its very next request, whichever of the processes takes it.
    assert [phone.visit("/") for _ in range(6)] == ["nobody has nothing"] * 6
    assert desktop.visit("/") == "ada has nothing"


def test_the_browser_that_was_ended_is_led_to_the_sign_in(pair: Pair) -> None:
    desktop, phone = pair
    sign_in(desktop, phone, user="grace")
    phone.visit(LIST)
    desktop.visit(LIST)
    assert "All other sessions are signed out." in press(desktop, "Sign out all others")
    # It still has the page on its screen, with a form that was good.
    assert press(phone, "退出其他所有设备") == "nobody has nothing"
    assert phone.driver.current_url == f"{phone.origin}/"
    assert desktop.visit("/") == "grace has nothing"


def test_a_browser_ends_itself(pair: Pair) -> None:
    desktop, phone = pair
    sign_in(desktop, phone, user="hedy")
    phone.visit(LIST)
    assert press(phone, "退出登录 iPhone 上的 Safari 上次使用") == "nobody has nothing"
    assert phone.cookie is None or "sessionid" not in phone.run("return document.cookie")
    assert "You are signed in nowhere else." in desktop.visit(LIST)


def test_to_read_the_list_again_does_nothing_again(pair: Pair) -> None:
    desktop, phone = pair
    sign_in(desktop, phone, user="joan")
    desktop.visit(LIST)
    press(desktop, "Sign out all others")
    sign_in(phone, user="joan")
    desktop.driver.refresh()
    assert "All other sessions are signed out." not in desktop.text
    assert phone.visit("/") == "joan has nothing"


def test_what_another_browser_says_of_itself_runs_nowhere(pair: Pair) -> None:
    desktop, phone = pair
    call_itself(phone, HOSTILE)
    sign_in(desktop, phone, user="mary")
    assert "Unknown device" in desktop.visit(LIST)
    assert desktop.driver.title == "Where you are signed in"


def test_everything_is_reached_and_pressed_by_keyboard(pair: Pair) -> None:
    desktop, phone = pair
    sign_in(phone, desktop, user="edith")
    desktop.visit(LIST)
    reached, names = [], []
    for _ in range(3):
        desktop.type(Keys.TAB)
        reached.append(desktop.run(FOCUSED))
        names.append(desktop.driver.switch_to.active_element.accessible_name)
    assert reached == [["Sign out", True], ["Sign out", True], ["Sign out all others", True]]
    assert names == [
        "Sign out Chrome on Linux Last seen just now",
        "Sign out Safari on iPhone Last seen just now",
        "Sign out all others",
    ]
    with leading_on(desktop):
        desktop.type(Keys.ENTER)
    assert phone.visit("/") == "nobody has nothing"


@pytest.mark.parametrize("width", [320, 390, 700, 1280])
def test_nothing_stands_out_at_the_side(pair: Pair, width: int) -> None:
    sign_in(*pair, user=f"lise{width}")
    for visitor in pair:
        visitor.resize(width, 800)
        visitor.visit(LIST)
        assert visitor.run("return innerWidth") == width
        assert visitor.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert visitor.run(OVERFLOWING) == []
        heights = visitor.run("return [...document.querySelectorAll('button')].map(each => each.offsetHeight)")
        # What a finger hits (WCAG 2.2, 2.5.5).
        assert [height >= 44 for height in heights] == [True] * 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast(pair: Pair, scheme: str) -> None:
    sign_in(*pair, user="rosa")
    for visitor in pair:
        visitor.prefer(scheme)
        visitor.visit(LIST)
        red, *_ = visitor.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        assert (red < 128) == (scheme == "dark")
        seen, faint = visitor.run(FAINT_TEXT)
        assert seen > 15
        assert faint == []


def test_the_page_has_a_language_landmarks_and_headings_in_order(pair: Pair) -> None:
    sign_in(*pair, user="ruth")
    for visitor, language in zip(pair, ("en", "zh-CN"), strict=True):
        visitor.visit(LIST)
        assert visitor.run("return document.documentElement.lang") == language
        assert visitor.run("return document.querySelectorAll('main').length") == 1
        headings = visitor.run("return [...document.querySelectorAll('h1, h2, h3')].map(each => each.tagName)")
        assert headings == ["H1", "H2", "H2"]
        found = visitor.run("return [...document.querySelectorAll('[id]')].map(each => each.id)")
        assert len(found) == len(set(found))
