"""The races of `scenarios.py` with a thread for each request, and stores with which they are lost."""

from __future__ import annotations

from races.crowd import Crowd, Threads
from races.scenarios import WRITERS, Races, add, count, destroy, put
from races.wrong_stores import Careless, Reviving

from coatcheck.stores.memory import MemoryStore


class TestThreads(Races):
    crowd_class = Threads


def visitors_of(store: MemoryStore) -> Crowd:
    crowd = Threads("memory:")
    crowd.store = store
    return crowd


def test_where_the_version_is_not_looked_at_all_writers_but_one_are_lost() -> None:
    crowd = visitors_of(Careless())
    site = crowd.site()
    header = crowd.begin(site, start=0)
    crowd.together(site, *((header, put(**{f"key {number}": number})) for number in range(WRITERS)))
    assert len(crowd.read(site, header)) == 2


def test_where_the_version_is_not_looked_at_sixteen_count_one() -> None:
    crowd = visitors_of(Careless())
    site = crowd.site(merge={"count": add})
    header = crowd.begin(site, count=0)
    crowd.together(site, *[(header, count)] * WRITERS)
    assert crowd.read(site, header) == {"count": 1}


def test_where_replace_brings_back_what_is_gone_a_logout_comes_undone() -> None:
    crowd = visitors_of(Reviving())
    site = crowd.site()
    header = crowd.begin(site, user="ada")
    crowd.together(site, (header, put(colour="red")), (header, destroy), last=0)
    assert crowd.read(site, header) == {"user": "ada", "colour": "red"}
