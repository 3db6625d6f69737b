"""The log is quiet: what a person should act on, once, and the rest at debug level."""

from __future__ import annotations

import os
from collections.abc import Callable
from http.cookiejar import CookieJar
from logging import DEBUG, INFO, WARNING

import pytest
from flask import Flask
from flask.testing import FlaskClient

from coatcheck.flask import Coatcheck
from coatcheck.testing import Clock

HOUR = 3600
DAY = 24 * HOUR


@pytest.fixture
def client(app: Flask, clock: Clock) -> FlaskClient:
    Coatcheck(app, clock=clock)
    return app.test_client()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(INFO)
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("coatcheck")]


def test_the_life_of_a_session_is_no_line_in_the_log(
    client: FlaskClient, clock: Clock, lines: Callable[[], list[str]]
) -> None:
    client.get("/stay/user/ada")
    client.get("/read")
    clock.advance(2 * HOUR)
    client.get("/read")
    client.get("/clear")
    clock.advance(40 * DAY)
    client.get("/read")
    assert lines() == []


@pytest.mark.parametrize("value", ["", "rubbish", "Ag" + "A" * 200, "A" * 5000, "A" * 100_000])
def test_rubbish_from_outside_is_no_line_in_the_log(
    client: FlaskClient, lines: Callable[[], list[str]], value: str
) -> None:
    """Else anybody could fill the disk."""
    stranger = client.application.test_client(use_cookies=False)
    assert stranger.get("/read", headers={"Cookie": f"session={value}"}).json == {}
    assert lines() == []


def test_a_changed_cookie_is_no_line_in_the_log(client: FlaskClient, lines: Callable[[], list[str]]) -> None:
    client.get("/keep/user/ada")
    cookie = client.get_cookie("session")
    assert cookie is not None
    client.set_cookie("session", cookie.value[:60] + ("A" if cookie.value[60] != "A" else "B") + cookie.value[61:])
    assert client.get("/read").json == {}
    assert lines() == []


@pytest.mark.parametrize("host", ["shop.example", "10.0.0.5:8000", "localhost.example", "127-0-0-1.example"])
def test_a_cookie_without_secure_to_another_host_is_one_line(
    client: FlaskClient, lines: Callable[[], list[str]], host: str
) -> None:
    for number in range(3):
        client.get(f"/keep/number/{number}", base_url=f"http://{host}")
    (line,) = lines()
    assert host in line and "without Secure" in line and "X-Forwarded-Proto" in line


@pytest.mark.parametrize("host", ["127.shop.example", "127.0.0.1.shop.example"])
def test_a_name_that_only_begins_like_a_local_address_is_another_host(
    client: FlaskClient, lines: Callable[[], list[str]], host: str
) -> None:
    client.get("/keep/user/ada", base_url=f"http://{host}")
    assert len(lines()) == 1


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:5000",
        "LOCALHOST",
        "shop.localhost:5000",
        "127.0.0.1",
        "127.0.0.1:8000",
        "127.0.1.1",
        "[::1]",
        "[::1]:5000",
    ],
)
def test_a_cookie_without_secure_to_the_own_machine_is_no_line(
    client: FlaskClient, lines: Callable[[], list[str]], host: str
) -> None:
    assert "Set-Cookie" in client.get("/keep/user/ada", headers={"Host": host}).headers
    assert lines() == []


@pytest.mark.parametrize(("scheme", "secure"), [("https", False), ("http", True)])
def test_a_secure_cookie_is_no_line(
    client: FlaskClient, lines: Callable[[], list[str]], scheme: str, secure: bool
) -> None:
    client.application.config["SESSION_COOKIE_SECURE"] = secure
    client.get("/keep/user/ada", base_url=f"{scheme}://shop.example")
    assert lines() == []


def test_a_response_without_our_cookie_is_no_line(client: FlaskClient, lines: Callable[[], list[str]]) -> None:
    client.get("/read", base_url="http://shop.example")
    assert lines() == []


def test_a_real_server_on_the_own_machine_is_no_line(
    app: Flask, browse: Callable[[Flask, CookieJar], Callable[[str], str]], lines: Callable[[], list[str]]
) -> None:
    Coatcheck(app)
    jar = CookieJar()
    browse(app, jar)("/keep/user/ada")
    assert [cookie.name for cookie in jar] == ["session"]
    assert lines() == []


def test_two_sessions_under_one_name_are_one_warning(
    app: Flask, client: FlaskClient, lines: Callable[[], list[str]]
) -> None:
    other = app.test_client()
    pairs = []
    for each in (client, other):
        each.get("/keep/user/ada")
        cookie = each.get_cookie("session")
        assert cookie is not None
        pairs.append(f"session={cookie.value}")
    stranger = app.test_client(use_cookies=False)
    for _ in range(2):
        assert stranger.get("/read", headers={"Cookie": "; ".join(pairs)}).json == {}
    (line,) = lines()
    assert "two different sessions" in line and "__Host-" in line


def test_the_debug_level_lists_what_happens(
    client: FlaskClient, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(DEBUG, "coatcheck")
    client.get("/stay/user/ada")
    client.get("/keep/user/bob")
    clock.advance(2 * HOUR)
    client.get("/read")
    client.get("/clear")
    client.set_cookie("session", "rubbish")
    client.get("/read")
    lines = [record.getMessage() for record in caplog.records if record.name == "coatcheck"]
    words = [line.replace(":", "").split() for line in lines]
    happened = [["created"], ["changed"], ["refreshed"], ["destroyed"], ["rejected", "malformed"]]
    assert [rest for _, _, *rest in words] == happened
    handles = [handle for _, handle, *_ in words]
    assert len(set(handles[:4])) == 1 and len(handles[0]) == 32 and handles[4] == "-"


def test_everything_in_the_log_is_a_warning_or_less(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(DEBUG, "coatcheck")
    client.get("/keep/user/ada", base_url="http://shop.example")
    client.application.config["SECRET_KEY"] = os.urandom(24)
    client.get("/read", base_url="http://shop.example")
    levels = {record.levelno for record in caplog.records if record.name == "coatcheck"}
    assert levels == {DEBUG, WARNING}
