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
from coatcheck.core.confined import Confined
from coatcheck.core.cookie import HEADER_BYTES, LIMIT_BYTES, CookieWriter, find_values
from coatcheck.core.events import Event, Kind, Reason, Rejected
from coatcheck.core.keys import Keyring
from coatcheck.core.record import Record
from coatcheck.core.session import Loaded, Session
from coatcheck.core.settings import Settings
from coatcheck.core.token import TokenSealer
from coatcheck.errors import CoatcheckError, SessionTooLarge

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


class Engine(Confined):
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
        self._earlier = settings.earlier_cookie_names
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
        name = self._name
        values = find_values(header, name)
        loaded = None
        if values:
            loaded = self._open(name, values[0], now) if len(values) == 1 else self._choose(name, values, now)
        if self._earlier:
            loaded = self._look_at_earlier(header, values, loaded, now)
        return loaded or Loaded({}, None, False, (name,) if values else (), int(now))

    def _look_at_earlier(self, header: str, values: tuple[str, ...], loaded: Loaded | None, now: float) -> Loaded:
        """Takes over the session of an earlier cookie name, where the present name brought none."""
        present: tuple[str, ...] = (self._name,) if values else ()
        for name in self._earlier:
            if values := find_values(header, name):
                present += (name,)
                loaded = loaded or self._choose(name, values, now)
        return (loaded or Loaded({}, None, False, (), int(now)))._replace(present=present)

    def _choose(self, name: str, values: tuple[str, ...], now: float) -> Loaded | None:
        """Opens several cookies of one name: another host of the domain may have set one too.

        Rubbish beside a good one is passed over. Of two seals of one session, the
        later counts. Of two sessions, neither: nobody can say which is the visitor's.
        """
        found = [loaded for value in values[:_TRIES] if (loaded := self._open(name, value, now))]
        records = [loaded.record for loaded in found if loaded.record]
        if len({record.id for record in records}) > 1:
            self._reject(Reason.AMBIGUOUS)
            return Loaded({}, None, False, (name,), int(now))
        latest = max(records, key=lambda record: record.sealed_at, default=None)
        return next((loaded for loaded in found if loaded.record is latest), None)

    def _open(self, name: str, value: str, now: float) -> Loaded | None:
        if len(name) + len(value) > LIMIT_BYTES:
            reason: Reason | None = Reason.TOO_LONG
        else:
            try:
                record, current = self._sealers[name].open(value, now)
                content = unpack(record.packed)
            except Rejected as rejected:
                reason = rejected.reason
            except ValueError:
                reason = Reason.UNREADABLE
            else:
                second = int(now)
                reason = self._limit_passed(record, second)
                if not isinstance(content, dict):
                    reason = Reason.UNREADABLE
                elif reason is None:
                    return Loaded(content, record, not current or name != self._name, (name,), second)
        self._reject(reason)
        return None

    def _limit_passed(self, record: Record, now: int) -> Reason | None:
        # The limits that the browser keeps are a courtesy; these count (ASVS 7.3.1, 7.3.2).
        if record.sealed_at - now > _SKEW or record.created_at - now > _SKEW:
            return Reason.FROM_THE_FUTURE
        if now - record.sealed_at > self._lifetime:
            return Reason.EXPIRED
        if self._absolute is not None and now - record.created_at > self._absolute:
            return Reason.TOO_OLD
        return None

    def _reject(self, reason: Reason | None) -> None:
        self._emit(Event(Kind.REJECTED, reason))

    # Commit

    def commit(self, session: Session, *, now: float, https: bool) -> Steps[Decision]:
        """Gives what the response must say. The session can be changed no more afterwards.

        Raises `SessionTooLarge` and `Unserializable`; the browser's cookie then
        stays as it was, and a second try with the same content says nothing more.
        """
        yield from ()
        session._closed = True
        quiet = _VARY if session.accessed else _NOTHING
        if session._data is None:
            if not self._always and not session._forced:
                return quiet
            # Looked at by us, not by the application.
            session._open()
            session.accessed = quiet.vary
        if not session._data:
            loaded = session._loaded
            if loaded.present and (session._mutated or session._forced):
                return self._delete(loaded, https)
            return quiet
        try:
            return self._keep(session, now, https) or quiet
        except CoatcheckError:
            # The error page is another response. Its handler may put things right; what is still wrong then is known.
            if session._failed:
                return quiet
            session._failed = True
            session._closed = False
            raise

    def _keep(self, session: Session, now: float, https: bool) -> Decision | None:
        # The packed content stays in the session, out of the variables that an error reporter shows.
        session._pack()
        loaded = session._loaded
        record = None if session._ended else loaded.record
        if record is None:
            kind = Kind.CREATED
        elif session._packed != record.packed or session._forced:
            kind = Kind.CHANGED
        elif loaded.reseal:
            kind = Kind.RESEALED
        elif self._refresh and (session.permanent if self._always else now - record.sealed_at > self._interval):
            kind = Kind.REFRESHED
        elif len(loaded.present) > 1:
            # The present name won; the earlier ones have no more to say.
            return Decision(True, self._delete_earlier(loaded, https))
        else:
            return None
        return self._write(session, record, kind, int(now), https)

    def _write(self, session: Session, record: Record | None, kind: Kind, now: int, https: bool) -> Decision:
        session_id = session._identity()
        created_at = now if record is None else record.created_at
        token = self._sealers[self._name].seal(Record(session_id, created_at, now, session._packed), now)
        size = len(self._name) + len(token)
        if size > LIMIT_BYTES:
            del token
            raise SessionTooLarge(size, LIMIT_BYTES, tuple(session._sizes()[:3]))
        max_age: int | None = None
        if session.permanent:
            max_age = int(self._lifetime)
            if self._absolute is not None:
                max_age = max(0, min(max_age, created_at + int(self._absolute) - now))
        writer = self._writers[self._name]
        cookies: tuple[str, ...] = (writer.write(token, https=https, max_age=max_age, now=now),)
        if self._earlier:
            cookies += self._delete_earlier(session._loaded, https)
        self._emit(Event(kind, handle=session_id.hex()))
        return Decision(True, cookies, not writer.secure[https])

    def _delete(self, loaded: Loaded, https: bool) -> Decision:
        cookies = self._delete_earlier(loaded, https)
        if self._name in loaded.present:
            cookies = (self._writers[self._name].delete(https=https), *cookies)
        self._emit(Event(Kind.DESTROYED, handle=loaded.record and loaded.record.id.hex()))
        return Decision(True, cookies)

    def _delete_earlier(self, loaded: Loaded, https: bool) -> tuple[str, ...]:
        return tuple(self._writers[name].delete(https=https) for name in loaded.present if name != self._name)
