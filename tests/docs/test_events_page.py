"""The page about events: its programs do what they say, and its tables leave nothing out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from kit import SECRET

from coatcheck import Event, Kind, Reason, signals
from coatcheck.flask import session
from coatcheck.testing import Clock

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
TEXT = PAGE.read_text()
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(TEXT)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What the examples make, but for the one that sets the provider of its process."""
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {"__name__": "example"}
    for block in BLOCKS:
        if "set_meter_provider" not in block:
            exec(compile(block, str(PAGE), "exec", dont_inherit=True), found)
    app: Flask = found["app"]
    app.config["SESSION_CLOCK"] = found["clock"] = Clock()
    app.add_url_rule("/rotate", view_func=lambda: str(session.regenerate()), endpoint="rotate")
    app.add_url_rule("/logout", view_func=lambda: str(session.logout()), endpoint="logout")
    yield found
    for receiver in (found[name] for name in ("note", "remember_owner", "end_all", "count_guess")):
        for kind in Kind:
            getattr(signals, kind.value).disconnect(receiver)
    for sessions in app.session_interface._configured:  # type: ignore[attr-defined]  # noqa: SLF001
        for store in sessions[-1].opened.values():
            store.close()


def copy(client: FlaskClient) -> FlaskClient:
    cookie = client.get_cookie("session")
    assert cookie
    thief: FlaskClient = client.application.test_client()
    thief.set_cookie("session", cookie.value)
    return thief


def test_the_function_hears_what_happens(names: dict[str, Any]) -> None:
    client = names["app"].test_client()
    client.post("/login", data={"name": "ann"})
    created, signed_in = names["heard"]
    assert (created[0], signed_in[0]) == (Kind.CREATED, Kind.SIGNED_IN) == ("created", "signed_in")
    assert created[2] == signed_in[2]
    assert client.get("/").text == "Hello ann!"
    assert len(names["heard"]) == 2


def test_the_receiver_of_two_signals_notes_who_and_from_where(names: dict[str, Any]) -> None:
    client = names["app"].test_client()
    client.post("/login", data={"name": "ann"})
    client.get("/logout")
    assert names["audit"] == [
        ("example", "signed_in", "ann", "127.0.0.1"),
        ("example", "signed_out", None, "127.0.0.1"),
    ]


def test_the_alarm_ends_all_sessions_of_the_user(names: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    client, phone = names["app"].test_client(), names["app"].test_client()
    for each in (client, phone):
        each.post("/login", data={"name": "ann"})
    thief = copy(client)
    client.get("/rotate")
    assert phone.get("/").text == client.get("/").text == "Hello ann!"
    names["clock"].advance(11)
    assert thief.get("/").text == "Hello stranger!"
    names["clock"].advance(2)
    assert phone.get("/").text == client.get("/").text == "Hello stranger!"
    assert "a cookie of user ann was copied" in caplog.text


def test_who_guesses_is_refused_after_a_while(names: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    app: Flask = names["app"]
    guesser = app.test_client(use_cookies=False)

    def guess(number: int) -> int:
        return guesser.get(
            "/", headers={"Cookie": f"session={number:044}"}, environ_base={"REMOTE_ADDR": "203.0.113.7"}
        ).status_code

    names["time"] = type("time", (), {"time": names["clock"]})
    assert [guess(number) for number in range(25)] == [200] * 20 + [429] * 5
    assert caplog.text.count("20 cookies in a minute that are no sessions, from 203.0.113.7") == 1
    assert app.test_client().get("/").status_code == 200
    names["clock"].advance(60)
    assert guess(1) == 200


def test_what_honest_browsers_cause_is_no_guess(names: dict[str, Any]) -> None:
    guesses = names["GUESSES"]
    assert not guesses & {Reason.EXPIRED, Reason.REVOKED, Reason.UNKNOWN_KEY, Reason.ENDED, Reason.TOO_OLD}
    client = names["app"].test_client()
    client.post("/login", data={"name": "ann"})
    names["clock"].advance(32 * 24 * 3600)
    assert [client.get("/").status_code for _ in range(25)] == [200] * 25
    assert not names["guesses"]()


def test_the_provider_of_the_page_prints_what_was_counted() -> None:
    (example,) = [block for block in BLOCKS if "set_meter_provider" in block]
    program = (
        "import os; os.environ['SECRET_KEY'] = '9f3c1b7ad0e84c52b6e1f70a2d95c843'\n"
        + BLOCKS[0].replace("sqlite:///revoked.db", "memory:")
        + example
        + "app.test_client().post('/login', data={'name': 'ann'})\nprovider.shutdown()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    (metric,) = json.loads(done.stdout)["resource_metrics"][0]["scope_metrics"][0]["metrics"]
    assert (metric["name"], metric["unit"]) == ("coatcheck.session.events", "{event}")
    assert {point["attributes"]["coatcheck.event.kind"] for point in metric["data"]["data_points"]} == {
        "created",
        "signed_in",
    }


def rows(heading: str, column: str) -> list[str]:
    """Gives the words in the first column of the tables under a heading whose head is this."""
    found: list[str] = []
    section = re.split(r"^#+ ", TEXT.partition(f"# {heading}\n")[2], flags=re.MULTILINE)[0]
    for table in re.findall(rf"^\| {column} \|.*\n\|[ -|]+\n((?:\|.*\n?)+)", section, re.MULTILINE):
        found += re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    return found


def test_the_table_has_a_row_for_each_kind() -> None:
    assert sorted(rows("What is told", "kind")) == sorted(kind.value for kind in Kind)


def test_the_tables_have_a_row_for_each_reason() -> None:
    assert set(rows("Reasons", "reason")) == {reason.value for reason in Reason}


def test_every_kind_has_the_signal_that_the_page_promises() -> None:
    assert all(hasattr(signals, kind.value) for kind in Kind)
    assert "session_event" in TEXT and hasattr(signals, "session_event")


def test_an_event_is_the_three_words_of_the_page() -> None:
    assert all(f"`event.{field}`" in TEXT for field in Event._fields)


def test_every_link_of_the_page_leads_somewhere() -> None:
    for address in re.findall(r"\]\(([^)]+)\)", TEXT):
        file, _, anchor = address.partition("#")
        if file.startswith("https://"):
            continue
        target = PAGE.parent / file if file else PAGE
        assert target.exists(), address
        if anchor:
            headings = [line.lstrip("# ") for line in target.read_text().splitlines() if line.startswith("#")]
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, address
