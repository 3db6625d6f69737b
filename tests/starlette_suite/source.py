"""Starlette's own tests of its sessions, from the source package of the version that is installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

# As a user moves.
_IMPORT = "from starlette.middleware.sessions import "
CHANGES = {
    "tests/middleware/test_session.py": (_IMPORT, "from keeper import "),
    "tests/middleware/test_middleware.py": (_IMPORT, "from keeper import "),
}


def download(folder: Path) -> Path:
    """Gives the source package, which pip brings from its index once and checks."""
    starlette = version("starlette")
    package = folder / f"starlette-{starlette}.tar.gz"
    if not package.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        wanted = ["--no-deps", "--no-binary=starlette", f"starlette=={starlette}"]
        with TemporaryDirectory(dir=folder) as fresh:
            subprocess.run([*pip, *wanted, f"--dest={fresh}"], check=True)
            # In one step: another run may be doing the same.
            (Path(fresh) / package.name).replace(package)
    return package


def swap(folder: Path) -> None:
    """Changes the one import in each file of the tests that were unpacked."""
    for path, (before, after) in CHANGES.items():
        text = (folder / path).read_text()
        assert text.count(before) == 1, f"{path} no longer says {before}"
        (folder / path).write_text(text.replace(before, after))
