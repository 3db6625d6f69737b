"""Times several sides in turn, so that a machine whose speed drifts treats them alike."""

from __future__ import annotations

import gc
import json
import platform
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

REFERENCE: dict[str, Any] = json.loads((Path(__file__).parent / "reference_session.json").read_text())


def microseconds(sides: Mapping[str, Callable[[], object]], *, rounds: int = 60, calls: int = 500) -> dict[str, float]:
    """Gives the median cost of one call of each side, in microseconds: every round times every side once."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        for _ in range(calls):
            side()
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, side in sides.items():
                start = perf_counter()
                for _ in range(calls):
                    side()
                taken[name].append((perf_counter() - start) / calls * 1e6)
    finally:
        gc.enable()
    return {name: median(each) for name, each in taken.items()}


def heading(*packages: str) -> str:
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return f"{platform.python_implementation()} {sys.version.split()[0]}, {platform.machine()}; {versions}"
