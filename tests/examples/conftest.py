"""What these tests share: the examples, loaded as a program would be that has just started."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from flask import Flask
from kit import NOON

from coatcheck.testing import Clock

EXAMPLES = Path(__file__).parents[2] / "examples"


def forget(folder: Path) -> None:
    for file in folder.glob("*.py"):
        sys.modules.pop(file.stem, None)


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports an example: `flask_minimal`, or `demo/app`. Each time anew, with new keys."""
    folders: list[Path] = []

    def start(example: str) -> ModuleType:
        file = EXAMPLES / f"{example}.py"
        if file.parent not in folders:
            monkeypatch.syspath_prepend(file.parent)
            folders.append(file.parent)
        forget(file.parent)
        module = import_module(file.stem)
        assert module.__file__ == str(file), f"another module is named as {file}"
        return module

    yield start
    for folder in folders:
        forget(folder)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def start_demo(load: Callable[[str], ModuleType], clock: Clock) -> Callable[[], Flask]:
    """Starts the demo, on a clock that stands."""

    def start() -> Flask:
        app: Flask = load("demo/app").app
        app.config["SESSION_CLOCK"] = clock
        return app

    return start


@pytest.fixture
def demo(start_demo: Callable[[], Flask]) -> Flask:
    return start_demo()
