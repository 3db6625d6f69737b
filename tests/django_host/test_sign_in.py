"""Django's own login, logout and change of the password, with users in a database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECKS = ["login", "list", "key", "password", "logout", "another", "async"]


@pytest.mark.parametrize("middleware", ["ours", "own"])
@pytest.mark.parametrize("mode", ["cookie", "list", "store", "hybrid"])
def test_django_s_users_sign_in_and_out_by_its_own_calls(mode: str, middleware: str) -> None:
    script = Path(__file__).with_name("users.py")
    run = subprocess.run(
        [sys.executable, script, mode, middleware], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.stdout.split() == CHECKS, run.stderr[-2000:]
    assert run.returncode == 0, run.stderr[-2000:]
