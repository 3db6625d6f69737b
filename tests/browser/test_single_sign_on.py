"""What docs/single-sign-on.md says of SameSite, in Chromium: the provider is another site than the application."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from flask import Flask, request
from kit import SECRET
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from servers.openid import CLIENT, CLIENT_SECRET, Provider, providing, served

pytestmark = pytest.mark.browser

EXAMPLE = Path(__file__).parents[2] / "examples/single_sign_on_flask.py"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture
def app(provider: Provider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Flask:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "SECRET_KEY": SECRET,
        "PROVIDER_CLIENT_ID": CLIENT,
        "PROVIDER_CLIENT_SECRET": CLIENT_SECRET,
        "PROVIDER_SERVER_METADATA_URL": f"{provider.issuer}/.well-known/openid-configuration",
    }.items():
        monkeypatch.setenv(f"FLASK_{name}", value)
    module = ModuleType("single_sign_on_flask")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(EXAMPLE.read_text(), str(EXAMPLE), "exec", dont_inherit=True), vars(module))
    app: Flask = module.app
    return app


@contextmanager
def serving(app: Flask, provider: Provider) -> Iterator[str]:
    """Serves the application. Its host has another name than the provider's, and so it is another site."""
    with served(app) as port:
        origin = f"http://localhost:{port}"
        provider.redirect_uri = f"{origin}/callback"
        yield origin


@pytest.fixture
def sign_in(app: Flask, provider: Provider, browser_for: Callable[[str], Chrome]) -> Callable[[], list[str]]:
    """Signs in. Gives what the browser sent to come back, and then what the page says."""
    came: list[str] = []

    @app.before_request
    def note() -> None:
        if request.path == "/callback":
            came.append(f"{request.method} {'with' if 'session' in request.cookies else 'without'} a cookie")

    def enter() -> list[str]:
        driver = browser_for("en")
        with serving(app, provider) as origin:
            driver.get(origin)
            driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
            driver.get(f"{origin}/login")
            driver.find_element(By.NAME, "name").send_keys("xiaoming")
            driver.find_element(By.TAG_NAME, "button").click()
            WebDriverWait(driver, 30).until(lambda _: driver.title not in ("", "Provider"))
            return [*came, driver.title]

    return enter


def test_the_cookie_comes_back_with_the_redirect(sign_in: Callable[[], list[str]]) -> None:
    assert sign_in() == ["GET with a cookie", "Hello xiaoming!"]


def test_the_cookie_comes_back_with_the_redirect_that_answers_a_posted_form(
    sign_in: Callable[[], list[str]], provider: Provider
) -> None:
    provider.posts = True
    assert sign_in() == ["POST without a cookie", "GET with a cookie", "Hello xiaoming!"]


def test_a_strict_cookie_does_not_come_back(app: Flask, sign_in: Callable[[], list[str]]) -> None:
    app.config["SESSION_COOKIE_SAMESITE"] = "Strict"
    assert sign_in() == ["GET without a cookie", "That did not work, or took too long."]
