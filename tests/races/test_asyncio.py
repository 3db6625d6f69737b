"""The races of `scenarios.py` with a task for each request."""

from __future__ import annotations

from races.crowd import Tasks
from races.scenarios import Races


class TestTasks(Races):
    crowd_class = Tasks
