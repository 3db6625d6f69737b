"""What becomes of a session that is kept on the server: found, saved, given another id, ended.

Each verb is a generator of operations. Three rules hold them together:

- A save is a compare-and-set on what was read. Where another request was faster, it
  reads again and puts its own changes on top (`merge`).
- What is gone stays gone: no verb inserts a record under an id that a browser has.
- A new id is inserted before the old one is replaced, so that at each moment one of
  them works. The old one then says, sealed, which took its place: for a few seconds
  it can be read as it was, by requests already under way. What they change goes to
  the successor if they had read the session before; they never get its id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coatcheck.core import codec
from coatcheck.core.confined import Confined
from coatcheck.core.events import Reason, Rejected
from coatcheck.core.keys import Keyring
from coatcheck.core.merge import LIMIT_BYTES, Draft
from coatcheck.core.opaque import ENDED, LIVE, NOBODY, REPLACED, Entry, Id, Kept, RecordSealer, make_id
from coatcheck.core.operations import EARLIER_STORE, STORE, Operation, Steps, delete, insert, read, replace, touch
from coatcheck.core.record import Record, StoredRecord
from coatcheck.core.settings import Settings
from coatcheck.errors import StoreError

# Head, nonce, facts, padding and tag together are less.
_OVERHEAD_BYTES = 128
# How long the content under an id that was replaced can be read, in seconds.
GRACE = 10
# How long an id that was replaced or ended is remembered, in seconds: what a slow request changed still finds its way.
_MARK_LIFE = 600
# How long a session that was emptied key by key is kept, in seconds: a request under way may fill it.
EMPTY_LIFE = 60
# Each conflict means that another request has succeeded. More of them at one time than this is no traffic.
_TRIES = 200
# From one id to its successor, and on.
_HOPS = 8
_EMPTY = codec.pack({})


class Records(Confined):
    """Does it for one policy and one key ring.

    Args:
        store: whether sessions are kept in a store.
        earlier_store: whether there is a store that sessions are moved from.
    """

    def __init__(
        self,
        settings: Settings,
        keyring: Keyring,
        random: Callable[[int], bytes],
        *,
        store: bool,
        earlier_store: bool,
    ) -> None:
        self._name = settings.cookie_name
        names = (settings.cookie_name, *settings.earlier_cookie_names)
        self._sealer = RecordSealer(keyring, settings.audience, names, random)
        self._lifetime = int(settings.permanent_lifetime.total_seconds())
        absolute = settings.absolute_lifetime
        self._absolute = None if absolute is None else int(absolute.total_seconds())
        self._rules = settings.merge
        self._places = (STORE,) * store + (EARLIER_STORE,) * earlier_store
        self._moving = earlier_store
        self.writes: bool = store
        """Whether sessions are kept here, and not only moved from here."""

    # Finding

    def find(self, id_: Id, now: int) -> Steps[Kept]:
        """Gives what is kept under an id. Raises `Rejected` where nothing is, or what nobody may read."""
        for place in self._places:
            stored: StoredRecord | None = yield read(place, id_.key)
            if stored is not None:
                kept = self._open(id_, place, stored, now)
                if kept.entry.state == REPLACED and now > kept.entry.readable_until:
                    raise Rejected(Reason.ENDED)
                return kept
        raise Rejected(Reason.UNKNOWN_ID)

    def find_any(self, id_: Id, now: int) -> Steps[Kept | None]:
        """As `find`, but gives None where nothing is."""
        try:
            return (yield from self.find(id_, now))
        except Rejected as rejected:
            if rejected.reason is not Reason.UNKNOWN_ID:
                raise
            return None

    def id_after(self, name: str, token: bytes) -> Id:
        """Gives the id that a sealed token moves to."""
        return make_id(self._name, self._sealer.secret_after(name, token))

    def _open(self, id_: Id, place: int, stored: StoredRecord, now: int) -> Kept:
        content, used_at, _, _, version = stored
        if len(content) > LIMIT_BYTES + _OVERHEAD_BYTES:
            raise Rejected(Reason.TOO_LONG)
        entry, current, aead = self._sealer.open(id_, content, now)
        if entry.state == ENDED:
            raise Rejected(Reason.ENDED)
        return Kept(id_, place, entry, used_at, version, current, aead, content)

    def _find_again(self, id_: Id, now: int, *places: int) -> Steps[Kept | None]:
        """Gives what is kept now under an id, readable or not; None where it has ended."""
        for place in places or self._places:
            stored: StoredRecord | None = yield read(place, id_.key)
            if stored is not None:
                try:
                    return self._open(id_, place, stored, now)
                except Rejected:
                    return None
        return None

    def _find_successor(self, kept: Kept, now: int) -> Steps[Kept | None]:
        successor = kept.entry.successor
        return None if successor == NOBODY else (yield from self._find_again(make_id(self._name, successor), now))

    # Keeping

    def draft(self, record: Record | None, content: dict[str, Any], packed: bytes, now: int) -> Draft:
        """Gives what the verbs below keep: this content, made from that of the record.

        Raises `SessionTooLarge` for more than a store is asked to keep.
        """
        if record is None:
            return Draft(_EMPTY, content, packed, now, self._rules)
        return Draft(record.packed, content, packed, record.created_at, self._rules)

    def create(self, id_: Id, draft: Draft, now: int, *, moved: bool = False) -> Steps[Id | None]:
        """Keeps a session under a new id. Gives the id under which it is kept now; None if it has been ended meanwhile.

        The id may be taken already where several requests move one session, or where
        the answer to a first try was lost: it is then saved as any other change.
        """
        if (
            yield insert(STORE, id_.key, self._store(id_, self._live(draft, now + self._lifetime if moved else 0), now))
        ):
            return id_
        kept = yield from self._find_again(id_, now)
        return None if kept is None else (yield from self._save_again(kept, draft, now))

    def move(self, id_: Id, record: Record, now: int) -> Steps[Kept | None]:
        """Keeps the session of a sealed cookie as it came, and gives where; None if it has been ended."""
        entry = Entry(LIVE, record.created_at, now + self._lifetime, record.packed)
        yield insert(STORE, id_.key, self._store(id_, entry, now))
        return (yield from self._find_again(id_, now))

    def save(self, kept: Kept, draft: Draft, now: int) -> Steps[Id | None]:
        """Keeps a change. Gives the id under which it is kept now, which may be a successor's; None if it is gone."""
        record = self._store(kept.id, self._live(draft, kept.entry.moved_until), now, kept)
        if (yield replace(kept.place, kept.id.key, record, kept.version)):
            return kept.id
        return (yield from self._save_again(kept, draft, now, record.content))

    def _save_again(self, kept: Kept, draft: Draft, now: int, sent: bytes = b"") -> Steps[Id | None]:
        for _ in range(_TRIES):
            again = yield from self._find_again(kept.id, now, kept.place)
            for _hop in range(_HOPS):
                if again is None or again.entry.state != REPLACED:
                    break
                again = yield from self._find_successor(again, now)
            if again is None:
                return None
            kept = again
            if kept.content == sent:
                # It was kept, and the answer to that was lost. A rule that adds would add twice.
                return kept.id
            draft.merge(kept.entry.packed)
            if draft.packed == kept.entry.packed:
                return kept.id
            record = self._store(kept.id, self._live(draft, kept.entry.moved_until), now, kept)
            if (yield replace(kept.place, kept.id.key, record, kept.version)):
                return kept.id
            sent = record.content
        raise StoreError(f"the session was changed by others {_TRIES} times while this request tried to keep it")

    def refresh(self, kept: Kept, now: int) -> Steps[bool]:
        """Makes a session live longer. Gives False if another request has changed or ended it."""
        touched: bool = yield touch(kept.place, kept.id.key, now, self._expiry(kept.entry, now), kept.version)
        return touched

    def rename(self, kept: Kept, id_: Id, draft: Draft, now: int) -> Steps[Id | None]:
        """Keeps a session under another id, or in another store under the same one.

        Gives the id under which it is kept now; None if it has been ended meanwhile.
        """
        same = id_.key == kept.id.key
        moved_until = kept.entry.moved_until if same else 0
        inserted = yield insert(STORE, id_.key, self._store(id_, self._live(draft, moved_until), now))
        if same and not inserted:
            # Another request moves it too, and was faster.
            return (yield from self.create(id_, draft, now))
        for _ in range(_TRIES):
            again: Kept | None = None
            try:
                if (yield self._leave(kept, id_.secret, now, readable=not same)):
                    return id_
            except StoreError:
                # If it took place, the old id is dead, and the browser must have the new one.
                again = yield from self._find_again(kept.id, now, kept.place)
                if again is None or again.entry.successor != id_.secret:
                    raise
            again = again or (yield from self._find_again(kept.id, now, kept.place))
            if again is None:
                yield delete(STORE, id_.key)
                return None
            if again.entry.state == REPLACED:
                # Two requests asked for a new id at the same time. Neither may learn of the
                # other's: one of them may come from somebody who planted the old id.
                return id_
            kept = again
            draft.merge(kept.entry.packed)
            stored: StoredRecord | None = yield read(STORE, id_.key)
            if stored is not None:
                record = self._store(id_, self._live(draft, moved_until), now)
                yield replace(STORE, id_.key, record, stored.version)
        raise StoreError(f"the session was changed by others {_TRIES} times while this request gave it another id")

    def leave(self, kept: Kept, draft: Draft, now: int) -> Steps[bool]:
        """Takes a session out of a store, for a cookie. Gives False if it has been ended meanwhile."""
        for _ in range(_TRIES):
            if (yield self._leave(kept, NOBODY, now, readable=True)):
                return True
            again = yield from self._find_again(kept.id, now, kept.place)
            if again is None:
                return False
            if again.entry.state == REPLACED:
                return True
            kept = again
            draft.merge(kept.entry.packed)
        raise StoreError(f"the session was changed by others {_TRIES} times while this request moved it")

    # Ending

    def end(self, kept: Kept, now: int) -> Steps[None]:
        """Ends a session under this id, and under those that took its place meanwhile."""
        for _ in range(_TRIES):
            # In two steps: the mark first, so that nobody under way can give the session another id.
            ended = yield self._end(kept, now)
            if kept.entry.state == REPLACED:
                successor = yield from self._find_successor(kept, now)
                if successor is None:
                    return
                kept = successor
                continue
            if ended:
                if not (kept.entry.moved_until or self._moving):
                    yield delete(kept.place, kept.id.key)
                return
            again = yield from self._find_again(kept.id, now, kept.place)
            if again is None:
                return
            kept = again
        yield delete(kept.place, kept.id.key)

    def end_unmoved(self, id_: Id, now: int) -> Steps[None]:
        """Ends the session of a sealed cookie that has not been moved: the cookie works no more."""
        entry = Entry(ENDED, now, now + self._lifetime, _EMPTY)
        if not (yield insert(STORE, id_.key, self._store(id_, entry, now))):
            kept = yield from self._find_again(id_, now)
            if kept is not None:
                yield from self.end(kept, now)

    # What is written

    def _live(self, draft: Draft, moved_until: int) -> Entry:
        return Entry(LIVE, draft.created_at, moved_until, draft.packed)

    def _leave(self, kept: Kept, successor: bytes, now: int, *, readable: bool) -> Operation:
        old = kept.entry
        packed, until = (old.packed, now + GRACE) if readable else (_EMPTY, 0)
        return self._replace(kept, Entry(REPLACED, old.created_at, old.moved_until, packed, until, successor), now)

    def _end(self, kept: Kept, now: int) -> Operation:
        return self._replace(kept, Entry(ENDED, kept.entry.created_at, kept.entry.moved_until, _EMPTY), now)

    def _replace(self, kept: Kept, entry: Entry, now: int) -> Operation:
        return replace(kept.place, kept.id.key, self._store(kept.id, entry, now, kept), kept.version)

    def _store(self, id_: Id, entry: Entry, now: int, kept: Kept | None = None) -> StoredRecord:
        content = self._sealer.seal(id_, entry, kept.aead if kept is not None and kept.current else None)
        return StoredRecord(content, now, self._expiry(entry, now))

    def _expiry(self, entry: Entry, now: int) -> int:
        """Says how long a store is to keep an entry."""
        if entry.state != LIVE:
            # As long as anybody may come with the id: with a sealed cookie, or by way of the other store.
            return max(now + (self._lifetime if self._moving else _MARK_LIFE), entry.moved_until)
        expires_at = now + (min(EMPTY_LIFE, self._lifetime) if entry.packed == _EMPTY else self._lifetime)
        if self._absolute is not None:
            expires_at = min(expires_at, entry.created_at + self._absolute)
        # An expiry in the second of the writing would have some stores keep nothing at all.
        return max(expires_at, now + 1)
