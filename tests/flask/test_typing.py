"""What a type checker makes of a program that uses the extension."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

PROGRAM = """
    from typing import Any

    from flask import Flask

    from coatcheck import Event, Session, SessionTooLarge
    from coatcheck.flask import Coatcheck, CoatcheckSessionInterface, session

    app = Flask(__name__)
    coatcheck = Coatcheck(app, cookie_name="sid")
    Coatcheck().init_app(app)
    app.session_interface = CoatcheckSessionInterface()

    s: Session = session
    reveal_type(session)
    reveal_type(session.handle)
    reveal_type(session.created_at)
    reveal_type(session.permanent)
    reveal_type(session["user"])

    def view() -> dict[str, Any]:
        session["user"] = "ada"
        session.permanent = True
        session.regenerate()
        session.destroy()
        return dict(session)

    def largest(error: SessionTooLarge) -> tuple[str, int]:
        return error.largest[0]

    class ByHost(CoatcheckSessionInterface):
        def get_cookie_name(self, app: Flask) -> str:
            return "sid"
"""
MISTAKES = """
    from coatcheck.flask import Coatcheck, session

    number: int = session
    session.regenrate()
    session.handle = "x"
    session.new = True
    Coatcheck("shop")
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What mypy says of both programs, in strict mode."""
    folder = tmp_path_factory.mktemp("typing")
    for name, text in {"program.py": PROGRAM, "mistakes.py": MISTAKES}.items():
        (folder / name).write_text(dedent(text).lstrip())
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--config-file=",
        "program.py",
        "mistakes.py",
    ]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert answer.stderr == "", answer.stderr
    return answer.stdout.splitlines()


def test_a_program_is_well_typed_in_strict_mode(told: list[str]) -> None:
    assert [line for line in told if line.startswith("program.py") and ": error:" in line] == []


def test_the_proxy_is_revealed_as_our_session(told: list[str]) -> None:
    revealed = [line.partition("Revealed type is ")[2].strip('"') for line in told if "Revealed type" in line]
    assert revealed == ["coatcheck.core.session.Session", "str", "datetime.datetime", "bool", "Any"]


@pytest.mark.parametrize("line", range(3, 8))
def test_a_mistake_is_found(told: list[str], line: int) -> None:
    assert any(text.startswith(f"mistakes.py:{line}: error:") for text in told)
