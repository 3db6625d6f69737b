"""What is published: the wheel and the source package, built as an index would get them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Mapping
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "--directory", str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Mapping[str, bytes]:
    (path,) = built.glob("*.whl")
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(wheel: Mapping[str, bytes]) -> Message:
    (text,) = (content.decode() for name, content in wheel.items() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(text)


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel: Mapping[str, bytes]) -> None:
    package = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*") if path.is_file()}
    package = {name for name in package if "__pycache__" not in name}
    assert {name for name in wheel if ".dist-info/" not in name} == package
    assert "coatcheck/py.typed" in package


def test_the_wheel_runs_on_every_system(built: Path) -> None:
    assert [path.name.endswith("-py3-none-any.whl") for path in built.glob("*.whl")] == [True]


def test_the_licence_is_named_and_enclosed(wheel: Mapping[str, bytes], metadata: Message) -> None:
    assert metadata["License-Expression"] == "MIT"
    assert b"the coatcheck contributors" in next(text for name, text in wheel.items() if name.endswith("/LICENSE"))


def test_frameworks_and_stores_are_needed_by_their_extras_alone(metadata: Message) -> None:
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(line.partition(">")[0] for line in needed) == ["cryptography", "ormsgpack"]
    assert sorted(metadata.get_all("Provides-Extra", [])) == [
        *("aiohttp", "asyncpg", "devices", "django", "flask", "litestar", "mariadb", "mariadb-async", "memcached"),
        *("mysql", "opentelemetry", "pages", "postgresql", "pyramid", "quart", "redis", "typed"),
    ]


def test_the_source_package_holds_the_tests_and_nothing_that_was_made(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert {"LICENSE", "README.md", "Makefile", "pyproject.toml"} <= set(names)
    assert "tests/packaging/test_distributions.py" in names
    made = ("__pycache__", ".venv", "_cache/", ".hypothesis", ".coverage")
    assert [name for name in names if any(part in name for part in made)] == []
