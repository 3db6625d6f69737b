"""The two verbs: *load* a session from a request, and *commit* it to a response.

Both are generators. They yield the operations that they need from a store and
return what they decided; `coatcheck.drive` runs them, for sync and async hosts
alike. A session sealed in its cookie needs no operation.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any, NamedTuple, Never, TypeAlias, TypeVar

from coatcheck.core.codec import unpack
from coatcheck.core.cookie import HEADER_BYTES, LIMIT_BYTES, CookieWriter, find_values
from coatcheck.core.events import Event, Kind, Reason, Rejected
from coatcheck.core.keys import Keyring
from coatcheck.core.record import Record
from coatcheck.core.session import Loaded, Session
from coatcheck.core.settings import Settings
from coatcheck.core.token import TokenSealer
from coatcheck.errors import SessionTooLarge

_T = TypeVar("_T")
Steps: TypeAlias = Generator[Never, Any, _T]

# Cookies of our name that are opened in one request: no browser of a visitor sends more.
_TRIES = 4
# How far ahead another server's clock may be, in seconds.
_SKEW = 60
_REFRESHES_PER_LIFETIME = 100
_LONGEST_REFRESH = 3600


class Decision(NamedTuple):
    """What a response must say. A named tuple, for the same reason as `Record`."""

    vary: bool
    """Whether the response depends on the session: `Vary: Cookie`."""
    cookies: tuple[str, ...] = ()
    """Values for `Set-Cookie`, at most one for each name. With any, no cache may store the response."""
    insecure: bool = False
    """Whether a session leaves in a cookie without Secure."""


_NOTHING = Decision(False)
_VARY = Decision(True)


class Engine:
    """Decides for one policy and one key ring. Threads may share it.

    Args:
        random: gives so many random bytes; `os.urandom` at the edge.
        emit: called with each event.
    """

    def __init__(
        self,
        settings: Settings,
        keyring: Keyring,
        *,
        random: Callable[[int], bytes],
        emit: Callable[[Event], None],
    ) -> None:
        self._emit = emit
        self._name = settings.cookie_name
        names = (settings.cookie_name, *settings.earlier_cookie_names)
        self._sealers = {name: TokenSealer(keyring, settings.audience, name, random) for name in names}
        self._writers = {name: CookieWriter(name, settings) for name in names}
        self._lifetime = settings.permanent_lifetime.total_seconds()
        self._absolute = None if settings.absolute_lifetime is None else settings.absolute_lifetime.total_seconds()
        self._refresh = settings.refresh_each_request
        self._interval = min(self._lifetime / _REFRESHES_PER_LIFETIME, _LONGEST_REFRESH)
        if settings.refresh_interval is not None:
            self._interval = settings.refresh_interval.total_seconds()
        # Flask's own behaviour: a permanent session goes with every response, looked at or not.
        self._always = self._refresh and settings.refresh_interval == timedelta(0)

    # Load

    def load(self, header: str, *, now: float) -> Steps[Loaded]:
        """Gives what a `Cookie` header brings: a session of ours, or a new one for whatever else it holds."""
        yield from ()
        if len(header) > HEADER_BYTES:
            self._reject(Reason.TOO_LONG)
            header = ""
        loaded: Loaded | None = None
        present: tuple[str, ...] = ()
        for name in self._sealers:
            values = find_values(header, name)
            if values:
                present += (name,)
                if loaded is None:
                    loaded = self._choose(name, values, now)
        if loaded is None:
            return Loaded({}, None, False, present, int(now))
        return loaded if len(present) == 1 else loaded._replace(present=present)

    def _choose(self, name: str, values: tuple[str, ...], now: float) -> Loaded | None:
        """Opens the cookies of one name. There are several where another host of the domain has set one too.

        Rubbish beside a good one is passed over. Of two seals of one session, the
        later counts. Of two sessions, neither: nobody can say which is the visitor's.
        """
        chosen: Loaded | None = None
        chosen_record: Record | None = None
        for value in values[:_TRIES]:
            try:
                record, content, current = self._open(name, value, now)
            except Rejected as rejected:
                self._reject(rejected.reason)
                continue
            if chosen_record is not None:
                if record.id != chosen_record.id:
                    self._reject(Reason.AMBIGUOUS)
                    return None
                if record.sealed_at <= chosen_record.sealed_at:
                    continue
            chosen_record = record
            chosen = Loaded(content, record, not current or name != self._name, (name,), int(now))
        return chosen

    def _open(self, name: str, value: str, now: float) -> tuple[Record, dict[str, Any], bool]:
        if len(name) + len(value) > LIMIT_BYTES:
            raise Rejected(Reason.TOO_LONG)
        record, current = self._sealers[name].open(value, now)
        # The limits that the browser keeps are a courtesy; these count (ASVS 7.3.1, 7.3.2).
        if record.sealed_at > now + _SKEW or record.created_at > now + _SKEW:
            raise Rejected(Reason.FROM_THE_FUTURE)
        if int(now) - record.sealed_at > self._lifetime:
            raise Rejected(Reason.EXPIRED)
        if self._absolute is not None and int(now) - record.created_at > self._absolute:
            raise Rejected(Reason.TOO_OLD)
        try:
            content = unpack(record.packed)
        except ValueError:
            raise Rejected(Reason.UNREADABLE) from None
        if type(content) is not dict:
            raise Rejected(Reason.UNREADABLE)
        return record, content, current

    def _reject(self, reason: Reason) -> None:
        self._emit(Event(Kind.REJECTED, reason))

    # Commit

    def commit(self, session: Session, *, now: float, https: bool) -> Steps[Decision]:
        """Gives what the response must say. A session whose cookie is sent or deleted can be changed no more.

        Raises `SessionTooLarge` and `Unserializable`; the browser's cookie then stays as it was.
        """
        yield from ()
        quiet = _VARY if session.accessed else _NOTHING
        if session._data is None:
            if not self._always and not session._forced:
                return quiet
            # Looked at by us, not by the application.
            session._open()
            session.accessed = quiet.vary
        loaded = session._loaded
        if not session._data:
            if loaded.present and (session._mutated or session._forced):
                return self._delete(session, loaded, https)
            return quiet
        # The packed content stays in the session, out of the variables that an error reporter shows.
        session._pack()
        record = None if session._ended else loaded.record
        if record is None:
            kind = Kind.CREATED
        elif session._packed != record.packed or session._forced:
            kind = Kind.CHANGED
        elif loaded.reseal:
            kind = Kind.RESEALED
        elif self._is_due(session, record, now):
            kind = Kind.REFRESHED
        else:
            return quiet
        return self._write(session, record, kind, now, https)

    def _is_due(self, session: Session, record: Record, now: float) -> bool:
        if self._always:
            return session.permanent
        return self._refresh and int(now) - record.sealed_at > self._interval

    def _write(self, session: Session, record: Record | None, kind: Kind, now: float, https: bool) -> Decision:
        second = int(now)
        session_id = session._identity()
        created_at = second if record is None else record.created_at
        token = self._sealers[self._name].seal(Record(session_id, created_at, second, session._packed), now)
        size = len(self._name) + len(token)
        if size > LIMIT_BYTES:
            del token
            raise SessionTooLarge(size, LIMIT_BYTES, tuple(session._sizes()[:3]))
        max_age: int | None = None
        if session.permanent:
            max_age = int(self._lifetime)
            if self._absolute is not None:
                max_age = min(max_age, created_at + int(self._absolute) - second)
        writer = self._writers[self._name]
        cookies = (writer.write(token, https=https, max_age=max_age, now=second),)
        if len(self._writers) > 1:
            cookies += self._delete_earlier(session._loaded, https)
        self._close(session, kind, session_id)
        return Decision(True, cookies, not writer.is_secure(https))

    def _delete(self, session: Session, loaded: Loaded, https: bool) -> Decision:
        cookies = self._delete_earlier(loaded, https)
        if self._name in loaded.present:
            cookies = (self._writers[self._name].delete(https=https), *cookies)
        self._close(session, Kind.DESTROYED, None if loaded.record is None else loaded.record.id)
        return Decision(True, cookies)

    def _delete_earlier(self, loaded: Loaded, https: bool) -> tuple[str, ...]:
        return tuple(self._writers[name].delete(https=https) for name in loaded.present if name != self._name)

    def _close(self, session: Session, kind: Kind, session_id: bytes | None) -> None:
        session._closed = True
        self._emit(Event(kind, None, None if session_id is None else session_id.hex()))
