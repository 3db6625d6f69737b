"""What the stores hold, read by one who knows all ids."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from kit import Site

from coatcheck.core.codec import unpack
from coatcheck.core.opaque import LIVE, NOBODY, REPLACED, TOKEN_CHARS, Entry, Id, RecordSealer, make_id, read_token
from coatcheck.core.record import StoredRecord
from coatcheck.core.text import decode
from coatcheck.stores import Store

Content = dict[str, Any]
NAME = "session"
EARLIER_NAME = "earlier"


class State(NamedTuple):
    """What an id stands for at one moment."""

    kind: str
    """"live", "replaced" or "ended"."""
    content: Content
    successor: bytes = NOBODY
    readable_until: int = 0


ENDED = State("ended", {})


class Reading:
    """Opens records. An id is named by the key of its record; one from elsewhere by the key that it has at home."""

    def __init__(self, site: Site) -> None:
        self._stores: tuple[Store | None, ...] = site.stores
        self._ids: dict[bytes, Id] = {}
        self._origins: dict[bytes, tuple[Store, Id]] = {}
        self._sealed: dict[bytes, Content] = {}
        self._homes: dict[bytes, bytes] = {}
        self._opened: dict[bytes, State] = {}
        # It seals nothing.
        self._sealer = RecordSealer(site.keyring, site.settings.audience, (NAME, EARLIER_NAME), bytes)

    def learn(self, secret: bytes) -> bytes:
        """Gives the key of a secret, and can open its record from then on."""
        id_ = make_id(NAME, secret)
        self._ids[id_.key] = id_
        return id_.key

    def key_of(self, header: str) -> bytes | None:
        """Gives the key of the record that a `Cookie` header leads to; None for no cookie."""
        name, _, value = header.partition("=")
        if not value:
            return None
        if len(value) == TOKEN_CHARS and name == NAME:
            return self.learn(read_token(value))
        return self.learn(self._sealer.secret_after(name, decode(value)))

    def know(self, header: str, content: Content) -> None:
        """Takes note of where a session was before it came home: sealed with this content, or in a record."""
        name, _, value = header.partition("=")
        key = self.key_of(header)
        assert key is not None
        if len(value) != TOKEN_CHARS:
            self._sealed[key] = content
            return
        origin = make_id(name, read_token(value))
        store = next(store for store in self._stores if store is not None and store.read(origin.key) is not None)
        if name != NAME or store is not self._stores[0]:
            self._origins[key] = (store, origin)
            self._homes[origin.key] = key

    def home_of(self, key: bytes) -> bytes:
        """Gives the id that a record of a store belongs to, by the key of the record."""
        return self._homes.get(key, key)

    def state(self, key: bytes) -> State | None:
        """Gives what an id stands for; None for nothing."""
        store = self._stores[0]
        stored = None if store is None else store.read(key)
        if stored is not None:
            # From now on, the cookie that it came from is not taken at its word.
            self._sealed.pop(key, None)
            return self._open(self._ids[key], stored)
        if key in self._origins:
            return self.state_at_origin(key)
        return State("live", self._sealed[key]) if key in self._sealed else None

    def sealed(self, key: bytes) -> bytes | None:
        """Gives what the store has under an id, as it has it."""
        store = self._stores[0]
        stored = None if store is None else store.read(key)
        return stored and stored.content

    def state_at_origin(self, key: bytes) -> State | None:
        """Gives what the record says that an id came from."""
        if key not in self._origins:
            return None
        store, origin = self._origins[key]
        stored = store.read(origin.key)
        if stored is None:
            return None
        state = self._open(origin, stored)
        # It says that the session has come home.
        return ENDED if state.kind == "replaced" and self.learn(state.successor) == key else state

    def _open(self, id_: Id, stored: StoredRecord) -> State:
        content = stored.content
        if content not in self._opened:
            self._opened[content] = _state_of(self._sealer.open(id_, content, 0)[0])
        return self._opened[content]

    def live(self, key: bytes) -> Content | None:
        """Gives the content that an id leads to now, by way of its successors; None where it has ended."""
        state = self.state(key)
        while state is not None and state.kind == "replaced":
            state = self.state(self.learn(state.successor))
        return state.content if state is not None and state.kind == "live" else None

    def view_of(self, key: bytes | None, now: int) -> Content | None:
        """Gives what a request is to find that comes with an id."""
        state = None if key is None else self.state(key)
        if state is None or key is None or self.live(key) is None:
            return None
        return state.content if state.kind == "live" or now <= state.readable_until else None


def _state_of(entry: Entry) -> State:
    if entry.state == LIVE:
        return State("live", cast(Content, unpack(entry.packed)))
    if entry.state == REPLACED:
        return State("replaced", cast(Content, unpack(entry.packed)), entry.successor, entry.readable_until)
    return ENDED
