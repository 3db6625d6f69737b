"""The first verb: what the `Cookie` header of a request brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from coatcheck.core.codec import unpack
from coatcheck.core.confined import Confined
from coatcheck.core.cookie import HEADER_BYTES, LIMIT_BYTES, find_values
from coatcheck.core.events import Event, Kind, Reason, Rejected
from coatcheck.core.facts import FAMILY_BYTES, Facts
from coatcheck.core.loaded import Loaded
from coatcheck.core.moves import Moves
from coatcheck.core.opaque import TOKEN_CHARS, Kept, make_id, read_token
from coatcheck.core.operations import STORE, Steps
from coatcheck.core.record import ID_BYTES, Record
from coatcheck.core.records import SKEW, Reused
from coatcheck.core.register import Register
from coatcheck.core.settings import Settings
from coatcheck.core.text import decode
from coatcheck.core.token import TokenSealer
from coatcheck.errors import StoreError

# Cookies of our name that are opened in one request: no browser of a visitor sends more.
_TRIES = 4
_T = TypeVar("_T")


class Loader(Confined):
    """Reads sessions. Every cookie that is not ours gives a new session, and an event with the reason."""

    def __init__(
        self,
        settings: Settings,
        sealers: Mapping[str, TokenSealer],
        records: Moves | None,
        emit: Callable[[Event], None],
        register: Register | None = None,
    ) -> None:
        self._emit = emit
        self._register = register
        self._revocations = None if register is None else register.revocations
        self._closed = settings.revocations_down == "closed"
        self._hybrid = settings.mode == "hybrid"
        self._name = settings.cookie_name
        self._earlier = settings.earlier_cookie_names
        self._sealers = sealers
        self._records = records
        self._on_server = records is not None and records.writes
        self._lifetime = settings.unseen_seconds
        self._absolute = None if settings.absolute_lifetime is None else settings.absolute_lifetime.total_seconds()
        self._goes_on = settings.store_down == "empty"
        self._takes_sealed = settings.move_cookies or not self._on_server

    def load_sealed(self, header: str, now: float) -> Loaded | None:
        """As `load`, for what nearly every visitor of a site without a store sends; None for anything else."""
        if self._records is not None or self._earlier or len(header) > HEADER_BYTES:
            return None
        values = find_values(header, self._name)
        revocations = self._revocations
        if values and revocations is not None and not revocations.fresh(now):
            return None
        if len(values) == 1:
            loaded = self._open(self._name, values[0], now) or self._nothing(int(now), (self._name,))
            # Where a copy of a cookie is about, that has to be written down.
            return None if loaded.reused else loaded
        return None if values else self._nothing(int(now), ())

    def load(self, header: str, now: float, *, ask: bool = True) -> Steps[Loaded]:
        if len(header) > HEADER_BYTES:
            self._reject(Reason.TOO_LONG)
            header = ""
        name = self._name
        values = find_values(header, name)
        present = (name,) if values else ()
        try:
            if len(values) == 1 and self._records is not None and not self._earlier:
                loaded = yield from self._find(self._records, name, values[0], now)
            else:
                loaded = yield from self._look(header, values, now, ask=ask)
        except StoreError as error:
            if not self._goes_on:
                # An error reporter shows the variables of the frames, and these hold the cookie.
                del header, values
                raise error.with_traceback(None) from None
            self._reject(Reason.STORE_DOWN)
            return Loaded({}, None, False, present, int(now), down=True)
        return loaded or self._nothing(int(now), present)

    def _nothing(self, now: int, present: tuple[str, ...]) -> Loaded:
        guest = self._on_server and self._hybrid
        return Loaded({}, None, False, present, now, on_server=self._on_server and not guest, on_login=guest)

    def _look(self, header: str, values: tuple[str, ...], now: float, *, ask: bool) -> Steps[Loaded | None]:
        """Gives the session of the present name, or where that brings none, of an earlier one."""
        loaded = (yield from self._choose(self._name, values, now, ask=ask)) if values else None
        if not self._earlier:
            return loaded
        present: tuple[str, ...] = (self._name,) if values else ()
        for name in self._earlier:
            if values := find_values(header, name):
                present += (name,)
                loaded = loaded or (yield from self._choose(name, values, now, ask=ask))
        return (loaded or self._nothing(int(now), ()))._replace(present=present)

    def _choose(self, name: str, values: tuple[str, ...], now: float, *, ask: bool) -> Steps[Loaded | None]:
        """Opens several cookies of one name: another host of the domain may have set one too.

        Rubbish beside a good one is passed over. Of two seals of one session, the
        later counts. Of two sessions, neither: nobody can say which is the visitor's.
        """
        found: list[Loaded] = []
        for value in values[:_TRIES]:
            if self._records is None:
                opened = yield from self._open_asking(name, value, now, ask=ask)
            else:
                opened = yield from self._find(self._records, name, value, now)
            if opened is not None:
                found.append(opened)
        if len(found) < 2:
            return found[0] if found else None
        records = [loaded.record for loaded in found if loaded.record]
        if len({record.id for record in records}) > 1:
            self._reject(Reason.AMBIGUOUS)
            return self._nothing(int(now), (name,))
        latest = max(records, key=lambda record: record.sealed_at, default=None)
        return next((loaded for loaded in found if loaded.record is latest), None)

    def _open(self, name: str, value: str, now: float) -> Loaded | None:
        """Gives the session of a sealed token."""
        try:
            record, current = self._unseal(name, value, now)
            return self._accept(record, name, reseal=not current or name != self._name, now=now)
        except Rejected as rejected:
            if rejected.family:
                # Whoever has called this tells of it.
                return self._nothing(int(now), (name,))._replace(reused=rejected.family, handle=rejected.handle)
            self._reject(rejected.reason)
            return None

    def _open_asking(self, name: str, value: str, now: float, *, ask: bool = True) -> Steps[Loaded | None]:
        """As `_open`, and has the list of revocations brought up to date if it is time, for a token of ours alone."""
        revocations = self._revocations
        if ask and revocations is not None and revocations.stale(now):
            try:
                self._unseal(name, value, now)
            except Rejected:
                pass
            else:
                yield from revocations.refresh(now)
        loaded = self._open(name, value, now)
        if loaded is None or not loaded.reused:
            return loaded
        self._emit(Event(Kind.REUSED, handle=loaded.handle))
        self._reject(Reason.REUSED)
        if not ask or self._register is None:
            # The commit writes it down.
            return loaded
        yield from self._register.end_family(loaded.reused, now)
        return None

    def _unseal(self, name: str, value: str, now: float) -> tuple[Record, bool]:
        if len(name) + len(value) > LIMIT_BYTES:
            raise Rejected(Reason.TOO_LONG)
        return self._sealers[name].open(value, now)

    def _find(self, records: Moves, name: str, value: str, now: float) -> Steps[Loaded | None]:
        """Gives the session of a token of either kind, where there is a store."""
        opaque = len(value) == TOKEN_CHARS
        if not opaque and not self._on_server:
            return (yield from self._open_asking(name, value, now))
        try:
            if self._hybrid and not opaque:
                record, current = yield from self._asking(self._unsealing(name, value, now), now)
                if record.facts is None or record.facts.user_id is None:
                    return self._accept(record, name, reseal=not current or name != self._name, now=now)
            if self._on_server and (not opaque or name != self._name):
                return (yield from self._find_elsewhere(records, name, value, now))
            id_ = make_id(name, read_token(value))
            kept = yield from self._asking(records.find(id_, int(now)), now)
            at_home = self._on_server and kept.place == STORE
            loaded = self._take(kept, name, reseal=not (at_home and kept.current and kept.id.key == id_.key), now=now)
            return loaded if at_home or not self._on_server else loaded._replace(home=id_)
        except Rejected as rejected:
            if isinstance(rejected, Reused):
                yield from self._end_family(records, rejected.kept, int(now))
            elif rejected.family and self._register is not None:
                yield from self._register.end_family(rejected.family, now)
                self._emit(Event(Kind.REUSED, handle=rejected.handle))
            self._reject(rejected.reason)
            return None

    def _asking(self, steps: Steps[_T], now: float) -> Steps[_T]:
        """Gives what was found, when it is known what has been ended: whoever has no session of ours asks nothing."""
        found = yield from steps
        if self._revocations is not None:
            yield from self._revocations.refresh(now)
        return found

    def _unsealing(self, name: str, value: str, now: float) -> Steps[tuple[Record, bool]]:
        yield from ()
        return self._unseal(name, value, now)

    def _end_family(self, records: Moves, kept: Kept, now: int) -> Steps[None]:
        """Ends a session for all who have an id of it: one of them has a copy."""
        facts = kept.entry.facts
        if self._register is not None and facts is not None:
            yield from self._register.end_family(facts.family, now)
        yield from records.end_reused(kept, now)
        self._emit(Event(Kind.REUSED, handle=kept.id.key.hex()))

    def _find_elsewhere(self, records: Moves, name: str, value: str, now: float) -> Steps[Loaded]:
        """Gives the session of a sealed cookie, or of an earlier cookie name: from its home, if it is there already."""
        record, secret = None, b""
        if len(value) == TOKEN_CHARS:
            secret = read_token(value)
        elif self._takes_sealed:
            record, _ = yield from self._asking(self._unsealing(name, value, now), now)
            self._judge(record, now)
        else:
            raise Rejected(Reason.UNKNOWN_KIND)
        token, second = decode(value), int(now)
        home, kept = yield from self._asking(records.find_home(name, token, second), now)
        if kept is not None:
            return self._take(kept, name, reseal=True, now=now)
        if record is not None:
            loaded = self._accept(record._replace(id=home.key), name, reseal=True, now=now)
            return loaded._replace(home=home, on_server=self._on_server)
        kept = yield from self._asking(records.find(make_id(name, secret), second), now)
        loaded = self._take(kept, name, reseal=True, now=now)
        return loaded if kept.id.key == home.key else loaded._replace(home=home)

    def _take(self, kept: Kept, name: str, *, reseal: bool, now: float) -> Loaded:
        entry = kept.entry
        handle = kept.id.key if self._on_server else kept.id.key[:ID_BYTES]
        record = Record(handle, entry.created_at, kept.used_at, entry.packed, entry.facts)
        return self._accept(record, name, reseal=reseal, now=now, kept=kept)

    def _accept(self, record: Record, name: str, *, reseal: bool, now: float, kept: Kept | None = None) -> Loaded:
        try:
            content = unpack(record.packed)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise Rejected(Reason.UNREADABLE)
        # A request that was under way. What it changes must not bring the id back.
        replaced = self._judge(record, now) and kept is None
        on_server = self._on_server and not (self._hybrid and kept is None)
        facts, hybrid = record.facts, self._hybrid
        return Loaded(content, record, reseal, (name,), int(now), kept, None, on_server, False, facts, hybrid, replaced)

    def _judge(self, record: Record, now: float) -> bool:
        """Raises `Rejected` for a session that is no more, and `StoreError` where that cannot be said.

        Gives whether it came under an id that has been replaced by another, and is still good for a while.
        """
        facts, revocations = record.facts, self._revocations
        reason = self._limit_passed(record, facts, int(now))
        if reason is None:
            if revocations is None or revocations.clears(record, facts):
                return False
            reason = revocations.judge(record, facts, now)
            if reason is Reason.REUSED:
                family = record.id[:FAMILY_BYTES] if facts is None else facts.family
                raise Rejected(reason, family, record.id.hex())
            if (
                reason is None
                and facts is not None
                and facts.user_id is not None
                and revocations.unknown
                and self._closed
            ):
                raise StoreError("it cannot be read which sessions have been ended")
            if reason is None:
                return revocations.rotated(record)
        raise Rejected(reason)

    def _limit_passed(self, record: Record, facts: Facts | None, now: int) -> Reason | None:
        # The limits that the browser keeps are a courtesy; these count (ASVS 7.3.1, 7.3.2).
        if record.sealed_at - now > SKEW or record.created_at - now > SKEW:
            return Reason.FROM_THE_FUTURE
        if now - record.sealed_at > self._lifetime:
            return Reason.EXPIRED
        if self._absolute is not None:
            began_at = record.created_at if facts is None or facts.user_id is None else facts.authenticated_at
            if now - began_at > self._absolute:
                return Reason.TOO_OLD
        return None

    def _reject(self, reason: Reason | None) -> None:
        self._emit(Event(Kind.REJECTED, reason))
