"""What Django's settings say of sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from threading import Lock
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from django.conf import settings
from django.core.signals import setting_changed

from coatcheck.async_sessions import AsyncSessions
from coatcheck.core.settings import OPTIONS, config_key
from coatcheck.core.spelling import misspelt
from coatcheck.errors import UsageError
from coatcheck.sessions import Sessions
from coatcheck.stores.opening import Opened, open_async_store
from coatcheck.stores.threaded import ThreadedStore

_SessionsT = TypeVar("_SessionsT", bound=Sessions)
_Loops: TypeAlias = WeakKeyDictionary[Any, tuple[AsyncSessions, AsyncGenerator[None]]]
_STORES = ("store", "earlier_store", "revocations")


class _Configuration:
    """The sessions of this process, built at the first request, and anew where a test changes the settings."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sync: Sessions | None = None
        self._loops: _Loops = WeakKeyDictionary()
        self._warned: set[str] = set()
        self._opened = Opened()
        self._threaded: dict[int, ThreadedStore] = {}

    def sessions(self) -> Sessions:
        """Gives those that ask a store with a sync client. Raises `UsageError` for what cannot be right."""
        sessions = self._sync
        if sessions is None:
            with self._lock:
                sessions = self._sync = self._sync or self._build(Sessions, _options(), self._opened)
        return sessions

    async def here(self) -> AsyncSessions:
        """Gives those that ask a store with a client of the running loop, which is closed when the loop ends."""
        loop = asyncio.get_running_loop()
        known = self._loops.get(loop)
        if known is not None:
            return known[0]
        try:
            sessions = self._build_here()
        except (UsageError, ImportError) as error:
            # As in `_build`: the URLs are in the frames below too.
            raise error.with_traceback(None) from None
        life = _life(sessions, self._loops)
        await anext(life)
        self._loops[loop] = sessions, life
        return sessions

    def _build_here(self) -> AsyncSessions:
        opened = Opened()
        options = _options()
        for option, store in zip(_STORES, self.sessions().stores, strict=True):
            url = options[option]
            client = open_async_store(url, clock=opened.now) if isinstance(url, str) else None
            if client is None or isinstance(client, ThreadedStore):
                # A store that is sync by nature is one for all loops, and for the sync views.
                options[option] = None if store is None else self._threads(store)
            else:
                opened[url] = client
        return self._build(AsyncSessions, options, opened)

    def _threads(self, store: Any) -> ThreadedStore:
        return self._threaded.setdefault(id(store), ThreadedStore(store))

    def _build(self, kind: type[_SessionsT], options: dict[str, Any], opened: Opened) -> _SessionsT:
        try:
            bell = None if self._sync is None else self._sync.bell
            sessions = kind(options, debug=settings.DEBUG, warned=self._warned, opened=opened, bell=bell)
        except (UsageError, ImportError) as error:
            # An error reporter shows the variables of the frames, and these hold keys.
            del options
            raise error.with_traceback(None) from None
        for key, meant in misspelt(dir(settings)):
            sessions.watch.misspelt(key, meant)
        return sessions

    def reset(self, setting: str) -> None:
        if setting.startswith(("SESSION_", "SECRET_KEY", "PERMANENT_SESSION_")) or setting == "DEBUG":
            self._sync = None
            self._loops.clear()


async def _life(sessions: AsyncSessions, loops: _Loops) -> AsyncGenerator[None]:
    """Lasts as long as the loop that it runs in: a loop closes its generators, and so these sessions, at its end."""
    try:
        yield
    finally:
        # This generator knows its loop, and would keep it alive where it is remembered.
        loops.pop(asyncio.get_running_loop(), None)
        await sessions.close()


def _options() -> dict[str, Any]:
    options = {option: getattr(settings, config_key(option), None) for option in OPTIONS}
    if options["permanent_lifetime"] is None:
        options["permanent_lifetime"] = settings.SESSION_COOKIE_AGE
    options["permanent"] = not settings.SESSION_EXPIRE_AT_BROWSER_CLOSE
    # Django's default says False where nobody has said anything.
    if not settings.is_overridden("SESSION_COOKIE_SECURE"):
        options["cookie_secure"] = None
    return options


configuration: _Configuration = _Configuration()


def _reset(*, setting: str, **_: object) -> None:
    configuration.reset(setting)


setting_changed.connect(_reset)
