"""Processes that begin together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from servers.process import PATIENCE

_BEGINNING = """
import os, sys, time
from coatcheck.errors import StoreError
from coatcheck.stores import StoredRecord, open_store

url, number = sys.argv[1], int(sys.argv[2])

def record(content, life=3600):
    now = int(time.time())
    return StoredRecord(content, now, now + life)

def begin():
    print("ready", flush=True)
    sys.stdin.readline()
"""


_STORE = "store = open_store(url)\n"


def crowd(url: str, program: str, count: int = 4) -> list[str]:
    """Runs a program in several processes and gives what each prints.

    It has `store`, its `number`, `record(content)`, and `begin()`, which returns in all at once.
    """
    # All of them write at once, and on a busy machine some wait long for their turn.
    url += f"{'&' if '?' in url else '?'}timeout={PATIENCE}"
    processes = [start(url, program, number) for number in range(count)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n", process.communicate()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [finish(process) for process in processes]


def start(
    url: str, program: str, number: int = 0, *, options: Sequence[str] = (), is_async: bool = False
) -> subprocess.Popen[str]:
    """Starts one process with such a program. If it is async, it has no `store`."""
    return subprocess.Popen(
        [sys.executable, *options, "-c", _BEGINNING + ("" if is_async else _STORE) + program, url, str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Waits for the end of a process and gives what it printed."""
    try:
        output, problems = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        output, problems = process.communicate()
    assert process.returncode == 0, problems
    return output
