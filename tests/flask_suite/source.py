"""Flask's own tests, from the source package of the version that is installed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

_WANTED = ("tests", "pyproject.toml")


def download(folder: Path) -> Path:
    """Gives the source package, which pip brings from its index once and checks."""
    flask = version("flask")
    package = folder / f"flask-{flask}.tar.gz"
    if not package.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        with TemporaryDirectory(dir=folder) as fresh:
            subprocess.run([*pip, "--no-deps", "--no-binary=flask", f"--dest={fresh}", f"flask=={flask}"], check=True)
            # In one step: another run may be doing the same.
            (Path(fresh) / package.name).replace(package)
    return package


def unpack(package: Path, folder: Path) -> Path:
    """Gives the folder with the tests and their configuration."""
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            root, _, path = member.name.partition("/")
            if member.isfile() and path.partition("/")[0] in _WANTED and ".." not in Path(path).parts:
                content = archive.extractfile(member)
                assert content is not None
                target = folder / root / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())
    (root_folder,) = folder.iterdir()
    return root_folder
