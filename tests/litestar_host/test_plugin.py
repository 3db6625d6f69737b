"""The plugin: one set of sessions for the whole application, above its middleware, ended with it."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from kit import SECRET, attributes
from litestar import Litestar, MediaType, Request, Router, asgi, get
from litestar.datastructures import ResponseHeader
from litestar.middleware import ASGIMiddleware
from litestar.middleware.session.client_side import CookieBackendConfig
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.testing import TestClient
from litestar.types import ASGIApp, Receive, Scope, Send
from litestar_host.conftest import Browse
from pydantic import SecretStr

import coatcheck
from coatcheck import Session, StoreError, UsageError
from coatcheck.litestar import AsyncSession, Coatcheck
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.threaded import ThreadedStore
from coatcheck.testing import Clock, FailingStore

PACKAGE = str(Path(coatcheck.__file__).parent)
Visit = Request[Any, Any, Any]


@get("/put")
async def put(request: Visit) -> str:
    request.session["user"] = "ann"
    return "kept"


@get("/look", media_type=MediaType.TEXT)
async def look(request: Visit) -> str:
    return str(dict(request.session))


@get("/plain")
async def plain() -> str:
    return "nobody looks"


PAGES = [put, look, plain]


def test_a_handler_keeps_its_session(browse: Browse, storage: dict[str, Any]) -> None:
    client = browse(PAGES, storage)
    (cookie,) = client.get("/put").headers.get_list("set-cookie")
    assert attributes(cookie).keys() == {"secure", "httponly", "path", "samesite"}
    answer = client.get("/look")
    assert (answer.text, answer.headers["vary"]) == ("{'user': 'ann'}", "Cookie")


def test_a_handler_that_does_not_look_says_nothing(browse: Browse, storage: dict[str, Any]) -> None:
    client = browse(PAGES, storage)
    client.get("/put")
    headers = client.get("/plain").headers
    assert "vary" not in headers and "set-cookie" not in headers


def test_options_have_their_one_spelling(browse: Browse) -> None:
    clock = Clock()
    options = {"cookie_name": "sid", "permanent": True, "permanent_lifetime": 60, "clock": clock}
    client = browse(PAGES, options)
    (cookie,) = client.get("/put").headers.get_list("set-cookie")
    assert cookie.startswith("sid=") and attributes(cookie)["max-age"] == "60"
    clock.advance(61)
    assert client.get("/look").text == "{}"


def test_the_session_is_ours(browse: Browse) -> None:
    found: list[Any] = []

    @get("/")
    async def index(request: Visit) -> None:
        found.append(request.session)

    browse([index]).get("/")
    assert isinstance(found[0], AsyncSession)


def test_all_handlers_share_one_store(browse: Browse) -> None:
    """Litestar builds its middleware once for each of them."""
    client = browse(PAGES, {"store": "memory:"})
    client.get("/put")
    assert client.get("/look").text == "{'user': 'ann'}"


def test_the_store_is_closed_when_the_application_ends() -> None:
    closed: list[bool] = []

    class Closing(MemoryStore):
        def close(self) -> None:
            closed.append(True)

    plugin = Coatcheck(SECRET)
    plugin.sessions.opened["a URL"] = ThreadedStore(Closing())
    app = Litestar(PAGES, plugins=[plugin], openapi_config=None, logging_config=None)
    with TestClient(app):
        assert closed == []
    assert closed == [True]


def test_an_application_may_be_ended_and_begun_again(tmp_path: Path) -> None:
    plugin = Coatcheck(SECRET, store=f"sqlite:///{tmp_path}/sessions.db")
    app = Litestar(PAGES, plugins=[plugin], openapi_config=None, logging_config=None)
    for _ in range(2):
        with TestClient(app, base_url="https://shop.example") as client:
            client.get("/put")
            assert client.get("/look").text == "{'user': 'ann'}"


@pytest.mark.parametrize("config", [CookieBackendConfig(secret=bytes(range(16))), ServerSideSessionConfig()])
def test_litestar_s_own_sessions_beside_these_are_refused(config: Any) -> None:
    with pytest.raises(UsageError, match="Litestar's own session middleware is installed too: one of the two must go"):
        Litestar(PAGES, plugins=[Coatcheck(SECRET)], middleware=[config.middleware])


def test_other_middleware_has_the_session_wherever_it_stands_in_the_list(browse: Browse) -> None:
    class Counting(ASGIMiddleware):
        async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
            session: Any = scope["session"]
            session["visits"] = session.get("visits", 0) + 1
            await next_app(scope, receive, send)

    client = browse(PAGES, middleware=[Counting()])
    client.get("/plain")
    assert client.get("/look").text == "{'visits': 2}"


@pytest.mark.parametrize("copied", [True, False])
def test_routers_and_mounted_applications_have_it_too(browse: Browse, copied: bool) -> None:
    @asgi("/mounted", is_mount=True, copy_scope=copied)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        body = str(dict(scope["session"])).encode()  # type: ignore[arg-type]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    client = browse([*PAGES, mounted, Router("/shop", route_handlers=[look])])
    client.get("/put")
    assert client.get("/shop/look").text == client.get("/mounted/").text == "{'user': 'ann'}"


def test_what_an_application_says_to_caches_is_kept_or_replaced_as_everywhere(browse: Browse) -> None:
    headers = [ResponseHeader(name="vary", value="Accept"), ResponseHeader(name="cache-control", value="public")]

    @get("/set", response_headers=headers)
    async def page(request: Visit) -> str:
        request.session["user"] = "ann"
        return ""

    found = browse([page]).get("/set").headers
    assert (found["vary"], found["cache-control"]) == ("Accept, Cookie", "no-store")


# The store fails


def test_a_handler_that_looks_is_a_503_while_the_store_is_down(browse: Browse) -> None:
    store = FailingStore(MemoryStore())
    client = browse(PAGES, {"store": store})
    client.get("/put")
    store.down = True
    for page in ("/look", "/put"):
        answer = client.get(page)
        assert (answer.status_code, answer.text) == (503, "Service Unavailable\n")
        assert "set-cookie" not in answer.headers
    assert client.get("/plain").text == "nobody looks"
    store.down = False
    assert client.get("/look").text == "{'user': 'ann'}"


def test_the_handler_of_the_application_answers_for_a_store_that_is_down(browse: Browse) -> None:
    from litestar import Response

    def say(_: Visit, __: Exception) -> Response[str]:
        return Response("come again", status_code=418, media_type=MediaType.TEXT)

    store = FailingStore(MemoryStore())
    client = browse(PAGES, {"store": store}, exception_handlers={StoreError: say})
    client.get("/put")
    store.down = True
    answer = client.get("/look")
    assert (answer.status_code, answer.text) == (418, "come again")


@pytest.mark.parametrize("place", ["store", "revocations"])
def test_a_call_of_the_plugin_that_fails_with_the_store_is_a_503_too(place: str) -> None:
    store = FailingStore(MemoryStore())
    options: dict[str, Any] = {place: store}
    plugin = Coatcheck(SECRET, **options)

    @get("/mine")
    async def mine() -> str:
        return str(len(await plugin.sessions_of(7)))

    with TestClient(Litestar([mine], plugins=[plugin])) as client:
        assert client.get("/mine").text == "0"
        store.down = True
        answer = client.get("/mine")
        assert (answer.status_code, answer.json()["detail"]) == (503, "Service Unavailable")
        assert (answer.headers["cache-control"], answer.headers["vary"]) == ("no-store", "Cookie")
        assert "store" not in answer.text
        store.down = False
        assert client.get("/mine").text == "0"


# What cannot be right


def test_what_cannot_be_kept_is_an_internal_error_and_changes_nothing(browse: Browse) -> None:
    @get("/big")
    async def big(request: Visit) -> str:
        request.session["scroll"] = "x" * 5000
        return "kept"

    client = browse([*PAGES, big])
    client.get("/put")
    answer = client.get("/big")
    assert answer.status_code == 500
    assert "set-cookie" not in answer.headers
    assert client.get("/look").text == "{'user': 'ann'}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret_key": "kestrel-osprey"},
        {"secret_key": SecretStr("kestrel-osprey")},
        {"secret_key": "kestrel-osprey-kite-harrier", "cookie_samesite": "sometimes"},
        {"secret_key": "kestrel-osprey-kite-harrier", "nonsense": True},
        {"secret_key": "kestrel-osprey-kite-harrier", "store": "nosuch://kestrel:osprey@there"},
    ],
    ids=",".join,
)
def test_what_cannot_be_right_is_said_at_once_and_shows_no_key(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        Coatcheck(**wrong)
    report: Any = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = [str(caught.value)]
    while report is not None:
        shown += [str(frame.locals) for frame in report.stack if frame.filename.startswith(PACKAGE)]
        report = report.__context__
    assert len(shown) > 1
    for secret in ("kestrel", "osprey"):
        assert secret not in "".join(shown)


def test_the_plugin_and_the_session_show_no_secret(browse: Browse) -> None:
    plugin = Coatcheck(SECRET)
    assert SECRET not in repr(plugin) + repr(vars(plugin))
    shown: list[str] = []

    @get("/repr")
    async def show(request: Visit) -> None:
        request.session["user"] = "marmalade"
        shown.append(repr(request.session))

    browse([show]).get("/repr")
    assert shown == ["<Session with 1 keys>"]


def test_a_session_of_litestars_own_store_is_no_matter_of_ours(browse: Browse) -> None:
    client = browse(PAGES)
    client.cookies.set("session", "5f1d8e0c7b3a4296", domain="shop.example")
    assert client.get("/look").text == "{}"
    client.get("/put")
    assert "user" in client.get("/look").text


def test_the_class_of_the_session_is_known_to_litestars_encoder(browse: Browse) -> None:
    @get("/json")
    async def answer(request: Visit) -> dict[str, Any]:
        return request.session

    @get("/typed")
    async def typed(request: Visit) -> Session:
        session: Any = request.session
        assert isinstance(session, Session)
        return session

    client = browse([*PAGES, answer, typed])
    client.get("/put")
    assert client.get("/json").json() == client.get("/typed").json() == {"user": "ann"}
    assert client.get("/json").headers["vary"] == "Cookie"


@pytest.mark.parametrize("missing", ["litestar", "litestar.plugins"])
def test_without_litestar_its_module_says_what_to_install(missing: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; import coatcheck.litestar"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError: coatcheck.litestar needs Litestar")
    assert "pip install 'coatcheck[litestar]'" in done.stderr
