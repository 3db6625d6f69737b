"""Chromium without a window, and somebody in front of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
)


def program(name: str) -> str:
    """Gives the path of a program. Fails without it: a test that is skipped has not looked."""
    path = which(name)
    if path is None:
        pytest.fail(
            f"there is no {name} on PATH, and these tests drive a real browser."
            " On Debian: apt-get install chromium chromium-driver fonts-wqy-microhei",
            pytrace=False,
        )
    return path


def start_browser(languages: str, profile: Path) -> Chrome:
    """Starts a browser that asks for these languages, as `zh-CN,zh`."""
    options = ChromeOptions()
    options.binary_location = program("chromium")
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={profile}")
    options.add_argument(f"--lang={languages.partition(',')[0]}")
    options.add_experimental_option("prefs", {"intl.accept_languages": languages})
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    return Chrome(options, ChromeService(program("chromedriver")))


ENGLISH, CHINESE = "en-US,en", "zh-CN,zh"
each_language = pytest.mark.parametrize("languages", [ENGLISH, CHINESE])


class Visitor:
    """Somebody who has not been here before, in front of a desktop that prefers light pages."""

    def __init__(self, driver: Chrome, origin: str) -> None:
        self.driver = driver
        self.origin = origin
        # The browser's own first page is no part of the visit.
        driver.get("about:blank")
        driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.requests()
        self.complaints()
        self.resize(1280, 900)
        self.prefer("light")
        self.call_itself("")

    def visit(self, path: str) -> str:
        """Opens a page and gives what it says."""
        self.driver.get(self.origin + path)
        return self.text

    def press(self, text: str) -> str:
        """Presses a button and gives what the page says to which it leads."""
        button = self.driver.find_element(By.XPATH, f"//button[normalize-space()='{text}']")
        button.click()
        WebDriverWait(self.driver, 10, 0.02).until(lambda driver: "after=" in driver.current_url)
        return self.text

    def follow(self, name: str) -> str:
        """Presses the one button or link whose name, as a screen reader says it, begins so. Gives what comes then."""
        found = self.driver.find_elements(By.CSS_SELECTOR, "a, button")
        (only,) = [each for each in found if str(each.accessible_name).startswith(name)]
        with self.leaving():
            only.click()
        return self.text

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Waits at the end until another page has taken the place of this one."""
        self.run("window.stillHere = true")
        yield
        # While the one goes and the other comes, the driver may have none to ask.
        waiting = WebDriverWait(self.driver, 20, 0.02, ignored_exceptions=[WebDriverException])
        waiting.until(lambda _: self.run("return !window.stillHere && document.readyState === 'complete'"))

    def type(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    @property
    def text(self) -> str:
        return str(self.run("return document.body.innerText")).strip()

    @property
    def cookie(self) -> dict[str, Any] | None:
        """The session's cookie as the browser keeps it."""
        return self.driver.get_cookie("session")

    def call_itself(self, agent: str) -> None:
        """Sends another User-Agent from now on; with "", the browser's own."""
        self.driver.execute_cdp_cmd("Emulation.setUserAgentOverride", {"userAgent": agent})

    def resize(self, width: int, height: int) -> None:
        """Makes the view so large, in the pixels of CSS. A window has a smallest width, a view has none."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """Prefers light or dark pages."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def requests(self) -> list[str]:
        """Gives the addresses that were asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """Gives what the console has said since the last call, such as errors of the page."""
        return [entry["message"] for entry in self._log("browser")]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return entries


def cookie_of(visitor: Visitor) -> dict[str, Any]:
    cookie = visitor.cookie
    assert cookie is not None
    return cookie
