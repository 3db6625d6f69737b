"""The second verb, for sessions that are kept on the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from coatcheck.core.codec import EMPTY, pack
from coatcheck.core.committer import Committer, Decision
from coatcheck.core.events import Event, Kind, Reason
from coatcheck.core.loaded import Loaded
from coatcheck.core.merge import Draft, additions
from coatcheck.core.moves import Moves
from coatcheck.core.opaque import NOBODY, REPLACED, Id, Kept, make_id, write_token
from coatcheck.core.operations import Steps
from coatcheck.core.record import Record
from coatcheck.core.register import Register
from coatcheck.core.session import Session
from coatcheck.core.settings import Settings
from coatcheck.core.token import TokenSealer
from coatcheck.errors import SessionTooLarge, StoreError

# What the packed content of a permanent session holds. Others may hold it too, in a text: they send a cookie too many.
_PERMANENT = b"_permanent\xc3"
_TEMPORARY = b"_permanent\xc2"


class Keeper(Committer):
    """Writes sessions to the store, and moves those that come from a cookie or another store."""

    def __init__(
        self,
        settings: Settings,
        sealers: Mapping[str, TokenSealer],
        records: Moves,
        emit: Callable[[Event], None],
        register: Register | None = None,
    ) -> None:
        super().__init__(settings, sealers, emit, register)
        self._records = records
        self._hybrid = settings.mode == "hybrid"

    def _decide(self, session: Session, exact: float, https: bool) -> Steps[Decision | None]:
        now = int(exact)
        loaded = session._loaded
        kept = loaded.kept
        empty = session._is_empty()
        ended = session._ended or (empty and session._cleared)
        if self._hybrid and kept is None and loaded.home is None and not loaded.on_server and not session._signing:
            if not self._outgrows(session):
                return (yield from super()._decide(session, exact, https))
            if not ended:
                yield from self._look_again(exact)
                if self._was_ended(session, now):
                    return self._drop(session, now)
            session._move_to_server()
            session._outgrown = not session._renewed
            session._renewed, loaded = True, session._loaded
        if ended:
            yield from self._end_former(session, now)
        record = None if ended else loaded.record
        # A session that was emptied key by key goes on: another request may be filling it.
        if (empty and record is None) or (not self._records.writes and (kept is None or ended)):
            if not empty:
                session._pack()
                self._check_room(session._packed, session._facts)
            yield from self._settle(session, now, writes=not empty)
            return self._seal(session, now, https)
        kind = self._change(session, record, now)
        if kind is None:
            yield from self._settle(session, now, writes=False)
            return self._clean(loaded, https)
        return (yield from self._put(session, kind, now, https))

    def _end_former(self, session: Session, now: int) -> Steps[None]:
        session._kept_as = None
        if not session._signing:
            yield from self._end(session._loaded, now)
        if self._hybrid and not session._loaded.on_server and self._outgrows(session):
            # What somebody has kept who has signed out, or has set since.
            session._move_to_server()

    def _put(self, session: Session, kind: Kind, now: int, https: bool) -> Steps[Decision | None]:
        """Keeps a session that is new, or has changed, where it belongs."""
        loaded = session._loaded
        kept = loaded.kept
        if self._hybrid and not loaded.on_server:
            # Somebody has signed out, and the guest's session begins in the cookie.
            self._check_room(session._packed, session._facts)
            yield from self._settle(session, now, writes=True)
            return self._seal(session, now, https)
        if session._signing or session._renewed:
            # Before anything is ended for a session that cannot be kept.
            self._check_size(session, now)
        if session._outgrown and kind is Kind.REGENERATED:
            return (yield from self._outgrow(session, kind, now, https))
        yield from self._settle(session, now, writes=True)
        if kept is not None and kind is not Kind.CREATED:
            if kept.entry.state == REPLACED and not self._may_go_on(kept, kind):
                # Whoever sent the id that was replaced may have the new one, or may have no right to it.
                return self._lose(session) if kind is Kind.CHANGED else None
            if not self._records.writes:
                return (yield from self._move_to_cookie(session, kept, kind, now, https))
            if kind is Kind.REFRESHED:
                return (yield from self._touch(session, kept, now, https))
        return (yield from self._save(session, kind, now, https))

    def _outgrow(self, session: Session, kind: Kind, now: int, https: bool) -> Steps[Decision | None]:
        """Keeps a guest's session that has outgrown its cookie, which counts until there is something in its place."""
        decision = yield from self._save(session, kind, now, https)
        try:
            yield from self._settle(session, now, writes=True)
        except StoreError:
            # Then the cookie can be brought back, as others of guests can. What it has become is not lost for that.
            record = session._loaded.record
            self._emit(Event(Kind.DROPPED, Reason.STORE_DOWN, record and record.id.hex()))
        return decision

    def _check_size(self, session: Session, now: int) -> None:
        if self._records.writes:
            self._records.draft(None, session._content(), session._packed, now)
        else:
            self._check_room(session._packed, session._facts)

    def _settle(self, session: Session, now: int, *, writes: bool) -> Steps[None]:
        if self._register is not None and self._register.concerns(session, now):
            yield from self._register.settle(session, now, writes=writes)
        if session._signing and session._ended:
            # Not before it is known that the other user may sign in.
            yield from self._end(session._loaded, now)

    def _outgrows(self, session: Session) -> bool:
        """Says whether a guest's session is too large for a cookie."""
        if session._is_empty():
            return False
        session._pack()
        try:
            self._check_room(session._packed, session._facts)
        except SessionTooLarge:
            return True
        return False

    def _keep(self, session: Session, now: int) -> Steps[bool]:
        where = session._kept_as
        # Whoever planted the old id must not be logged in with it: what is set beside a new id goes nowhere else.
        if where is None or (session._renewed and session._id != where.key):
            return (yield from super()._keep(session, now))
        if session._ended_late or session._is_over():
            yield from self._records.end_at(where, now)
            self._emit(Event(Kind.DESTROYED, handle=where.key.hex()))
            session._kept_as, session._packed = None, EMPTY
            # What was set afterwards would be a new session.
            return (yield from super()._keep(session, now))
        before = session._packed
        session._pack()
        packed, session._packed = session._packed, before
        return packed == before or (yield from self._keep_at(session, where, before, packed, now))

    def _keep_at(self, session: Session, where: Id, before: bytes, packed: bytes, now: int) -> Steps[bool]:
        earlier, record = session._draft, session._loaded.record
        created_at = earlier.created_at if earlier is not None else record.created_at if record is not None else now
        base = Record(where.key, created_at, now, before)
        draft = self._records.draft(base, session._content(), packed, now)
        draft.before = earlier
        if earlier is not None:
            # A websocket saves for days.
            earlier.before = None
        try:
            found = yield from self._records.save_on_top(where, draft, now)
        finally:
            if draft.sent:
                session._draft = draft
        if found is None:
            session._lose()
            self._emit(Event(Kind.DROPPED, Reason.ENDED, where.key.hex()))
            return False
        session._packed = packed
        self._emit(Event(Kind.CHANGED if draft.packed == packed else Kind.MERGED, handle=where.key.hex()))
        if found.key == where.key and draft.packed != packed:
            # What others have kept is seen from now on. Whoever had the id before it was replaced sees nothing of it.
            session._follow(packed, draft.packed)
        # Its answer has come: the next draft is made from what is known to be kept.
        draft.before, draft.sent, session._draft = None, b"", draft
        if not session._closed and record is not None:
            # The commit goes on from here. The browser may have to hear what it says of the cookie.
            session._loaded = session._loaded._replace(record=record._replace(packed=session._packed))
            session._forced = True
        return True

    def _may_go_on(self, kept: Kept, kind: Kind) -> bool:
        """Says whether a request that read the session under a replaced id has something to keep all the same."""
        if self._records.writes:
            return kind is Kind.REGENERATED
        # Other requests have moved it to their cookie, and so may this one.
        return kept.entry.successor == NOBODY and kind in (Kind.CHANGED, Kind.REGENERATED)

    def _end(self, loaded: Loaded, now: int) -> Steps[None]:
        if loaded.home is not None:
            yield from self._records.end_at_home(loaded.home, now)
        if loaded.kept is not None:
            yield from self._records.end(loaded.kept, now)

    def _save(self, session: Session, kind: Kind, now: int, https: bool) -> Steps[Decision | None]:
        loaded, packed = session._loaded, session._packed
        record = None if kind is Kind.CREATED else loaded.record
        content = session._content()
        if record is not None and loaded.kept is not None and loaded.kept.entry.state == REPLACED:
            # Whoever comes with an id that was replaced already, and asks for a new one, as with a second
            # click on "sign in", gets a session of the keys that this request has added. A value that was
            # changed may hold what was there before, which a thief of the old id is not to keep.
            content = additions(record.packed, content)
            if not content:
                return self._lose(session)
            record, packed, kind = None, pack(content), Kind.CREATED
            if not session._signing:
                # Nor is the thief signed in.
                session._facts = None
        draft = self._records.draft(record, content, packed, now)
        draft.before = session._draft
        draft.facts, draft.facts_before = self._facts(session, record, now), None if record is None else record.facts
        known = loaded.home or (loaded.kept and loaded.kept.id)
        if known is None or kind in (Kind.CREATED, Kind.REGENERATED):
            id_ = make_id(self._name, session._drawn())
        else:
            id_ = known
        try:
            where = yield from self._place(loaded, kind, id_, draft, now, signing=session._signing)
        finally:
            session._draft = draft
        # Not `where`: the id that took the place meanwhile is another's, and this request learns nothing from there.
        session._kept_as = where and id_
        if where is None:
            return self._lose(session)
        self._emit(Event(kind if draft.packed == packed else Kind.MERGED, handle=where.key.hex()))
        if where.key != id_.key:
            # The id was replaced meanwhile. Whoever asked for that gets the new one, and nobody else.
            if kind is Kind.REGENERATED and self._register is not None:
                yield from self._register.correct(session, where.key, now)
            return None
        permanent = session.permanent or (record is not None and self._was_permanent(session, record))
        if id_ is known and not (loaded.reseal or session._forced or permanent):
            # The browser has this id, until it closes.
            return self._clean(loaded, https)
        return self._send(session, write_token(id_.secret), now, https)

    def _was_permanent(self, session: Session, record: Record) -> bool:
        return _PERMANENT in record.packed or (session._permanent_by_default and _TEMPORARY not in record.packed)

    def _place(  # noqa: PLR0913  # all that is known of the session
        self, loaded: Loaded, kind: Kind, id_: Id, draft: Draft, now: int, *, signing: bool
    ) -> Steps[Id | None]:
        """Keeps a draft under an id. Gives the one under which it is kept now; None if it has been ended meanwhile."""
        records, kept, home = self._records, loaded.kept, loaded.home
        if kind is Kind.CREATED or (kept is None and home is None):
            return (yield from records.create(id_, draft, now))
        renewed = kind is Kind.REGENERATED
        if home is not None and renewed:
            return (yield from records.rename_from_elsewhere(kept, home, id_, draft, now, signing=signing))
        if home is not None:
            return (yield from records.bring_home(kept, home, draft, now))
        # What is not from elsewhere was read from its record.
        at_home = cast(Kept, kept)
        if renewed:
            return (yield from records.rename(at_home, id_, draft, now, signing=signing))
        return (yield from records.save(at_home, draft, now))

    def _touch(self, session: Session, kept: Kept, now: int, https: bool) -> Steps[Decision | None]:
        handle = kept.id.key.hex()
        try:
            if not (yield from self._records.refresh(kept, now)):
                return None
        except StoreError:
            # The visitor has what was asked for; the next request will try again.
            self._emit(Event(Kind.DROPPED, Reason.STORE_DOWN, handle))
            return None
        self._emit(Event(Kind.REFRESHED, handle=handle))
        if session.permanent:
            return self._send(session, write_token(kept.id.secret), now, https)
        return self._clean(session._loaded, https)

    def _move_to_cookie(
        self, session: Session, kept: Kept, kind: Kind, now: int, https: bool
    ) -> Steps[Decision | None]:
        loaded = session._loaded
        if session._is_empty():
            yield from self._records.end(kept, now)
            return self._delete(loaded, https)
        if kept.entry.state != REPLACED:
            try:
                self._check_room(session._packed, session._facts)
            except SessionTooLarge:
                # Before anything is taken out of the store. Nobody is logged out because an unchanged
                # session is too large for the new place: it stays in the old one.
                if kind is not Kind.RESEALED:
                    raise
                due = now - kept.used_at > self._interval
                return (yield from self._touch(session, kept, now, https)) if due else None
            draft = self._records.draft(loaded.record, session._content(), session._packed, now)
            draft.guard = lambda packed: self._check_room(packed, session._facts)
            if not (yield from self._records.leave(kept, draft, now)):
                return self._lose(session)
            session._packed = draft.packed
        return self._write(session, kind, now, https)

    def _lose(self, session: Session) -> Decision:
        """Logout wins: the change goes nowhere, and the cookie is left to whoever ended the session."""
        session._gone = True
        record = session._loaded.record
        self._emit(Event(Kind.DROPPED, Reason.ENDED, record and record.id.hex()))
        return Decision(True)
