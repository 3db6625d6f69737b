"""A request as a server hands it over, with every call held to PEP 3333."""

from __future__ import annotations

from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from flask import Flask

from coatcheck import Event, Reason
from coatcheck.core.events import Kind
from coatcheck.flask import Coatcheck


class Answer:
    def __init__(self, app: Flask, path: str, cookie: str | None, **more: str) -> None:
        environ: dict[str, Any] = {"PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "", **more}
        setup_testing_defaults(environ)
        if cookie is not None:
            environ["HTTP_COOKIE"] = cookie
        body = validator(app)(environ, self._start)
        try:
            self.body = b"".join(body)
        finally:
            body.close()  # type: ignore[attr-defined]

    def _start(self, status: str, headers: list[tuple[str, str]], error: object = None) -> Any:
        self.status = status
        self.headers = headers
        return lambda data: None

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each == name]


@pytest.fixture
def app(app: Flask, events: list[Event]) -> Flask:
    Coatcheck(app, on_event=events.append)
    return app


def kept(app: Flask, user: str) -> str:
    """Gives the pair that a browser sends back."""
    (header,) = Answer(app, f"/keep/user/{user}", None).all("Set-Cookie")
    return header.partition(";")[0]


def test_a_session_goes_there_and_back(app: Flask) -> None:
    answer = Answer(app, "/read", kept(app, "ada"))
    assert (answer.status, answer.body) == ("200 OK", b'{"user":"ada"}\n')
    assert answer.all("Vary") == ["Cookie"] and answer.all("Set-Cookie") == []


def test_a_request_without_a_cookie_header_has_an_empty_session(app: Flask) -> None:
    assert Answer(app, "/read", None).body == b"{}\n"


@pytest.mark.parametrize(
    "around", ["{}", " {} ", "a=1; {}", "{}; a=1", "a=1;{};b=2", ";;{};;", "a; {}", '="; {}', "{}\t"]
)
def test_a_session_is_found_among_other_cookies(app: Flask, around: str) -> None:
    assert Answer(app, "/read", around.format(kept(app, "ada"))).body == b'{"user":"ada"}\n'


@pytest.mark.parametrize(
    "shape",
    ['session="{}"', "session={}%00", "Session={}", "xsession={}", "session ={}", "session={}\xa0", "\xa0session={}"],
)
def test_another_spelling_is_no_session(app: Flask, shape: str) -> None:
    value = kept(app, "ada").partition("=")[2]
    assert Answer(app, "/read", shape.format(value)).body == b"{}\n"


@pytest.mark.parametrize("order", [1, -1])
def test_rubbish_beside_a_good_cookie_is_passed_over(app: Flask, events: list[Event], order: int) -> None:
    pairs = ["session=rubbish", kept(app, "ada")][::order]
    assert Answer(app, "/read", "; ".join(pairs)).body == b'{"user":"ada"}\n'
    assert Event(Kind.REJECTED, Reason.MALFORMED) in events


def test_two_sessions_under_one_name_are_none(app: Flask, events: list[Event]) -> None:
    answer = Answer(app, "/read", "; ".join([kept(app, "ada"), kept(app, "bob")]))
    assert answer.body == b"{}\n" and answer.all("Set-Cookie") == []
    assert events[-1].reason is Reason.AMBIGUOUS


def test_of_two_seals_of_one_session_the_later_counts(app: Flask) -> None:
    """A browser may hold both for a while, where the path or the domain was changed."""
    now = 1_800_000_000
    Coatcheck(app, clock=lambda: now)
    first = kept(app, "ada")
    now += 5
    (header,) = Answer(app, "/keep/user/eve", first).all("Set-Cookie")
    second = header.partition(";")[0]
    for pairs in ([first, second], [second, first]):
        assert Answer(app, "/read", "; ".join(pairs)).body == b'{"user":"eve"}\n'


@pytest.mark.parametrize("cookie", ["", "=", ";", "session", "session=", "\xff\xfe=\x80", "session=" + "A" * 100_000])
def test_a_header_that_is_rubbish_is_an_empty_session_and_no_error(app: Flask, cookie: str) -> None:
    answer = Answer(app, "/read", cookie)
    assert (answer.status, answer.body) == ("200 OK", b"{}\n")
    assert answer.all("Set-Cookie") == []


def test_https_is_what_the_server_says_and_not_what_a_header_says(app: Flask) -> None:
    (plain,) = Answer(app, "/keep/user/ada", None, HTTP_X_FORWARDED_PROTO="https").all("Set-Cookie")
    assert "Secure" not in plain
    more = {"wsgi.url_scheme": "https", "HTTP_X_FORWARDED_PROTO": "http"}
    (secure,) = Answer(app, "/keep/user/ada", None, **more).all("Set-Cookie")
    assert "; Secure" in secure
