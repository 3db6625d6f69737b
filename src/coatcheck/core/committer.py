"""The second verb: what a response must say, and what is kept before it says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from coatcheck.core.codec import EMPTY, sizes, unpack
from coatcheck.core.confined import Confined
from coatcheck.core.content import TOO_LATE
from coatcheck.core.cookie import LIMIT_BYTES, CookieWriter
from coatcheck.core.events import Event, Kind, Reason
from coatcheck.core.facts import Facts
from coatcheck.core.loaded import Loaded
from coatcheck.core.operations import Steps
from coatcheck.core.record import Record
from coatcheck.core.register import Limits, Register
from coatcheck.core.session import Session
from coatcheck.core.settings import Settings
from coatcheck.core.token import TokenSealer, token_chars
from coatcheck.errors import CoatcheckError, SessionTooLarge, StoreError, UsageError

_REFRESHES_PER_LIFETIME = 100
_LONGEST_REFRESH = 3600

_TOO_EARLY = (
    "this cannot be saved by itself: the browser gets the id of a new session, and a session that is sealed in its"
    " cookie, with the headers of a response. They keep what was changed before. Where no headers are sent at all,"
    " as when a websocket is refused, it is lost"
)


class Decision(NamedTuple):
    """What a response must say. A named tuple, for the same reason as `Record`."""

    vary: bool
    """Whether the response depends on the session: `Vary: Cookie`."""
    cookies: tuple[str, ...] = ()
    """Values for `Set-Cookie`, at most one for each name. With any, no cache may store the response."""
    insecure: bool = False
    """Whether a session leaves in a cookie without Secure."""
    clears: bool = False
    """Whether the browser is to clear what it has of the site: `Clear-Site-Data`."""


def refresh_interval(settings: Settings) -> float:
    """Gives how old a seal must be to be renewed, in seconds."""
    if settings.refresh_interval is not None:
        return settings.refresh_interval.total_seconds()
    return min(settings.unseen_seconds / _REFRESHES_PER_LIFETIME, _LONGEST_REFRESH)


_NOTHING = Decision(False)
_VARY = Decision(True)
# Not a decision yet.
_ASK = Decision(False)


class Committer(Confined):
    """Writes sessions into their cookies. `Keeper` writes those that are kept on the server."""

    def __init__(
        self,
        settings: Settings,
        sealers: Mapping[str, TokenSealer],
        emit: Callable[[Event], None],
        register: Register | None = None,
    ) -> None:
        self._emit = emit
        self._register = register
        self._name = settings.cookie_name
        self._earlier = settings.earlier_cookie_names
        self._sealer = sealers[settings.cookie_name]
        names = (settings.cookie_name, *settings.earlier_cookie_names)
        self._writers = {name: CookieWriter(name, settings) for name in names}
        self._limits = Limits.of(settings, refresh_interval(settings))
        self._lifetime, self._absolute, self._interval = self._limits
        self._refresh = settings.refresh_each_request
        # Flask's own behaviour: a permanent session goes with every response, looked at or not.
        self.always: bool = self._refresh and settings.refresh_interval == timedelta(0)

    def commit(self, session: Session, now: float, https: bool) -> Steps[Decision]:
        quiet = self._begin(session)
        if session._data is None:
            return quiet
        try:
            if session._parts:
                session.gather()
            if session._loaded.down:
                self._pass_over(session)
                return quiet
            if session._loaded.replaced and not (session._ended or session._signing or session._is_over()):
                return self._drop(session, int(now))
            if self._register is not None and self._register.rotates(session, int(now)):
                session._renew()
            decision = (yield from self._decide(session, now, https)) or quiet
            if session._signing or session._signed_out:
                self._tell(session)
            return decision._replace(clears=True) if session._clears else decision
        except CoatcheckError as error:
            self._fail(session, error)
            return quiet
        except BaseException:
            # The request was cancelled, and whether the store did what it was asked last is not known.
            self._undo(session)
            raise

    def commit_sealed(self, session: Session, now: float, https: bool) -> Decision | None:
        """As `commit`, where no store is asked: without the generators, which take a third of the time.

        Gives None, and has done nothing, where one has to be.
        """
        quiet = self._begin(session)
        if session._data is None:
            return quiet
        try:
            if session._parts:
                session.gather()
            second = int(now)
            if session._loaded.down or (self._register is not None and self._register.concerns(session, second)):
                return None
            sealed = self._seal(session, second, https, asks_at=now)
            if sealed is _ASK:
                self._undo(session)
                return None
            decision = sealed or quiet
            if session._signing or session._signed_out:
                self._tell(session)
            return decision._replace(clears=True) if session._clears else decision
        except CoatcheckError as error:
            self._fail(session, error)
            return quiet
        except BaseException:
            self._undo(session)
            raise

    def _decide(self, session: Session, exact: float, https: bool) -> Steps[Decision | None]:
        """Tells others what has become of a session that is sealed in its cookie, and gives what the response says."""
        now = int(exact)
        if self._register is not None and self._register.concerns(session, now):
            writes = False
            if not session._is_empty():
                record = None if session._ended else session._loaded.record
                kind = self._change(session, record, now)
                writes = kind is not None
                # Before anything is ended for a cookie that will not be sent.
                self._check_room(session._packed, session._facts)
            yield from self._register.settle(session, now, writes=writes)
        decision = self._seal(session, now, https, asks_at=exact)
        if decision is _ASK:
            yield from self._look_again(exact)
            decision = self._seal(session, now, https)
        return decision

    def _look_again(self, now: float) -> Steps[None]:
        """Reads what others have ended since this request began."""
        if self._register is not None:
            yield from self._register.revocations.refresh(now)

    def _was_ended(self, session: Session, now: int) -> bool:
        """Says whether another request has ended the session since this one began.

        The browser may have a cookie from there by now, and must not lose it to one that nobody would take.
        """
        record = session._loaded.record
        if self._register is None or record is None:
            return False
        return self._register.revocations.judge(record, record.facts, now) is not None

    def _drop(self, session: Session, now: int) -> Decision:
        """Keeps nothing of a request that was under way when the id of its session was replaced."""
        if session._renewed or self._change(session, session._loaded.record, now) is Kind.CHANGED:
            session._gone = True
            self._emit(Event(Kind.DROPPED, Reason.ENDED))
        return _VARY

    def _pass_over(self, session: Session) -> None:
        if session._ended or session._cleared:
            # Whoever signed out must not be told that it was done.
            raise StoreError("the session could not be ended, for the store does not answer")
        if session._mutated or session._forced:
            self._emit(Event(Kind.DROPPED, Reason.STORE_DOWN))

    def _tell(self, session: Session) -> None:
        """Has the listeners know who has signed in or out, once."""
        if session._told or session._gone:
            return
        session._told = True
        if session._signed_out:
            before = session._loaded.record
            forgets = self._register is None and session._loaded.kept is None
            self._emit(
                Event(
                    Kind.SIGNED_OUT, Reason.UNREVOKED if forgets else None, None if before is None else before.id.hex()
                )
            )
        if session._signing:
            self._emit(Event(Kind.SIGNED_IN, handle=session._identity().hex()))
        for row in session._over:
            self._emit(Event(Kind.REVOKED, handle=row.handle.hex()))

    def _check_room(self, packed: bytes, facts: Facts | None) -> None:
        size = len(self._name) + token_chars(packed, facts)
        if size > LIMIT_BYTES:
            content: Any = unpack(packed)
            raise SessionTooLarge(size, LIMIT_BYTES, sizes(content))

    def _facts(self, session: Session, record: Record | None, now: int) -> Facts | None:
        """Gives what is sealed beside the content."""
        if session._facts is None and self._register is not None and (record is None or session._renewed):
            session._facts = self._register.new_facts(now)
        return session._facts

    def _begin(self, session: Session) -> Decision:
        """Closes a session, and opens it where there may be something to say. Gives what to say otherwise."""
        session._closed = True
        quiet = _VARY if session.accessed else _NOTHING
        if session._data is None and (self.always or session._forced):
            # Looked at by us, not by the application.
            session._open()
            session.accessed = quiet.vary
        if session._data is not None:
            session._was = session._packed, session._kept_as
            session._ended_late = False
        return quiet

    def _undo(self, session: Session) -> None:
        # What a later save puts its changes on top of is what has been kept.
        session._packed, session._kept_as = session._was
        session._ended_late = session._ended

    def _fail(self, session: Session, error: CoatcheckError) -> None:
        self._undo(session)
        # The error page is another response. Its handler may put things right; what is still wrong then is known.
        if session._failed:
            return
        session._failed = True
        session._closed = False
        # An error reporter shows the variables of the frames below, and these hold content.
        error.__context__ = None
        raise error.with_traceback(None) from None

    def keep(self, session: Session, now: float) -> Steps[bool]:
        if session._data is None:
            return True
        try:
            if session._parts:
                session.gather()
            return (yield from self._keep(session, int(now)))
        except CoatcheckError as error:
            # As in a commit.
            error.__context__ = None
            raise error.with_traceback(None) from None

    def _keep(self, session: Session, now: int) -> Steps[bool]:  # noqa: ARG002  # a store needs it
        yield from ()
        before = session._packed
        session._pack()
        changed, session._packed = session._packed != before, before
        if not changed or session._loaded.down:
            return not (changed or session._gone)
        if not session._closed:
            raise UsageError(_TOO_EARLY)
        # Something deep inside was changed: a method of the dict would have raised already.
        self._emit(Event(Kind.DROPPED, Reason.LATE))
        raise UsageError(TOO_LATE)

    def _change(self, session: Session, record: Record | None, now: int) -> Kind | None:
        """Says what there is to write."""
        # The packed content stays in the session, out of the variables that an error reporter shows.
        session._pack()
        if record is None:
            return Kind.CREATED
        if session._renewed:
            return Kind.REGENERATED
        if session._packed != record.packed or session._forced:
            return Kind.CHANGED
        return self._renewal(session, record, now)

    def renews(self, session: Session, now: float) -> bool:
        record = None if session._data is None or session._ended else session._loaded.record
        return record is not None and self._renewal(session, record, int(now)) is not None

    def _renewal(self, session: Session, record: Record, now: int) -> Kind | None:
        """Says why a session is to be written in which nothing has changed."""
        if session._loaded.reseal:
            return Kind.RESEALED
        if self._refresh and (session.permanent if self.always else now - record.sealed_at > self._interval):
            return Kind.REFRESHED
        return None

    def _seal(self, session: Session, now: int, https: bool, *, asks_at: float | None = None) -> Decision | None:
        """Gives what the response says; with the exact time, it may be that the list has to be read first."""
        loaded = session._loaded
        if session._is_empty():
            session._packed = EMPTY
            if loaded.present and (session._mutated or session._forced):
                return self._delete(loaded, https)
            return None
        record = None if session._ended else loaded.record
        kind = self._change(session, record, now)
        if kind is not None:
            if self._register is not None and record is not None and kind is not Kind.REGENERATED:
                # Not by whole seconds: what was read in this one would count as of a time to come.
                if asks_at is not None and self._register.revocations.stale(asks_at):
                    return _ASK
                if self._register.revocations.rotated(record) or self._was_ended(session, now):
                    # With a new id, the old one in a new cookie would be taken for a copy before long.
                    return self._drop(session, now)
            return self._write(session, kind, now, https)
        return self._clean(loaded, https) if len(loaded.present) > 1 else None

    def _write(self, session: Session, kind: Kind, now: int, https: bool) -> Decision:
        record = None if kind is Kind.CREATED else session._loaded.record
        created_at = now if record is None else record.created_at
        session_id = session._identity()
        facts = self._facts(session, record, now)
        token = self._sealer.seal(Record(session_id, created_at, now, session._packed, facts), now)
        size = len(self._name) + len(token)
        if size > LIMIT_BYTES:
            del token
            raise SessionTooLarge(size, LIMIT_BYTES, sizes(session._content()))
        self._emit(Event(kind, handle=session_id.hex()))
        return self._send(session, token, now, https)

    def _send(self, session: Session, token: str, now: int, https: bool) -> Decision:
        max_age: int | None = None
        if session.permanent:
            max_age = session._lasts(self._lifetime, now)
            if self._absolute is not None:
                max_age = max(0, min(max_age, session._began_at() + self._absolute - now))
        writer = self._writers[self._name]
        cookies: tuple[str, ...] = (writer.write(token, https=https, max_age=max_age, now=now),)
        if self._earlier:
            cookies += self._delete_earlier(session._loaded, https)
        return Decision(True, cookies, not writer.secure[https])

    def _delete(self, loaded: Loaded, https: bool) -> Decision:
        cookies = self._delete_earlier(loaded, https)
        if self._name in loaded.present:
            cookies = (self._writers[self._name].delete(https=https), *cookies)
        self._emit(Event(Kind.DESTROYED, handle=loaded.record and loaded.record.id.hex()))
        return Decision(True, cookies)

    def _clean(self, loaded: Loaded, https: bool) -> Decision | None:
        # The present name won; the earlier ones have no more to say.
        return Decision(True, self._delete_earlier(loaded, https)) if len(loaded.present) > 1 else None

    def _delete_earlier(self, loaded: Loaded, https: bool) -> tuple[str, ...]:
        return tuple(self._writers[name].delete(https=https) for name in loaded.present if name != self._name)
