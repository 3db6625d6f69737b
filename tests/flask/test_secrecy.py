"""No record of the log, no error and no frame of ours shows a key, a token or content."""

from __future__ import annotations

import os
import traceback
from logging import DEBUG, LogRecord
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

import coatcheck
from coatcheck import CoatcheckError, Event, UsageError
from coatcheck.flask import Coatcheck, session
from coatcheck.testing import Clock

KEY = "Zr7-kestrel-0c19b5f2e4"
FALLBACK = "Pm4-osprey-77ad03c8ee"
CONTENT = "marmalade"
HOUR = 3600
PACKAGE = str(Path(coatcheck.__file__).parent)


@pytest.fixture
def app(app: Flask, clock: Clock, events: list[Event]) -> Flask:
    app.config.update(SECRET_KEY=KEY, SECRET_KEY_FALLBACKS=[FALLBACK])
    Coatcheck(app, clock=clock, on_event=events.append)

    @app.get("/big")
    def big() -> str:
        session["scroll"] = CONTENT * 1000
        return ""

    @app.get("/odd")
    def odd() -> str:
        session["cart"] = [CONTENT, {CONTENT}, {"price": Path(CONTENT)}]
        return ""

    return app


def live(client: FlaskClient, clock: Clock) -> list[str]:
    """Does everything that gives events, errors and lines, and gives the tokens of it."""
    tokens = []
    for page in ("/stay/user/", "/keep/user/", "/keep/other/"):
        client.get(page + CONTENT, base_url="http://shop.example")
        cookie = client.get_cookie("session", "shop.example")
        assert cookie is not None
        tokens.append(cookie.value)
    for page in ("/big", "/odd"):
        assert client.get(page, base_url="http://shop.example").status_code == 500
    clock.advance(2 * HOUR)
    client.get("/read", base_url="http://shop.example")
    stranger = client.application.test_client(use_cookies=False)
    changed = tokens[0][:40] + ("A" if tokens[0][40] != "A" else "B") + tokens[0][41:]
    for token in (tokens[0][:-1], tokens[0] + "A", changed, tokens[0] + "=" * 5000):
        stranger.get("/read", headers={"Cookie": f"session={token}"}, base_url="http://shop.example")
    client.application.config.update(SECRET_KEY=os.urandom(24), SECRET_KEY_FALLBACKS=[])
    client.get("/read", base_url="http://shop.example")
    client.get("/clear", base_url="http://shop.example")
    return tokens


def everything(record: LogRecord) -> str:
    shown = f"{record.getMessage()} {record.args!r} {record.exc_text}"
    if record.exc_info and record.exc_info[1]:
        shown += "".join(traceback.format_exception(record.exc_info[1]))
    return shown


def test_no_record_of_the_log_shows_a_secret(app: Flask, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(DEBUG)
    tokens = live(app.test_client(), clock)
    log = "\n".join(map(everything, caplog.records))
    for word in ("created", "forged", "without Secure", "SessionTooLarge", "Unserializable", "destroyed"):
        assert word in log
    for secret in (KEY, FALLBACK, CONTENT, *tokens, *(token[10:40] for token in tokens)):
        assert secret not in log


def test_no_event_shows_a_secret(app: Flask, clock: Clock, events: list[Event]) -> None:
    tokens = live(app.test_client(), clock)
    shown = repr(events)
    assert len({event.kind for event in events}) >= 5
    for secret in (KEY, FALLBACK, CONTENT, *tokens, *(token[10:40] for token in tokens)):
        assert secret not in shown


def frames_of_ours(error: BaseException) -> str:
    """Gives the variables that an error reporter would send along, of our frames only."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    chain: list[traceback.TracebackException] = [report]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(before)
    frames = [frame for each in chain for frame in each.stack if frame.filename.startswith(PACKAGE)]
    assert frames
    return "\n".join(
        f"{frame.name}: {name} = {value}" for frame in frames for name, value in (frame.locals or {}).items()
    )


@pytest.mark.parametrize("page", ["/big", "/odd"])
def test_the_frames_of_a_session_that_cannot_be_kept_show_no_secret(app: Flask, page: str) -> None:
    app.testing = True
    client = app.test_client()
    client.get(f"/keep/user/{CONTENT}")
    with pytest.raises(CoatcheckError) as caught:
        client.get(page)
    shown = frames_of_ours(caught.value)
    for secret in (KEY, FALLBACK, CONTENT):
        assert secret not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"SECRET_KEY": FALLBACK},
        {"SECRET_KEY": "kestrel-osprey"},
        {"SECRET_KEY_FALLBACKS": [FALLBACK, "osprey"]},
        {"SESSION_COOKIE_SAMESITE": "Sometimes"},
    ],
    ids=["twice", "weak", "weak fallback", "another option"],
)
def test_the_frames_of_a_wrong_configuration_show_no_key(app: Flask, wrong: dict[str, object]) -> None:
    app.config.update(wrong)
    with pytest.raises(UsageError) as caught:
        Coatcheck(app)
    shown = frames_of_ours(caught.value)
    for secret in ("kestrel", "osprey"):
        assert secret not in str(caught.value)
        assert secret not in shown


def test_the_extension_and_the_interface_show_no_key(app: Flask) -> None:
    coatcheck = Coatcheck(app, secret_key=KEY, secret_key_fallbacks=[FALLBACK])
    shown = repr(coatcheck) + repr(app.session_interface) + repr(app.extensions)
    assert KEY not in shown and FALLBACK not in shown
