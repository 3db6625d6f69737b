"""What a type checker makes of a program that uses the middleware."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

PROGRAM = """
    from datetime import timedelta

    from starlette.applications import Starlette
    from starlette.config import Config
    from starlette.datastructures import Secret
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.types import ASGIApp

    from coatcheck import Event
    from coatcheck.asgi import AsyncSession, SessionMiddleware

    KEY = Config()("SECRET_KEY", cast=Secret)

    def listen(event: Event) -> None:
        print(event.kind)

    async def page(request: Request) -> Response:
        session: AsyncSession = request.scope["session"]
        reveal_type(session.handle)
        reveal_type(await session.save())
        reveal_type(session["user"])
        session.regenerate()
        return PlainTextResponse(request.session["user"])

    app = Starlette(middleware=[Middleware(SessionMiddleware, secret_key=KEY, max_age=None, store="memory:")])
    app.add_middleware(SessionMiddleware, secret_key=KEY)
    app.add_middleware(SessionMiddleware, secret_key=KEY, absolute_lifetime=timedelta(days=1), on_event=listen)
    wrapped: ASGIApp = SessionMiddleware(app, "key")
    wrapped = SessionMiddleware(app=app, secret_key="key")
"""
MISTAKES = """
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from coatcheck.asgi import SessionMiddleware

    app = Starlette()
    app.add_middleware(SessionMiddleware)
    app.add_middleware(SessionMiddleware, secret_key="key", same_site="sometimes")
    app.add_middleware(SessionMiddleware, secret_key="key", stor="memory:")
    Middleware(SessionMiddleware, secret_key="key", permanent_lifetime="a week")
    SessionMiddleware(app, "key", https_only="yes")
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What mypy says of both programs, in strict mode."""
    folder = tmp_path_factory.mktemp("typing")
    for name, text in {"program.py": PROGRAM, "mistakes.py": MISTAKES}.items():
        (folder / name).write_text(dedent(text).lstrip())
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file="]
    answer = subprocess.run(
        [*command, "program.py", "mistakes.py"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert answer.stderr == "", answer.stderr
    return answer.stdout.splitlines()


def test_a_program_is_well_typed_in_strict_mode(told: list[str]) -> None:
    assert [line for line in told if line.startswith("program.py") and ": error:" in line] == []


def test_the_session_is_revealed_as_ours(told: list[str]) -> None:
    revealed = [line.partition("Revealed type is ")[2].strip('"') for line in told if "Revealed type" in line]
    assert revealed == ["str", "bool", "Any"]


@pytest.mark.parametrize("line", range(6, 11))
def test_a_mistake_is_found(told: list[str], line: int) -> None:
    assert any(text.startswith(f"mistakes.py:{line}: error:") for text in told)
