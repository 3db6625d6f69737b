"""The two verbs: *load* a session from a request, and *commit* it to a response.

Both are generators. They yield the operations that they need from a store and
return what they decided; `coatcheck.drive` runs them, for sync and async hosts
alike. A session sealed in its cookie needs no operation.
"""

from __future__ import annotations

from collections.abc import Callable

from coatcheck.core.accounts import Accounts
from coatcheck.core.committer import Committer, Decision, refresh_interval
from coatcheck.core.confined import Confined
from coatcheck.core.cookie import find_values
from coatcheck.core.events import Event
from coatcheck.core.keeper import Keeper
from coatcheck.core.keys import Keyring
from coatcheck.core.loaded import Loaded
from coatcheck.core.loader import Loader
from coatcheck.core.moves import Moves
from coatcheck.core.operations import Steps
from coatcheck.core.owners import Owners
from coatcheck.core.register import Limits, Register
from coatcheck.core.revocations import Bell, Revocations
from coatcheck.core.roster import Rosters
from coatcheck.core.session import Session
from coatcheck.core.settings import Settings
from coatcheck.core.token import TokenSealer

__all__ = ["Decision", "Engine"]


class Engine(Confined):
    """Decides for one policy and one key ring. Threads may share it.

    Args:
        random: gives so many random bytes; `os.urandom` at the edge.
        emit: called with each event.
        store: whether sessions are kept in a store, and not in the cookie.
        earlier_store: whether there is a store that sessions are moved from.
        revocations: whether there is a store for the list of what has been ended, and for the rosters.
        bell: tells when that list has changed.
    """

    def __init__(  # noqa: PLR0913  # what the core is not to find by itself
        self,
        settings: Settings,
        keyring: Keyring,
        *,
        random: Callable[[int], bytes],
        emit: Callable[[Event], None],
        store: bool = False,
        earlier_store: bool = False,
        revocations: bool = False,
        bell: Bell | None = None,
    ) -> None:
        names = (settings.cookie_name, *settings.earlier_cookie_names)
        self._names = names
        self._asks_for = names if store or earlier_store else ()
        sealers = {name: TokenSealer(keyring, settings.audience, name, random) for name in names}
        register = None
        if revocations:
            owners = Owners(keyring, settings.audience)
            self.revocations: Revocations | None = Revocations(
                owners, settings.audience, delay=settings.revocation_delay, bell=bell
            )
            rosters = Rosters(keyring, owners, settings.audience, random)
            limits = Limits.of(settings, refresh_interval(settings))
            register = Register(settings, self.revocations, rosters, random, limits, store=store)
        else:
            self.revocations = None
        self.accounts: Accounts = Accounts(register, emit)
        if store or earlier_store:
            records = Moves(settings, keyring, random, store=store, earlier_store=earlier_store)
            self._loader = Loader(settings, sealers, records, emit, register)
            self._committer: Committer = Keeper(settings, sealers, records, emit, register)
        else:
            self._loader = Loader(settings, sealers, None, emit, register)
            self._committer = Committer(settings, sealers, emit, register)
        # Not by way of methods here: every request of a site without a store calls them.
        self.load_sealed: Callable[[str, float], Loaded | None] = self._loader.load_sealed
        """As `load`, without a driver, for an engine without stores; None where it takes more than that."""
        self.commit_sealed: Callable[[Session, float, bool], Decision | None] = self._committer.commit_sealed
        """As `commit`, without a driver, for an engine without stores: session, now, https; None where it takes one."""

    def load(self, header: str, *, now: float, ask: bool = True) -> Steps[Loaded]:
        """Gives what a `Cookie` header brings: a session of ours, or a new one for whatever else it holds.

        Raises `StoreError` if the store cannot say, unless the settings have the request go on.

        Args:
            ask: whether the list of revocations is brought up to date, where it is time.
        """
        return self._loader.load(header, now, ask=ask)

    @property
    def sends_always(self) -> bool:
        """Whether a permanent session is sent with every response, looked at or not, as in Flask."""
        return self._committer.always

    def commit(self, session: Session, *, now: float, https: bool) -> Steps[Decision]:
        """Gives what the response must say. The session can be changed no more afterwards.

        Raises `SessionTooLarge`, `Unserializable` and `StoreError`; the browser's cookie
        then stays as it was, and a second try with the same content says nothing more.
        """
        return self._committer.commit(session, now, https)

    def keep(self, session: Session, *, now: float) -> Steps[bool]:
        """Keeps what was changed after the response had begun. Gives False if the session has been ended meanwhile.

        The session then goes on with what others have kept too, and can be kept again. Raises
        `UsageError` where there is no store, or the browser has no id of this session.
        """
        return self._committer.keep(session, now)

    def renews(self, session: Session, *, now: float) -> bool:
        """Says whether a commit would write a session though nothing in it has changed."""
        return self._committer.renews(session, now)

    def asks(self, header: str) -> bool:
        """Says whether a store may be asked to load what this `Cookie` header brings."""
        return any(find_values(header, name) for name in self._asks_for)

    def asks_first(self, header: str, *, now: float) -> bool:
        """As `asks`, and whether the list of revocations is to be brought up to date before."""
        revocations = self.revocations
        if revocations is not None and revocations.stale(now):
            return any(find_values(header, name) for name in self._names)
        return self.asks(header)
