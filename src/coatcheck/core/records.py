"""What becomes of a session that is kept on the server: found, saved, given another id, ended.

Each verb is a generator of operations. Four rules hold them together:

- A save is a compare-and-set on what was read. Where another request was faster, it
  reads again and puts its own changes on top (`merge`).
- What is gone stays gone: no verb inserts a record under an id that a browser has.
- A new id is inserted before the old one is replaced, so that at each moment one of
  them works. The old one then says, sealed, which took its place: for a few seconds
  it can be read as it was, by requests already under way. What they change goes to
  the successor if they had read the session before; they never get its id.
- A session that comes from elsewhere, sealed in a cookie, under an earlier cookie name
  or from an earlier store, has one home, which follows from what the browser sent:
  all who bring it meet there. First it comes home, and then whatever else.
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
        """Gives what may be read under an id. Raises `Rejected` where there is nothing."""
        for place in self._places:
            stored: StoredRecord | None = yield read(place, id_.key)
            if stored is not None:
                kept = self._open(id_, place, stored, now)
                return kept if kept.entry.state == LIVE else (yield from self._find_replaced(kept, now))
        raise Rejected(Reason.UNKNOWN_ID)

    def _find_replaced(self, kept: Kept, now: int) -> Steps[Kept]:
        if kept.entry.readable_until == 0:
            # It came home, and whoever has the id it came from has a right to it.
            found = yield from self._follow(kept, now)
            if found is not None:
                return found
        elif now <= kept.entry.readable_until and (
            # What was ended under its new id is not shown under the old one.
            kept.entry.successor == NOBODY or (yield from self._follow(kept, now)) is not None
        ):
            return kept
        raise Rejected(Reason.ENDED)

    def find_home(self, name: str, token: bytes, now: int) -> Steps[tuple[Id, Kept | None]]:
        """Gives the home of what a token from elsewhere stands for, and what is there already."""
        home = make_id(self._name, self._sealer.secret_after(name, token))
        try:
            return home, (yield from self.find(home, now))
        except Rejected as rejected:
            if rejected.reason is not Reason.UNKNOWN_ID:
                raise
            return home, None

    def _open(self, id_: Id, place: int, stored: StoredRecord, now: int) -> Kept:
        content, used_at, _, _, version = stored
        if len(content) > LIMIT_BYTES + _OVERHEAD_BYTES:
            raise Rejected(Reason.TOO_LONG)
        entry, current, aead = self._sealer.open(id_, content, now)
        if entry.state == ENDED:
            raise Rejected(Reason.ENDED)
        return Kept(id_, place, entry, used_at, version, current, aead, content)

    def _find_again(self, id_: Id, now: int, *places: int) -> Steps[Kept | None]:
        """Gives what is kept now under an id, live or replaced; None where it has ended."""
        for place in places or self._places:
            stored: StoredRecord | None = yield read(place, id_.key)
            if stored is not None:
                try:
                    return self._open(id_, place, stored, now)
                except Rejected:
                    return None
        return None

    def _follow(self, kept: Kept, now: int) -> Steps[Kept | None]:
        """Gives the live record at the end of a chain of successors; None where it has ended."""
        found: Kept | None = kept
        for _ in range(_HOPS):
            if found is None or found.entry.state == LIVE:
                return found
            if found.entry.successor == NOBODY:
                return None
            found = yield from self._find_again(make_id(self._name, found.entry.successor), now)
        return None

    # Keeping

    def draft(self, record: Record | None, content: dict[str, Any], packed: bytes, now: int) -> Draft:
        """Gives what the verbs below keep: this content, made from that of the record.

        Raises `SessionTooLarge` for more than a store is asked to keep.
        """
        if record is None:
            return Draft(_EMPTY, content, packed, now, self._rules)
        return Draft(record.packed, content, packed, record.created_at, self._rules)

    def create(self, id_: Id, draft: Draft, now: int, *, moved_until: int = 0) -> Steps[Id | None]:
        """Keeps a session under a new id. Gives the id under which it is kept now; None if it has been ended meanwhile.

        The id may be taken already where several requests bring one session home, or where
        the answer to a first try was lost: it is then saved as any other change.
        """
        if (yield insert(STORE, id_.key, self._store(id_, self._live(draft, moved_until), now))):
            return id_
        kept = yield from self._find_again(id_, now)
        return None if kept is None else (yield from self._save_again(kept, draft, now))

    def save(self, kept: Kept, draft: Draft, now: int) -> Steps[Id | None]:
        """Keeps a change. Gives the id under which it is kept now, which may be a successor's; None if it is gone."""
        if (yield self._replace(kept, draft, now)):
            return kept.id
        return (yield from self._save_again(kept, draft, now))

    def _save_again(self, kept: Kept, draft: Draft, now: int) -> Steps[Id | None]:
        for _ in range(_TRIES):
            again = yield from self._find_again(kept.id, now, kept.place)
            again = again and (yield from self._follow(again, now))
            if again is None:
                return None
            kept = again
            if kept.content == draft.sent:
                # It was kept, and the answer to that was lost. A rule that adds would add twice.
                return kept.id
            draft.merge(kept.entry.packed, known=kept.content == draft.sent_before)
            if draft.packed == kept.entry.packed or (yield self._replace(kept, draft, now)):
                return kept.id
        raise StoreError(f"the session was changed by others {_TRIES} times while this request tried to keep it")

    def refresh(self, kept: Kept, now: int) -> Steps[bool]:
        """Makes a session live longer. Gives False if another request has changed or ended it."""
        touched: bool = yield touch(kept.place, kept.id.key, now, self._expiry(kept.entry, now), kept.version)
        return touched

    # Another id

    def rename(self, kept: Kept, id_: Id, draft: Draft, now: int) -> Steps[Id | None]:
        """Keeps a session under a new id. Gives that; None if it has been ended meanwhile."""
        if not (yield insert(STORE, id_.key, self._store(id_, self._live(draft, 0), now))):
            # The answer to a first try was lost.
            yield from self._overwrite(id_, draft, now)
        for _ in range(_TRIES):
            lost: StoreError | None = None
            try:
                if (yield self._mark(kept, id_.secret, now, readable=True)):
                    return id_
            except StoreError as error:
                lost = error
            again = yield from self._find_again(kept.id, now, kept.place)
            if again is not None and again.entry.successor == id_.secret:
                # The answer was lost. The old id is dead, and the browser must have the new one.
                return id_
            if lost is not None:
                raise lost
            if again is not None:
                draft.merge(again.entry.packed)
                yield from self._overwrite(id_, draft, now)
                if again.entry.state == LIVE:
                    kept = again
                    continue
                # Two requests asked for a new id at the same time. Neither may learn of the other's:
                # one of them may come from somebody who planted the old id. So they part.
                again = yield from self._follow(again, now)
            if again is not None:
                return id_
            yield delete(STORE, id_.key)
            return None
        raise StoreError(f"the session was changed by others {_TRIES} times while this request gave it another id")

    def fork(self, kept: Kept, id_: Id, draft: Draft, now: int) -> Steps[Id | None]:
        """Keeps what was read under a replaced id as a session of its own. Gives its id; None if it has been ended."""
        where = yield from self.create(id_, draft, now)
        if kept.entry.successor == NOBODY or (yield from self._follow(kept, now)) is not None:
            return where
        yield delete(STORE, id_.key)
        return None

    def _overwrite(self, id_: Id, draft: Draft, now: int) -> Steps[None]:
        """Writes to an id that nobody else has yet."""
        stored: StoredRecord | None = yield read(STORE, id_.key)
        if stored is not None:
            yield replace(STORE, id_.key, self._store(id_, self._live(draft, 0), now), stored.version)

    # Another place

    def bring_home(self, kept: Kept | None, home: Id, draft: Draft, now: int) -> Steps[Id | None]:
        """Keeps a session from elsewhere at its home: from a record, or from a sealed cookie.

        Gives the id under which it is kept now; None if it has been ended meanwhile.
        """
        moved_until = now + self._lifetime if kept is None else kept.entry.moved_until
        where = yield from self.create(home, draft, now, moved_until=moved_until)
        if where is None or kept is None or (yield from self._leave_behind(kept, home, now)):
            return where
        yield from self.end_at_home(home, now)
        return None

    def rename_home(self, home: Id, id_: Id, draft: Draft, now: int) -> Steps[Id | None]:
        """Keeps a session that came home under a new id. Gives that; None if it has been ended meanwhile."""
        kept = yield from self._find_again(home, now, STORE)
        if kept is None:
            return None
        if kept.entry.state == REPLACED:
            return (yield from self.fork(kept, id_, draft, now))
        return (yield from self.rename(kept, id_, self._copy(kept.entry), now))

    def _copy(self, entry: Entry, base: Entry | None = None) -> Draft:
        content: Any = codec.unpack(entry.packed)
        return Draft((base or entry).packed, content, entry.packed, entry.created_at, self._rules)

    def _leave_behind(self, kept: Kept, home: Id, now: int) -> Steps[bool]:
        """Marks the record that a session came home from. Gives False if the session was ended there."""
        for _ in range(_TRIES):
            if (yield self._mark(kept, home.secret, now, readable=False)):
                return True
            again = yield from self._find_again(kept.id, now, kept.place)
            if again is None or again.entry.state == REPLACED:
                return again is not None
            # A process that has the former configuration still works there.
            at_home = yield from self._find_again(home, now, STORE)
            if at_home is None:
                return False
            draft = self._copy(again.entry, kept.entry)
            draft.merge(at_home.entry.packed)
            if (yield from self.save(at_home, draft, now)) is None:
                return False
            kept = again
        raise StoreError(f"the session was changed by others {_TRIES} times while this request moved it")

    def leave(self, kept: Kept, draft: Draft, now: int) -> Steps[bool]:
        """Takes a session out of a store, for a cookie. Gives False if it has been ended meanwhile."""
        for _ in range(_TRIES):
            lost: StoreError | None = None
            mark = self._mark(kept, NOBODY, now, readable=True)
            try:
                if (yield mark):
                    return True
            except StoreError as error:
                lost = error
            again = yield from self._find_again(kept.id, now, kept.place)
            if again is not None and again.content == mark.arguments[1].content:
                return True
            if lost is not None:
                raise lost
            if again is None or again.entry.state == REPLACED:
                return again is not None
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
                successor = yield from self._follow(kept, now)
                if successor is None:
                    return
                kept = successor
            elif ended:
                if not (kept.entry.moved_until or self._moving):
                    yield delete(kept.place, kept.id.key)
                elif self._moving:
                    # In case the request that moved the session has not got so far yet.
                    yield delete(EARLIER_STORE, kept.id.key)
                return
            else:
                again = yield from self._find_again(kept.id, now, kept.place)
                if again is None:
                    return
                kept = again
        yield delete(kept.place, kept.id.key)

    def end_at_home(self, home: Id, now: int) -> Steps[None]:
        """Ends a session from elsewhere, whether or not another request has brought it home: nobody can any more."""
        entry = Entry(ENDED, now, now + self._lifetime, _EMPTY)
        if not (yield insert(STORE, home.key, self._store(home, entry, now))):
            kept = yield from self._find_again(home, now, STORE)
            if kept is not None:
                yield from self.end(kept, now)

    # What is written

    def _live(self, draft: Draft, moved_until: int) -> Entry:
        return Entry(LIVE, draft.created_at, moved_until, draft.packed)

    def _mark(self, kept: Kept, successor: bytes, now: int, *, readable: bool) -> Operation:
        old = kept.entry
        packed, until = (old.packed, now + GRACE) if readable else (_EMPTY, 0)
        return self._write(kept, Entry(REPLACED, old.created_at, old.moved_until, packed, until, successor), now)

    def _end(self, kept: Kept, now: int) -> Operation:
        return self._write(kept, Entry(ENDED, kept.entry.created_at, kept.entry.moved_until, _EMPTY), now)

    def _replace(self, kept: Kept, draft: Draft, now: int) -> Operation:
        operation = self._write(kept, self._live(draft, kept.entry.moved_until), now)
        draft.sent = operation.arguments[1].content
        return operation

    def _write(self, kept: Kept, entry: Entry, now: int) -> Operation:
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
        # An expiry in the second of the writing would have some stores keep nothing at all. And were the
        # home forgotten before the sealed cookie it came from, that would count again, as it was then.
        return max(expires_at, now + 1, entry.moved_until)
