"""A session gets another id, or another place.

A new id is inserted before the old one is replaced, so that at each moment one of them
works. And a session that comes from elsewhere, sealed in a cookie, under an earlier
cookie name or from an earlier store, has one home, which follows from what the browser
sent: all who bring it meet there. First it comes home, and then whatever else.
"""

from __future__ import annotations

from typing import Any

from coatcheck.core.codec import EMPTY, unpack
from coatcheck.core.endings import GRACE
from coatcheck.core.events import Reason, Rejected
from coatcheck.core.merge import Draft
from coatcheck.core.opaque import DEAD, LIVE, NOBODY, REPLACED, Entry, Id, Kept, make_id
from coatcheck.core.operations import STORE, Operation, Steps, delete, insert, read, replace
from coatcheck.core.record import StoredRecord
from coatcheck.core.records import TRIES, Records
from coatcheck.errors import StoreError


class Moves(Records):
    """As `Records`, and moves them."""

    # Another id

    def rename(self, kept: Kept, id_: Id, draft: Draft, now: int, *, signing: bool = False) -> Steps[Id | None]:
        """Keeps a session under a new id. Gives that; None if it has been ended meanwhile.

        Where somebody signs in, the old id is dead at once: it shows nothing, and hands nothing on.
        """
        record = self._store(id_, self._live(draft, 0), now)
        draft.sent = record.content
        if not (yield insert(STORE, id_.key, record)):
            # The answer to a first try was lost. How far had it got?
            again = yield from self._find_again(kept.id, now, kept.place)
            if again is not None and again.entry.successor == id_.secret:
                # Others may have followed to the new id already.
                at_new = yield from self._find_again(id_, now, STORE)
                return None if at_new is None else (yield from self.save_on_top(at_new.id, draft, now, at_new.place))
            yield from self._overwrite(id_, draft, now)
        for _ in range(TRIES):
            lost: StoreError | None = None
            mark = self._mark(kept, id_.secret, now, DEAD if signing else now + GRACE)
            try:
                if (yield mark):
                    return id_
            except StoreError as error:
                lost = error
            again = yield from self._find_again(kept.id, now, kept.place)
            if again is not None and again.content == mark.arguments[1].content:
                # The answer was lost. The old id is dead, and the browser must have the new one.
                return id_
            if again is not None and again.entry.successor == id_.secret:
                # An earlier try got so far, and what it kept has been ended since.
                yield delete(STORE, id_.key)
                return None
            if lost is not None:
                raise lost
            if again is not None:
                draft.merge(again.entry.packed)
                yield from self._overwrite(id_, draft, now)
                if again.entry.state == LIVE:
                    kept = again
                    continue
            return (yield from self._come_second(again, id_, draft, now, signing=signing))
        raise StoreError(f"the session was changed by others {TRIES} times while this request gave it another id")

    def _come_second(self, first: Kept | None, id_: Id, draft: Draft, now: int, *, signing: bool) -> Steps[Id | None]:
        """Gives the id of a session that another request has ended, or given another id, meanwhile."""
        if first is not None and not signing:
            if draft.facts is not None and draft.facts.user_id is not None:
                # Of a user's session there is one, or who signs out of one leaves the other to a thief.
                yield delete(STORE, id_.key)
                return (yield from self.save_on_top(first.id, draft, now, first.place))
            # Two requests asked for a new id at the same time. Neither may learn of the other's:
            # one of them may come from somebody who planted the old id. So they part.
            first = yield from self._follow(first, now)
        if first is not None:
            return id_
        yield delete(STORE, id_.key)
        return None

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
        record = self._store(id_, self._live(draft, 0), now)
        draft.sent = record.content
        # An empty one may have been forgotten meanwhile.
        yield insert(STORE, id_.key, record) if stored is None else replace(STORE, id_.key, record, stored.version)

    # Another place

    def find_home(self, name: str, token: bytes, now: int) -> Steps[tuple[Id, Kept | None]]:
        """Gives the home of what a token from elsewhere stands for, and what is there already."""
        home = make_id(self._name, self._sealer.secret_after(name, token))
        try:
            return home, (yield from self.find(home, now))
        except Rejected as rejected:
            if rejected.reason is not Reason.UNKNOWN_ID:
                raise
            return home, None

    def bring_home(self, kept: Kept | None, home: Id, draft: Draft, now: int) -> Steps[Id | None]:
        """Keeps a session from elsewhere at its home: from a record, or from a sealed cookie.

        Gives the id under which it is kept now; None if it has been ended meanwhile.
        """
        # As long as anybody may come with the token that it came from.
        where = yield from self.create(home, draft, now, moved_until=self._last_use(now))
        if where is None or kept is None or (yield from self._leave_behind(kept, home, now)):
            return where
        yield from self.end_at_home(home, now)
        return None

    def rename_from_elsewhere(  # noqa: PLR0913  # as `rename`, and the home
        self, kept: Kept | None, home: Id, id_: Id, draft: Draft, now: int, *, signing: bool = False
    ) -> Steps[Id | None]:
        """Keeps a session from elsewhere under a new id. Gives that; None if it has been ended meanwhile.

        It comes home as it was: what this request changed is told to nobody who has the
        token from elsewhere, for that may have been planted.
        """
        if (yield from self.bring_home(kept, home, draft.unchanged(), now)) is None:
            return None
        at_home = yield from self._find_again(home, now, STORE)
        if at_home is None:
            return None
        draft.merge(at_home.entry.packed)
        if at_home.entry.state == REPLACED:
            return (yield from self.fork(at_home, id_, draft, now))
        return (yield from self.rename(at_home, id_, draft, now, signing=signing))

    def _copy(self, entry: Entry, base: Entry | None = None) -> Draft:
        content: Any = unpack(entry.packed)
        draft = Draft((base or entry).packed, content, entry.packed, entry.created_at, self._rules)
        draft.facts = draft.facts_before = entry.facts
        return draft

    def _leave_behind(self, kept: Kept, home: Id, now: int) -> Steps[bool]:
        """Marks the record that a session came home from. Gives False if the session was ended there."""
        for _ in range(TRIES):
            if (yield self._mark(kept, home.secret, now, 0)):
                return True
            again = yield from self._find_again(kept.id, now, kept.place)
            if again is None or again.entry.state == REPLACED:
                return again is not None and again.entry.successor == home.secret
            # A process that has the former configuration still works there.
            at_home = yield from self._find_again(home, now, STORE)
            if at_home is None:
                return False
            draft = self._copy(again.entry, kept.entry)
            draft.merge(at_home.entry.packed)
            if (yield from self.save(at_home, draft, now)) is None:
                return False
            kept = again
        raise StoreError(f"the session was changed by others {TRIES} times while this request moved it")

    def leave(self, kept: Kept, draft: Draft, now: int) -> Steps[bool]:
        """Takes a session out of a store, for a cookie. Gives False if it has been ended meanwhile."""
        for _ in range(TRIES):
            lost: StoreError | None = None
            mark = self._mark(kept, NOBODY, now, now + GRACE)
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
                return again is not None and again.entry.successor == NOBODY
            kept = again
            draft.merge(kept.entry.packed)
        raise StoreError(f"the session was changed by others {TRIES} times while this request moved it")

    def _mark(self, kept: Kept, successor: bytes, now: int, until: int) -> Operation:
        """Gives the step that says what took the place of a session, and until when that can be read as it was."""
        old = kept.entry
        packed = old.packed if until > DEAD else EMPTY
        mark = Entry(REPLACED, old.created_at, old.moved_until, packed, until, successor, old.facts)
        return self._write(kept, mark, now)
