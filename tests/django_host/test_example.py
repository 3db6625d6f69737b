"""The program in one file, on a real server."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

import pytest
from servers.process import HOST, Server, free_port

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setenv("SECRET_KEY", secrets.token_hex(32))
    port = free_port()
    program = str(EXAMPLES / "django_minimal.py")
    server = Server([sys.executable, program, "runserver", "--noreload", f"{HOST}:{port}"], port)
    try:
        server.start()
        yield port
    finally:
        server.discard()


def test_it_sets_reads_and_ends_a_session(port: int) -> None:
    jar = CookieJar()
    browser = build_opener(HTTPCookieProcessor(jar))

    def get(path: str) -> str:
        with browser.open(f"http://{HOST}:{port}/{path}", timeout=60) as answer:
            text: str = answer.read().decode()
            return text

    assert get("") == "Visit 1"
    assert get("") == "Visit 2"
    assert get("show") == "You were here 2 times"
    assert get("logout") == "Goodbye"
    assert len(jar) == 0
    assert get("show") == "You were here 0 times"
