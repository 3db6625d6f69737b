"""What type checkers make of a program whose session is a model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

PROGRAM = """
    from dataclasses import dataclass
    from typing import Annotated, Any

    import flask
    from fastapi import Depends, FastAPI, Request
    from pydantic import BaseModel
    from typing_extensions import TypedDict

    import coatcheck.flask
    from coatcheck.typed import TypedSession

    @dataclass
    class Cart:
        user: str | None = None

    class Visitor(BaseModel):
        visits: int = 0

    class View(TypedDict, total=False):
        user: str

    def upgrade(content: dict[str, Any]) -> None:
        content.pop("old", None)

    cart = TypedSession(Cart, upgrade=upgrade)
    visitor = TypedSession(Visitor, invalid="empty")
    view = TypedSession(View)

    reveal_type(cart.of(flask.session))
    reveal_type(visitor.of(coatcheck.flask.session).visits)
    reveal_type(view.of(flask.session).get("user"))

    app = FastAPI()

    @app.get("/")
    def index(visitor: Annotated[Visitor, Depends(visitor.dependency)], request: Request) -> int:
        reveal_type(visitor)
        reveal_type(cart.of(request.session).user)
        return visitor.visits

    async def by_hand(request: Request) -> None:
        reveal_type(await cart.dependency(request))
"""
MISTAKES = """
    from dataclasses import dataclass
    from typing import Any

    import flask

    from coatcheck.typed import TypedSession

    @dataclass
    class Cart:
        user: str | None = None

    def functional(content: dict[str, Any]) -> dict[str, Any]:
        return content

    cart = TypedSession(Cart)
    cart.of(flask.session).usr = "ada"
    cart.of(flask.session).user = 7
    TypedSession(Cart, invalid="ignore")
    TypedSession(Cart, upgrade=functional)
    cart.of("session")
"""
FIRST_MISTAKE, LAST_MISTAKE = 16, 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("typing")
    for name, text in {"program.py": PROGRAM, "mistakes.py": MISTAKES}.items():
        (folder / name).write_text(dedent(text).lstrip())
    return folder


@pytest.fixture(scope="module")
def told(folder: Path) -> list[str]:
    """What mypy says of both programs, in strict mode."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file="]
    answer = subprocess.run(
        [*command, "program.py", "mistakes.py"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert answer.stderr == "", answer.stderr
    return answer.stdout.splitlines()


def test_a_program_is_well_typed_in_strict_mode(told: list[str]) -> None:
    assert [line for line in told if line.startswith("program.py") and ": error:" in line] == []


def test_the_accessor_and_the_dependency_are_revealed_as_the_model(told: list[str]) -> None:
    revealed = [line.partition("Revealed type is ")[2].strip('"') for line in told if "Revealed type" in line]
    assert revealed == ["program.Cart", "int", "str | None", "program.Visitor", "str | None", "program.Cart"]


@pytest.mark.parametrize("line", range(FIRST_MISTAKE, LAST_MISTAKE + 1))
def test_a_mistake_is_found(told: list[str], line: int) -> None:
    assert any(text.startswith(f"mistakes.py:{line}: error:") for text in told)
