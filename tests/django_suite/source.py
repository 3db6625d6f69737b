"""Django's own tests of sessions, from the source package of the version that is installed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

# The second has a cache that fails, which the first uses.
_WANTED = ("sessions_tests", "cache")


def download(folder: Path) -> Path:
    """Gives the source package, which pip brings from its index once and checks."""
    django = version("django")
    package = folder / f"django-{django}.tar.gz"
    if not package.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        with TemporaryDirectory(dir=folder) as fresh:
            subprocess.run(
                [*pip, "--no-deps", "--no-binary=django", f"--dest={fresh}", f"django=={django}"], check=True
            )
            # In one step: another run may be doing the same.
            (Path(fresh) / package.name).replace(package)
    return package


def unpack(package: Path, folder: Path) -> Path:
    """Gives the folder with the package of the tests."""
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            _, _, path = member.name.partition("/")
            parts = Path(path).parts
            if member.isfile() and parts[0] == "tests" and parts[1] in _WANTED and ".." not in parts:
                content = archive.extractfile(member)
                assert content is not None
                target = folder / Path(*parts[1:])
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())
    return folder
