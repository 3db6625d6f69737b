"""What every integration does: open a session for a request, commit it to the response, keep what comes later.

An integration translates: a raw `Cookie` header in, headers out. For asyncio, the same stands in `async_sessions`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from coatcheck.accounts import AccountCalls
from coatcheck.bell import open_bell
from coatcheck.core.confined import Confined
from coatcheck.core.engine import Decision, Engine
from coatcheck.core.keys import Keyring
from coatcheck.core.loaded import Loaded
from coatcheck.core.revocations import Bell
from coatcheck.core.session import Session
from coatcheck.core.settings import Settings
from coatcheck.core.sign_in import hash_client
from coatcheck.drive import run
from coatcheck.errors import StoreError, TooManySessions, UsageError
from coatcheck.log import Watch
from coatcheck.stores.opening import Opened, open_store
from coatcheck.stores.protocols import Store, provides
from coatcheck.telemetry import event_counter

if TYPE_CHECKING:
    from coatcheck.request_session import RequestSession

UNAVAILABLE = "Service Unavailable\n"
"""What a visitor is told with status 503 where the store fails, and no more."""
FORBIDDEN = "Signed in at too many places\n"
"""What a visitor is told with status 403 where `max_sessions_per_user` lets nobody else sign in."""


def refusal(error: StoreError | TooManySessions) -> tuple[int, str, str]:
    """Gives status, its words and text of the answer to an error that the application has no answer to."""
    if isinstance(error, TooManySessions):
        return 403, "Forbidden", FORBIDDEN
    return 503, "Service Unavailable", UNAVAILABLE


class Sessions(AccountCalls, Confined):
    """The sessions of one application under one configuration, for a sync program.

    Args:
        options: those of `Settings`, and `secret_key`, `secret_key_fallbacks`, `store`, `earlier_store`,
            `revocations`, `clock` and `on_event`.
        debug: whether a weak secret key is taken with a warning.
        warned: what the log has been told already.
        opened: by URL, stores that are open already. What is opened here is added.
        bell: of other sessions with the same list.

    Raises `UsageError` for what cannot be right.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        debug: bool = False,
        warned: set[str] | None = None,
        opened: Opened | None = None,
        bell: Bell | None = None,
    ) -> None:
        settings, others = Settings.read(options)
        if "secret_key" not in others:
            raise UsageError("a secret_key is required: python -c 'import secrets; print(secrets.token_hex(32))'")
        if iscoroutinefunction(others.get("on_event")):
            raise UsageError("on_event is called, and not awaited: it must be no coroutine function")
        self.watch: Watch = Watch(others.get("on_event"), set() if warned is None else warned, count=event_counter())
        allow_weak = settings.allow_weak_key or debug
        keyring = Keyring(
            _bare(others["secret_key"]), _bare(others.get("secret_key_fallbacks", ())), allow_weak=allow_weak
        )
        for weakness in keyring.weaknesses:
            self.watch.weak_key(weakness)
        self.clock: Callable[[], float] = others.get("clock", time.time)
        self.settings: Settings = settings
        self.permanent: bool = settings.permanent
        self.opened: Opened = Opened() if opened is None else opened
        self.opened.clock = self.clock
        self.stores: tuple[Any, ...] = tuple(
            self._store(others.get(option), option) for option in ("store", "earlier_store", "revocations")
        )
        store, earlier_store, revocations = self.stores
        # A sync store is in an object of its own in each place of an asyncio program.
        if store is not None and (store is earlier_store or others["store"] is others.get("earlier_store")):
            raise UsageError("store and earlier_store are the same")
        _check_mode(settings, store=store is not None)
        if revocations is None and store is not None:
            # What has been ended is remembered where the sessions are.
            revocations = store
            self.stores = (store, earlier_store, store)
        for option in ("max_sessions_per_user", "rotate_every"):
            if revocations is None and getattr(settings, option) is not None:
                raise UsageError(f"{option} needs a store, or revocations=: there is nowhere to remember sessions")
        self.remembers: bool = revocations is not None
        """Whether there is a list of what has been ended."""
        place = next((others[each] for each in ("revocations", "store") if each in others), None)
        if isinstance(place, str) and place.startswith("memory:"):
            # No other process has it.
            place = revocations
        self.bell: Bell = bell or open_bell(place, settings.audience)
        self.engine: Engine = Engine(
            settings,
            keyring,
            random=os.urandom,
            emit=self.watch,
            store=store is not None,
            earlier_store=earlier_store is not None,
            revocations=self.remembers,
            bell=self.bell,
        )
        self.on_server: bool = store is not None or earlier_store is not None
        """Whether there is a store that a request may ask for its session."""
        self.asks: bool = self.on_server or self.remembers
        """Whether there is any store that a request may ask."""

    def _store(self, store: Any, option: str) -> Any:
        if isinstance(store, str):
            return self.opened.get(store) or self.opened.setdefault(store, self._open(store))
        if store is None:
            return None
        if isinstance(store, type) or not provides(store, Store):
            raise UsageError(f"{option} must be a URL, or an object with the methods of coatcheck.stores.Store")
        return self._take(store, option)

    def _open(self, url: str) -> Any:
        return open_store(url, clock=self.opened.now)

    def _take(self, store: Any, option: str) -> Any:
        if iscoroutinefunction(store.read):
            raise UsageError(f"{option} is a store for asyncio, and this framework needs a sync one")
        return store

    def bound(self, address: str, agent: str) -> bytes:
        """Gives what `bind` makes of a client, hashed; empty without it, where nothing is known, or where it fails.

        Visitors write the user agent, and some servers know no address: no request fails for it.
        """
        bind = self.settings.bind
        if bind is None or not (address or agent):
            return b""
        try:
            return hash_client(bind(address, agent))
        except Exception as error:  # noqa: BLE001  # whatever a program does wrong
            self.watch.bind_failed(error)
            return b""

    def _accounts(self) -> Sessions:
        return self

    def look_at_list(self) -> None:
        """Says in the log if it cannot be read what has been ended. Requests may go on all the same."""
        revocations = self.engine.revocations
        if revocations is not None and revocations.unknown:
            self.watch.store_down()

    def last_instant(self) -> int:
        """Gives the last instant of the list of revocations, which is asked for it. Raises `StoreError`."""
        revocations = self.engine.revocations
        if revocations is None:
            return 0
        run(revocations.catch_up(self.clock()), self.stores)
        return revocations.latest

    def read(self, session: RequestSession) -> Loaded:
        """Gives what the request brought. Raises `StoreError`."""
        loaded = run(self.engine.load(session.header, now=self.clock()), self.stores)
        self.look_at_list()
        return loaded

    def commit(self, session: Session, *, https: bool, host: str = "", streamed: bool = False) -> Decision:
        """Gives what the response must say. Raises `SessionTooLarge`, `Unserializable`, `StoreError`.

        Args:
            host: the `Host` header, to warn where a session leaves in the clear.
            streamed: whether the response has no length, so that its body may look at the session yet.
        """
        try:
            decision = None if self.on_server else self.engine.commit_sealed(session, self.clock(), https)
            if decision is None:
                decision = run(self.engine.commit(session, now=self.clock(), https=https), self.stores)
        except StoreError as error:
            self.watch.store_down(error)
            raise
        return self._judged(decision, host, streamed=streamed) if decision.insecure or streamed else decision

    def _judged(self, decision: Decision, host: str, *, streamed: bool) -> Decision:
        if decision.insecure:
            self.watch.insecure(host)
        return decision._replace(vary=True) if streamed and not decision.vary else decision

    def keep(self, session: Session) -> bool:
        """Keeps what was changed after the response had begun; False if the session has been ended meanwhile.

        Raises `UsageError` where it cannot be kept, and `StoreError`.
        """
        try:
            return run(self.engine.keep(session, now=self.clock()), self.stores)
        except StoreError as error:
            self.watch.store_down(error)
            raise


def _check_mode(settings: Settings, *, store: bool) -> None:
    if settings.mode in ("store", "hybrid") and not store:
        raise UsageError(f"mode {settings.mode!r} needs a store, such as store='redis://localhost:6379/0'")
    if settings.mode == "cookie" and store:
        raise UsageError("mode 'cookie' keeps sessions in their cookies: leave store out, or name it earlier_store")


def _bare(secret: Any) -> Any:
    """Gives a secret, or several, out of what configurations wrap one in, so that nothing shows it by accident."""
    if isinstance(secret, (list, tuple)):
        return type(secret)(map(_bare, secret))
    if hasattr(secret, "get_secret_value"):
        # pydantic's, whose text is a row of asterisks.
        return secret.get_secret_value()
    # Starlette's shows itself as text only when it is asked to.
    return str(secret) if type(secret).__name__ == "Secret" else secret
