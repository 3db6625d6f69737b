"""The pages about the shared session and about integrations of one's own: their programs run, and their tables hold."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from kit import SECRET
from starlette.testclient import TestClient

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
HTTPS = "https://shop.example"


def run(page: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Runs the examples of a page one after the other in one namespace, as a reader who has set the key."""
    monkeypatch.setenv("SECRET_KEY", SECRET)
    names: dict[str, Any] = {"__name__": "example"}
    for block in BLOCK.findall((DOCS / page).read_text()):
        exec(compile(block.replace('("127.0.0.1", 8000)', '("127.0.0.1", 0)'), page, "exec"), names)
    return names


@pytest.mark.parametrize("store", [None, "sqlite:///sessions.db"], ids=["cookie", "sqlite"])
def test_who_signs_in_at_the_shop_of_the_page_is_known_to_its_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    if store:
        monkeypatch.setenv("SESSION_STORE", store)
    names = run("shared-session.md", monkeypatch)
    answer = names["shop"].test_client().post("/login", base_url=HTTPS)
    name, _, value = answer.headers["Set-Cookie"].partition(";")[0].partition("=")
    with TestClient(names["service"], base_url=HTTPS) as client:
        assert client.get("/basket").json() == {"of": None}
        client.cookies.set(name, value, domain="shop.example")
        assert client.get("/basket").json() == {"of": "xiaoming"}


def test_the_server_of_the_page_counts_visits(monkeypatch: pytest.MonkeyPatch) -> None:
    names = run("write-your-own.md", monkeypatch)
    monkeypatch.setattr(names["Visits"], "log_message", lambda *_: None)
    with names["server"] as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        cookie, texts = "", []
        for _ in range(3):
            with socket.create_connection(server.server_address, 30) as connection:
                connection.sendall(f"GET / HTTP/1.1\r\nHost: shop.example\r\nCookie: {cookie}\r\n\r\n".encode())
                head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).decode().partition("\r\n\r\n")
            texts.append(body)
            found = re.search(r"^Set-Cookie: (session=[^;]+)", head, re.MULTILINE)
            assert found
            cookie = found[1]
        server.shutdown()
        thread.join()
    assert texts == ["visit 1", "visit 2", "visit 3"]


@pytest.mark.parametrize("page", ["shared-session.md", "write-your-own.md"])
def test_every_link_of_the_page_leads_somewhere(page: str) -> None:
    for address in re.findall(r"\]\(([^)]+)\)", (DOCS / page).read_text()):
        file, _, anchor = address.partition("#")
        target = DOCS / file if file else DOCS / page
        assert target.exists(), address
        if anchor:
            headings = [line.lstrip("# ") for line in target.read_text().splitlines() if line.startswith("#")]
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, address
