"""The session of one request: what `Sessions` has to say of a `Cookie` header, when somebody looks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from coatcheck.core.events import Event, Kind, Reason
from coatcheck.core.loaded import Loaded
from coatcheck.core.session import Session
from coatcheck.errors import CoatcheckError, StoreError

if TYPE_CHECKING:
    from coatcheck.sessions import Sessions


class RequestSession(Session):
    """The session of one request."""

    _random = staticmethod(os.urandom)
    _failed_to_load = False
    _failed_call = False

    def __init__(self, sessions: Sessions, header: str) -> None:
        self._sessions = sessions
        self.header: str = header
        """The raw `Cookie` header, several joined by a semicolon."""

    @property
    def _sent_always(self) -> bool:  # type: ignore[override]
        return self._sessions.engine.sends_always

    @property
    def _permanent_by_default(self) -> bool:
        return self._sessions.permanent

    def _load(self) -> Loaded:
        sessions = self._sessions
        loaded = sessions.engine.load_sealed(self.header, sessions.clock())
        if loaded is not None:
            return loaded
        if self._failed_to_load:
            # The application knows. Its error page may look too, as layouts do, and must not wait and fail again.
            return Loaded({}, None, False, (), int(self._sessions.clock()), down=True)
        try:
            return self._read()
        except StoreError as error:
            self._failed_to_load = True
            self._sessions.watch.store_down(error)
            raise self._answerable(error) from None

    def _last_instant(self) -> int:
        try:
            return self._sessions.last_instant()
        except StoreError as error:
            self.fail()
            self._sessions.watch.store_down(error)
            raise self._answerable(error) from None

    def _answerable(self, error: StoreError) -> StoreError:
        """Gives the error as one that the framework has an answer to, where that wants its own kind."""
        return error

    def _bound(self) -> bytes:
        return self._sessions.bound(*self._client())

    def _tell_elsewhere(self) -> None:
        self._sessions.watch(Event(Kind.ELSEWHERE, handle=self.handle))

    @property
    def failed(self) -> bool:
        """Whether the application has been told that the store fails."""
        return self._failed_to_load or self._failed_call

    def fail(self) -> None:
        """Takes note that the store has failed otherwise than at a look: in a login, or a call about a user."""
        self._failed_call = True

    def _refuse_late(self) -> NoReturn:
        # Not every framework passes on what a stream raises.
        self._sessions.watch(Event(Kind.DROPPED, Reason.LATE))
        super()._refuse_late()

    def _read(self) -> Loaded:
        return self._sessions.read(self)

    def reject(self, model: str, problems: str) -> None:
        """Begins anew, for the content is not what the application's model says."""
        handle = self.handle
        self.destroy()
        self._sessions.watch.invalid(model, problems, handle)

    def save(self) -> bool:
        """Keeps now what has been changed since the response began, as in a long stream; the end of it does so too.

        Gives False if the session has been ended meanwhile: it is empty then. Raises
        `UsageError` where there is no store, `StoreError` if that fails.
        """
        try:
            return self._sessions.keep(self)
        except StoreError as error:
            raise self._answerable(error) from None

    def finish(self) -> None:
        """Keeps what was changed since the response began, when all is done. Raises as `save` does."""
        if not self.settled():
            self.save()

    def rescue(self, error: BaseException) -> None:
        """Keeps what was changed, where the request ends by this error. Where it cannot be kept, a note says so."""
        if not self.settled():
            try:
                self.save()
            except CoatcheckError as problem:
                error.add_note(f"What the session was changed to is lost: {problem}")
