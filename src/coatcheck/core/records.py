"""What becomes of a session that is kept on the server: found, saved, refreshed, ended.

Each verb is a generator of operations. Three rules hold them together:

- A save is a compare-and-set on what was read. Where another request was faster, it
  reads again and puts its own changes on top (`merge`).
- What is gone stays gone: no verb inserts a record under an id that a browser has.
- An id that was replaced says, sealed, which took its place. For a few seconds it can
  be read as it was, by requests already under way. What they change goes to the
  successor if they had read the session before; they never get its id.

How ids are replaced, and sessions come from elsewhere, stands in `moves`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coatcheck.core.codec import EMPTY
from coatcheck.core.confined import Confined
from coatcheck.core.events import Reason, Rejected
from coatcheck.core.keys import Keyring
from coatcheck.core.merge import LIMIT_BYTES, Draft
from coatcheck.core.opaque import DEAD, ENDED, LIVE, NOBODY, REPLACED, Entry, Id, Kept, RecordSealer, make_id
from coatcheck.core.operations import EARLIER_STORE, STORE, Operation, Steps, delete, insert, read, replace, touch
from coatcheck.core.owners import Owners
from coatcheck.core.record import Record, StoredRecord
from coatcheck.core.settings import Settings
from coatcheck.errors import StoreError

# Head, nonce, facts, padding and tag together are less.
_OVERHEAD_BYTES = 128
# How long an id that was replaced or ended is remembered, in seconds: what a slow request changed still finds its way.
_MARK_LIFE = 600
# How long a session that was emptied key by key is kept, in seconds: a request under way may fill it.
EMPTY_LIFE = 60
# Each conflict means that another request has succeeded. More of them at one time than this is no traffic.
TRIES = 200
# From one id to its successor, and on.
_HOPS = 100
# How far ahead another server's clock may be, in seconds.
SKEW = 60


class Reused(Rejected):
    """An id that was replaced came back when its grace was over."""

    def __init__(self, kept: Kept) -> None:
        super().__init__(Reason.REUSED)
        self.kept = kept


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
        self._owners = Owners(keyring, settings.audience)
        self._lifetime = settings.unseen_seconds
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
        for _ in range(_HOPS):
            if kept.entry.readable_until:
                break
            # It came home, and whoever has the id it came from has a right to that one, but to no later one.
            found = yield from self._find_again(make_id(self._name, kept.entry.successor), now, self._places[0])
            if found is None:
                raise Rejected(Reason.ENDED)
            if found.entry.state == LIVE:
                return found
            kept = found
        # What was ended under its new id is not shown under the old one.
        if now <= kept.entry.readable_until and (
            kept.entry.successor == NOBODY or (yield from self._follow(kept, now)) is not None
        ):
            return kept
        if kept.entry.readable_until > DEAD and kept.entry.successor != NOBODY and now > kept.entry.readable_until:
            raise Reused(kept)
        raise Rejected(Reason.ENDED)

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
            # Who has the id that somebody signed in with has no right to the one that came of that.
            if found.entry.successor == NOBODY or found.entry.readable_until == DEAD:
                return None
            found = yield from self._find_again(make_id(self._name, found.entry.successor), now)
        return None

    # Keeping

    def draft(self, record: Record | None, content: dict[str, Any], packed: bytes, now: int) -> Draft:
        """Gives what the verbs below keep: this content, made from that of the record.

        Raises `SessionTooLarge` for more than a store is asked to keep.
        """
        if record is None:
            return Draft(EMPTY, content, packed, now, self._rules)
        return Draft(record.packed, content, packed, record.created_at, self._rules)

    def create(self, id_: Id, draft: Draft, now: int, *, moved_until: int = 0) -> Steps[Id | None]:
        """Keeps a session under a new id. Gives the id under which it is kept now; None if it has been ended meanwhile.

        The id may be taken already where several requests bring one session home, or where
        the answer to a first try was lost: it is then saved as any other change.
        """
        record = self._store(id_, self._live(draft, moved_until), now)
        draft.sent = record.content
        if (yield insert(STORE, id_.key, record)):
            return id_
        kept = yield from self._find_again(id_, now)
        return None if kept is None else (yield from self.save_on_top(kept.id, draft, now, kept.place))

    def save(self, kept: Kept, draft: Draft, now: int) -> Steps[Id | None]:
        """Keeps a change. Gives the id under which it is kept now, which may be a successor's; None if it is gone."""
        if (yield self._replace(kept, draft, now)):
            return kept.id
        return (yield from self.save_on_top(kept.id, draft, now, kept.place))

    def save_on_top(self, id_: Id, draft: Draft, now: int, place: int = STORE) -> Steps[Id | None]:
        """As `save`, where it is not known, or no longer true, what is kept there."""
        for _ in range(TRIES):
            again = yield from self._find_again(id_, now, place)
            if again is not None and again.entry.state == REPLACED and not 0 < again.entry.readable_until < now:
                again = yield from self._follow(again, now)
            if again is None or again.entry.state == REPLACED:
                return None
            id_, place = again.id, again.place
            if again.content == draft.sent:
                # It was kept, and the answer to that was lost. A rule that adds would add twice.
                return id_
            draft.merge(again.entry.packed, again.content)
            if draft.packed == again.entry.packed or (yield self._replace(again, draft, now)):
                return id_
        raise StoreError(f"the session was changed by others {TRIES} times while this request tried to keep it")

    def refresh(self, kept: Kept, now: int) -> Steps[bool]:
        """Makes a session live longer. Gives False if another request has changed or ended it."""
        touched: bool = yield touch(kept.place, kept.id.key, now, self._expiry(kept.entry, now), kept.version)
        return touched

    # Ending

    def end(self, kept: Kept, now: int) -> Steps[None]:
        """Ends a session under this id, or under the one that took its place meanwhile.

        An id that was replaced needs no mark: where its successor has ended, it shows nothing.
        """
        for _ in range(TRIES):
            live = yield from self._follow(kept, now)
            if live is None:
                if kept.entry.state == REPLACED and kept.entry.successor == NOBODY:
                    # It has left for a cookie, and could be read here for a while, and leave again.
                    yield self._end(kept, now)
                return
            # In two steps: the mark first, so that nobody under way can give the session another id.
            if (yield self._end(live, now)):
                if not (live.entry.moved_until or self._moving):
                    yield delete(live.place, live.id.key)
                elif self._moving:
                    # In case the request that moved the session has not got so far yet.
                    yield delete(EARLIER_STORE, live.id.key)
                return
            again = yield from self._find_again(live.id, now, live.place)
            if again is None:
                return
            kept = again
        yield delete(kept.place, kept.id.key)

    def end_reused(self, kept: Kept, now: int) -> Steps[None]:
        """Ends a session under an id of it that had been replaced. Whoever comes with that again has ended nothing."""
        yield from self.end(kept, now)
        yield self._end(kept, now)

    def end_at(self, id_: Id, now: int) -> Steps[None]:
        """Ends the session that is kept under an id now, if there is one."""
        kept = yield from self._find_again(id_, now, STORE)
        if kept is not None:
            yield from self.end(kept, now)

    def end_at_home(self, home: Id, now: int) -> Steps[None]:
        """Ends a session from elsewhere, whether or not another request has brought it home: nobody can any more."""
        entry = Entry(ENDED, now, self._last_use(now), EMPTY)
        if not (yield insert(STORE, home.key, self._store(home, entry, now))):
            yield from self.end_at(home, now)

    # What is written

    def _last_use(self, now: int) -> int:
        """Says until when a sealed cookie may come that was sealed at the latest now, by whatever clock."""
        return now + self._lifetime + SKEW + 1

    def _live(self, draft: Draft, moved_until: int) -> Entry:
        return Entry(LIVE, draft.created_at, moved_until, draft.packed, facts=draft.facts)

    def _end(self, kept: Kept, now: int) -> Operation:
        return self._write(kept, Entry(ENDED, kept.entry.created_at, kept.entry.moved_until, EMPTY), now)

    def _replace(self, kept: Kept, draft: Draft, now: int) -> Operation:
        # Whose it is changes with the id, and not with the content.
        live = self._live(draft, kept.entry.moved_until)._replace(facts=kept.entry.facts)
        operation = self._write(kept, live, now)
        draft.sent = operation.arguments[1].content
        return operation

    def _write(self, kept: Kept, entry: Entry, now: int) -> Operation:
        return replace(kept.place, kept.id.key, self._store(kept.id, entry, now, kept), kept.version)

    def _store(self, id_: Id, entry: Entry, now: int, kept: Kept | None = None) -> StoredRecord:
        content = self._sealer.seal(id_, entry, kept.aead if kept is not None and kept.current else None)
        user_id = None if entry.facts is None or entry.state != LIVE else entry.facts.user_id
        owner = b"" if user_id is None else self._owners.find(user_id).keys[0]
        return StoredRecord(content, now, self._expiry(entry, now), owner)

    def _expiry(self, entry: Entry, now: int) -> int:
        """Says how long a store is to keep an entry."""
        facts = entry.facts
        signed_in = facts is not None and facts.user_id is not None
        if entry.state != LIVE:
            # As long as anybody may come with the id: with a sealed cookie, by way of the other store, or with a copy.
            long = self._moving or (signed_in and entry.readable_until > DEAD)
            return max(now + (self._lifetime if long else _MARK_LIFE), entry.moved_until)
        short = entry.packed == EMPTY and not signed_in
        # The loader says when a session has ended, and lets it live through its last second, as a sealed one: no
        # store forgets it before.
        expires_at = now + self._lifetime + 1
        if short:
            expires_at = min(expires_at, now + EMPTY_LIFE)
        if self._absolute is not None:
            began_at = facts.authenticated_at if facts is not None and signed_in else entry.created_at
            expires_at = min(expires_at, began_at + self._absolute + 1)
        # An expiry in the second of the writing would have some stores keep nothing at all. And were the
        # home forgotten before the sealed cookie it came from, that would count again, as it was then.
        return max(expires_at, now + 1, entry.moved_until)
