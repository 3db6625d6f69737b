"""Where a session may come from, and where it goes: a site before a change of its configuration, and after."""

from __future__ import annotations

from typing import Any

from kit import NOON, Site
from races.model import Model
from races.reading import EARLIER_NAME
from races.steps import Request
from races.views import RULES

from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

START = {"own 0": 0, "shared": 0, "count": 0, "list": []}


class World:
    """Two sites and their stores. Sites are made once; what is in the stores is forgotten at each beginning."""

    def __init__(self, move: str, store: type[MemoryStore] = MemoryStore) -> None:
        self._clock = Clock(NOON)
        self._stores = [store(clock=self._clock), MemoryStore(clock=self._clock)]
        here, elsewhere = ({"store": store} for store in self._stores)
        before, after = MOVES[move]
        places: dict[str, dict[str, Any]] = {
            "here": here,
            "elsewhere": elsewhere,
            "sealed": {},
            "under another name": {**here, "cookie_name": EARLIER_NAME},
            "here, from elsewhere": {**here, "earlier_store": elsewhere["store"]},
            "here, from another name": {**here, "earlier_cookie_names": [EARLIER_NAME]},
        }
        self._before = Site(clock=self._clock, merge=RULES, **places[before])
        self._after = Site(clock=self._clock, merge=RULES, **places[after])

    def begin(self) -> Model:
        """Gives a model of the site as it is after the change, with one session from before."""
        self._clock.now = NOON
        for store in self._stores:
            store._records.clear()
        model = Model(self._after)
        begun = Request(self._before, "", lambda session: session.update(START), random=model.random).finish()
        model.know(begun.next_header, START)
        return model


MOVES = {
    "in one store": ("here", "here"),
    "from the cookie": ("sealed", "here"),
    "from another store": ("elsewhere", "here, from elsewhere"),
    "from another name": ("under another name", "here, from another name"),
}
