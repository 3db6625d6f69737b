"""The pages about ASGI, FastAPI and Litestar run as they stand."""

from __future__ import annotations

import re
import sys
from base64 import urlsafe_b64encode
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from kit import SECRET
from litestar import Litestar
from litestar.testing import TestClient as LitestarClient
from starlette.testclient import TestClient

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
HTTPS = "https://shop.example"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs the examples of a page one after the other in one namespace, as a reader who has set the key."""
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.chdir(tmp_path)

    def run_page(page: str) -> dict[str, Any]:
        module = ModuleType("example")
        # Frameworks look there for the types that a handler names.
        monkeypatch.setitem(sys.modules, "example", module)
        names = vars(module)
        for block in BLOCK.findall((DOCS / page).read_text()):
            exec(compile(block, page, "exec"), names)
        return names

    return run_page


@pytest.mark.parametrize("name", ["app", "plain", "falcon_app", "blacksheep_app"])
def test_each_application_of_the_page_counts_visits(run: Any, name: str) -> None:
    client = TestClient(run("asgi.md")[name], base_url=HTTPS)
    assert [client.get("/").text for _ in range(3)] == ["visit 1", "visit 2", "visit 3"]
    client.close()


def test_the_middleware_of_the_page_counts_pages(run: Any) -> None:
    names = run("asgi.md")
    names["counted"].add_route("/look", names["logout"])
    with TestClient(names["counted"], base_url=HTTPS) as client:
        assert [client.get("/").text for _ in range(2)] == ["visit 1", "visit 2"]
        header = client.get("/look").headers["set-cookie"]
        # It ended the session, and the middleware began the next.
        assert "Max-Age=0" not in header


def test_the_websocket_of_the_page_keeps_the_last_line(run: Any) -> None:
    names = run("asgi.md")

    async def look(request: Any) -> Any:
        return names["PlainTextResponse"](str(dict(request.session)))

    names["chatting"].add_route("/look", look)
    with TestClient(names["chatting"]) as client:
        client.get("/login")
        with client.websocket_connect("/chat") as socket:
            socket.send_text("good morning")
            assert socket.receive_text() == "xiaoming: good morning"
        assert client.get("/look").text == "{'username': 'xiaoming', 'last': 'good morning'}"


def test_the_application_of_the_page_asks_for_patience(run: Any) -> None:
    client = TestClient(run("asgi.md")["patient"], base_url=HTTPS)
    # A token of the right form, whose session only the store knows.
    token = urlsafe_b64encode(b"\x02" + bytes(32)).decode().rstrip("=")
    client.cookies.set("session", token, domain="shop.example")
    answer = client.get("/")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    client.close()


def test_the_pages_of_the_fastapi_page_work(run: Any) -> None:
    with TestClient(run("fastapi.md")["app"]) as client:
        assert client.get("/").json() == {"visits": 1}
        assert client.get("/me").status_code == 401
        client.post("/login?name=xiaoming")
        assert client.get("/me").json() == "xiaoming"
        with client.websocket_connect("/greet") as socket:
            assert socket.receive_text() == "Hello xiaoming!"
        client.post("/logout")
        assert client.get("/").json() == {"visits": 1}


def test_the_handlers_of_the_litestar_page_work(run: Any) -> None:
    names = run("litestar.md")
    handlers = [names[name] for name in ("index", "login", "logout", "me", "greet")]
    app = Litestar(handlers, plugins=[names["coatcheck"]])
    with LitestarClient(app) as client:
        assert [client.get("/").text for _ in range(2)] == ["visit 1", "visit 2"]
        assert client.get("/me").status_code == 401
        client.post("/login")
        assert client.get("/me").text == "xiaoming"
        with client.websocket_connect("/greet") as socket:
            assert socket.receive_text() == "Hello xiaoming!"
        client.post("/logout")
        assert client.get("/").text == "visit 1"
    with LitestarClient(names["app"], base_url=HTTPS) as client:
        assert client.get("/").text == "visit 1"


@pytest.mark.parametrize("page", ["asgi.md", "fastapi.md", "litestar.md"])
def test_every_link_of_the_page_leads_somewhere(page: str) -> None:
    for address in re.findall(r"\]\(([^)]+)\)", (DOCS / page).read_text()):
        file, _, anchor = address.partition("#")
        target = DOCS / file if file else DOCS / page
        assert target.exists(), address
        if anchor:
            headings = [line.lstrip("# ") for line in target.read_text().splitlines() if line.startswith("#")]
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, address
