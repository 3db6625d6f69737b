"""The races of `scenarios.py` with a task for each request, and a store with which they are lost."""

from __future__ import annotations

from races.crowd import Tasks
from races.scenarios import WRITERS, Races, put
from races.wrong_stores import Careless

from coatcheck.stores.threaded import ThreadedStore


class TestTasks(Races):
    crowd_class = Tasks


def test_where_the_version_is_not_looked_at_all_writers_but_one_are_lost() -> None:
    crowd = Tasks("memory:")
    crowd.store = ThreadedStore(Careless())
    site = crowd.site()
    header = crowd.begin(site, start=0)
    crowd.together(site, *((header, put(**{f"key {number}": number})) for number in range(WRITERS)))
    assert len(crowd.read(site, header)) == 2
    crowd.close()
