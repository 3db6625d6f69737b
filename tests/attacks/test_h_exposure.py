"""H14: what error pages, debug pages, access logs and error reporters show of a session. Nothing.

What is looked for is made at run time, so that no source line that a page quotes can hold it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from http.client import HTTPConnection
from logging import DEBUG
from secrets import token_hex
from threading import Thread
from typing import Any

import pytest
from attacks.harness import Answer, Desk, Site, locals_shown, session_object
from flask import Flask, Response, stream_with_context
from werkzeug.debug import DebuggedApplication
from werkzeug.serving import make_server

from coatcheck import Keyring, SessionTooLarge, Unserializable, UsageError
from coatcheck.core.settings import config_key
from coatcheck.core.text import decode, encode
from coatcheck.flask import Coatcheck, session


class Secrets:
    """A key, and values of a session."""

    def __init__(self) -> None:
        self.key = token_hex(32)
        self.value = token_hex(12)
        self.large = self.value + token_hex(3000)
        self.desk = Desk(Keyring(self.key))
        self.token = self.desk.seal({"user": self.value, "list": [self.value]})

    def shown_in(self, text: str) -> list[str]:
        """Names what a text holds of all this."""
        shown = [name for name in ("key", "value") if getattr(self, name) in text]
        pieces = [self.token[at : at + 12] for at in range(len(self.token) - 12)]
        return shown + ["token"] * any(piece in text for piece in pieces)


@pytest.fixture
def hidden() -> Secrets:
    return Secrets()


def too_large(hidden: Secrets) -> None:
    session["large"] = hidden.large


def unserializable(hidden: Secrets) -> None:
    session["list"].append({"deep": [hidden.value, object()]})


def unserializable_text(hidden: Secrets) -> None:
    session["text"] = hidden.value + "\udc80"


def unserializable_key(hidden: Secrets) -> None:
    session["map"] = {1: hidden.value, object(): hidden.value}


def not_finite(hidden: Secrets) -> None:
    session["numbers"] = [hidden.value, float("nan")]


def missing_key(_: Secrets) -> None:
    assert session["nothing"]


def missing_key_to_delete(_: Secrets) -> None:
    del session["nothing"]


def missing_key_to_pop(_: Secrets) -> None:
    session.pop("nothing")


def unhashable_key(_: Secrets) -> None:
    session.get(["x"])  # type: ignore[arg-type]


def bad_update(_: Secrets) -> None:
    session.update([5])


def pickled(_: Secrets) -> None:
    pickle.dumps(session_object())


def error_of_the_view(_: Secrets) -> None:
    raise ZeroDivisionError


FAILURES: dict[Callable[[Secrets], None], type[Exception]] = {
    too_large: SessionTooLarge,
    unserializable: Unserializable,
    unserializable_text: Unserializable,
    unserializable_key: Unserializable,
    not_finite: Unserializable,
    missing_key: KeyError,
    missing_key_to_delete: KeyError,
    missing_key_to_pop: KeyError,
    unhashable_key: TypeError,
    bad_update: TypeError,
    pickled: TypeError,
    error_of_the_view: ZeroDivisionError,
}
each_failure = pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)


def failing_site(hidden: Secrets, failure: Callable[[Secrets], None]) -> Site:
    site = Site(secret_key=hidden.key)

    def fail() -> str:
        # What has been read is content that later frames could hold.
        assert session["user"]
        failure(hidden)
        return "done"

    def fail_late() -> Response:
        session["user"] = hidden.value + "new"

        def body() -> Any:
            yield "first"
            session["user"] = "late"

        return Response(stream_with_context(body()))

    site.app.add_url_rule("/fail", view_func=fail)
    site.app.add_url_rule("/fail_late", view_func=fail_late)
    return site


@each_failure
def test_h14_the_variables_of_our_frames_hold_nothing_of_a_session(
    hidden: Secrets, failure: Callable[[Secrets], None]
) -> None:
    """Error reporters send them along."""
    site = failing_site(hidden, failure)
    with pytest.raises(FAILURES[failure]) as error:
        site.get("/fail", f"session={hidden.token}")
    assert hidden.shown_in(locals_shown(error.value)) == []


def test_h14_the_variables_of_our_frames_hold_nothing_after_a_late_change(hidden: Secrets) -> None:
    with pytest.raises(UsageError) as error:
        failing_site(hidden, missing_key).get("/fail_late", f"session={hidden.token}")
    assert hidden.shown_in(locals_shown(error.value)) == []


CONSTRUCTIONS: dict[str, Callable[[str], dict[str, Any]]] = {
    "weak key": lambda key: {"secret_key": "changeme" + key},
    "weak fallback": lambda key: {"secret_key": key, "secret_key_fallbacks": ["changeme" + key]},
    "doubled key": lambda key: {"secret_key": key, "secret_key_fallbacks": [key]},
    "unknown option": lambda key: {"secret_key": key, "cokie_name": "x"},
    "bad cookie name": lambda key: {"secret_key": key, "cookie_name": "a b"},
    "bad lifetime": lambda key: {"secret_key": key, "permanent_lifetime": -1},
    "unknown store": lambda key: {"secret_key": key, "store": f"nowhere://user:{key}@localhost"},
    "store with a bad option": lambda key: {"secret_key": key, "store": f"memory:?limit={key}"},
    "no store at all": lambda key: {"secret_key": key, "store": [key]},
    "bad earlier store": lambda key: {"secret_key": key, "earlier_store": f"redis://user:{key}@localhost/x"},
}
# A key that nobody knows in the configuration is another extension's business.
WAYS = [(problem, by) for problem in CONSTRUCTIONS for by in ("keywords", "configuration")]
WAYS.remove(("unknown option", "configuration"))


@pytest.mark.parametrize(("problem", "by"), WAYS)
def test_h14_the_variables_of_our_frames_hold_no_key_after_a_refused_construction(
    hidden: Secrets, problem: str, by: str
) -> None:
    options = CONSTRUCTIONS[problem](hidden.key)

    def configure() -> None:
        app = Flask("site")
        app.config.update({config_key(option): value for option, value in options.items()})
        Coatcheck(app)

    with pytest.raises(UsageError) as error:
        Site(**options) if by == "keywords" else configure()
    shown = locals_shown(error.value)
    assert "Coatcheck object" in shown
    assert hidden.shown_in(shown) == []


def spoilt(token: str) -> list[str]:
    raw = decode(token)
    return [
        token[:-1],
        token + "A",
        token.swapcase(),
        encode(raw[:-1] + bytes([raw[-1] ^ 1])),
        encode(b"\x02" + raw[1:]),
        token * 20,
    ]


def test_h14_a_forged_cookie_leaves_nothing_in_the_variables_of_our_frames(hidden: Secrets) -> None:
    """The view fails afterwards; no exception of the refusal hangs on to its error."""
    site = Site(secret_key=hidden.key)

    def fail() -> str:
        session.get("user")
        raise ZeroDivisionError

    site.app.add_url_rule("/fail", view_func=fail)
    for value in spoilt(hidden.token):
        with pytest.raises(ZeroDivisionError) as error:
            site.get("/fail", f"session={value}")
        assert hidden.shown_in(locals_shown(error.value)) == []
        assert error.value.__context__ is None


@each_failure
def test_h14_the_error_page_and_the_log_show_nothing(
    hidden: Secrets, failure: Callable[[Secrets], None], caplog: pytest.LogCaptureFixture
) -> None:
    site = failing_site(hidden, failure)
    site.app.config["PROPAGATE_EXCEPTIONS"] = False
    with caplog.at_level(DEBUG):
        answer = site.get("/fail", f"session={hidden.token}")
    assert answer.status == "500 INTERNAL SERVER ERROR"
    assert answer.cookies == []
    assert hidden.shown_in(answer.text) == []
    assert "Traceback" in caplog.text
    assert hidden.shown_in(caplog.text) == []


@each_failure
def test_h14_the_debug_page_shows_nothing(
    hidden: Secrets, failure: Callable[[Secrets], None], caplog: pytest.LogCaptureFixture
) -> None:
    site = failing_site(hidden, failure)
    site.app.debug = True
    site.app.wsgi_app = DebuggedApplication(site.app.wsgi_app, evalex=False)  # type: ignore[method-assign]
    with caplog.at_level(DEBUG):
        answer = site.get("/fail", f"session={hidden.token}")
    assert answer.status == "500 INTERNAL SERVER ERROR"
    assert "Traceback" in answer.text
    assert FAILURES[failure].__name__ in answer.text
    assert hidden.shown_in(answer.text) == []
    assert hidden.shown_in(caplog.text) == []


def test_h14_the_repr_of_a_session_shows_nothing(hidden: Secrets) -> None:
    site = Site(secret_key=hidden.key)

    def show() -> str:
        before = f"{session!r} {session} {session_object()!r}"
        session["more"] = hidden.value
        return f"{before} {session!r} {session_object()}"

    site.app.add_url_rule("/show", view_func=show)
    text = site.get("/show", f"session={hidden.token}").text
    assert "Session" in text
    loaded = hidden.desk.load(f"session={hidden.token}")
    text += f"{loaded} {loaded.record} {hidden.desk.engine} {site.events}"
    assert "Record" in text
    assert hidden.shown_in(text) == []


def over_the_wire(site: Site, path: str, cookie: str) -> Answer:
    """Asks a real server."""
    server = make_server("127.0.0.1", 0, site.app)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=60)
        connection.request("GET", path, headers={"Cookie": cookie})
        response = connection.getresponse()
        answer = Answer(f"{response.status}", tuple(response.getheaders()), response.read())
        connection.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    return answer


def test_h14_the_access_log_shows_nothing(hidden: Secrets, caplog: pytest.LogCaptureFixture) -> None:
    site = failing_site(hidden, too_large)
    site.app.config["PROPAGATE_EXCEPTIONS"] = False
    with caplog.at_level(DEBUG):
        assert over_the_wire(site, "/read", f"session={hidden.token}").text == f"user: {hidden.value}"
        assert over_the_wire(site, "/write", f"session={hidden.token}").cookies[0].startswith("session=")
        for value in spoilt(hidden.token):
            assert over_the_wire(site, "/read", f"session={value}").text == "user: nobody"
        assert over_the_wire(site, "/fail", f"session={hidden.token}").status == "500"
    assert '"GET /read HTTP/1.1" 200' in caplog.text
    assert '"GET /fail HTTP/1.1" 500' in caplog.text
    assert hidden.shown_in(caplog.text) == []


def test_h14_the_error_that_says_what_is_too_large_names_keys_and_no_values(hidden: Secrets) -> None:
    site = failing_site(hidden, too_large)
    with pytest.raises(SessionTooLarge) as error:
        site.get("/fail", f"session={hidden.token}")
    assert "large (" in str(error.value)
    assert hidden.shown_in(str(error.value) + repr(error.value) + repr(vars(error.value))) == []


def test_h14_a_flood_of_bad_cookies_writes_one_warning_for_each_cause(
    hidden: Secrets, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(secret_key=hidden.key, cookie_secure=False)
    raw = decode(hidden.token)
    foreign = [encode(raw[:1] + number.to_bytes(4, "big") + raw[5:]) for number in range(100)]
    two_sessions = f"session={hidden.token}; session={hidden.desk.seal({'user': 'x'}, session_id=bytes(16))}"
    for header in [two_sessions] * 100 + [f"session={value}" for value in foreign + spoilt(hidden.token)]:
        site.get("/write", header, HTTP_HOST="shop.example")
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 3
    assert hidden.shown_in("".join(warnings)) == []


@pytest.mark.parametrize("breaker", ["\n", "\r\n", "\x1b[2J", "\x00", "\u2028"], ids=ascii)
def test_h14_a_host_that_breaks_lines_forges_none_in_the_log(breaker: str, caplog: pytest.LogCaptureFixture) -> None:
    Site().get("/write", HTTP_HOST=f"evil{breaker}WARNING forged" + "x" * 1000)
    (warning,) = [record.message for record in caplog.records if record.name == "coatcheck"]
    assert "evil" in warning
    assert breaker not in warning
    assert len(warning) < 500
