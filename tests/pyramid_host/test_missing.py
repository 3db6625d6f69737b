"""Without Pyramid, its module says what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("missing", ["pyramid", "zope.interface"])
def test_what_is_missing_is_named(missing: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; import coatcheck.pyramid"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: coatcheck.pyramid needs Pyramid: pip install 'coatcheck[pyramid]'"
    )
