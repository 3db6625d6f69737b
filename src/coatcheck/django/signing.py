"""What Django's `login`, `logout` and a change of the password mean for a session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, get_user_model
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import PermissionDenied

from coatcheck.core.engine import Decision
from coatcheck.django.configuration import configuration
from coatcheck.django.keeping import KeptSession
from coatcheck.errors import TooManySessions


class _SessionsForbidden(TooManySessions, PermissionDenied):
    """Is answered with 403 where Django's own middleware keeps the session."""


class SigningSession(KeptSession):
    """A session that is somebody's as Django's own says, with no line in the application."""

    client: tuple[str, str] = ("", "")
    """The address and the user agent of the request."""
    _former_hash: str | None = None
    """What the session said of the password before this request changed it."""

    def _client(self) -> tuple[str, str]:
        return self.client

    def __setitem__(self, key: str, value: Any) -> None:
        if key == HASH_SESSION_KEY and self.user_id is not None and not self._signing:
            former = self.get(key)
            if former is not None and former != value:
                self._former_hash = former
        super().__setitem__(key, value)

    # A new password ends what the user has elsewhere: Django's own check would do so one by one, as each is used.

    def _write(self) -> None:
        try:
            super()._write()
        except TooManySessions as error:
            raise _SessionsForbidden(error.limit) from None
        self._end_others()

    async def _awrite(self) -> None:
        try:
            await super()._awrite()
        except TooManySessions as error:
            raise _SessionsForbidden(error.limit) from None
        await self._aend_others()

    def conclude(self, *, host: str, streamed: bool) -> Decision:
        decision = super().conclude(host=host, streamed=streamed)
        self._end_others()
        return decision

    async def aconclude(self, *, host: str, streamed: bool) -> Decision:
        decision = await super().aconclude(host=host, streamed=streamed)
        await self._aend_others()
        return decision

    def _end_others(self) -> None:
        former, self._former_hash = self._former_hash, None
        sessions, user_id = configuration.sessions(), self.user_id if former is not None else None
        if former is not None and user_id is not None and sessions.remembers and _is_new_password(user_id, former):
            sessions.revoke_user(user_id, keep=self)

    async def _aend_others(self) -> None:
        former, self._former_hash = self._former_hash, None
        sessions, user_id = await configuration.here(), self.user_id if former is not None else None
        known = former is not None and user_id is not None and sessions.remembers
        if known and await sync_to_async(_is_new_password)(user_id, former):
            await sessions.revoke_user(user_id, keep=self)  # type: ignore[arg-type]  # as known


def _is_new_password(user_id: object, former: object) -> bool:
    """Says whether a session was told of another password, and not of another secret key."""
    user = get_user_model()._default_manager.filter(pk=user_id).first()  # noqa: SLF001  # as Django's own back ends
    hashes: Iterable[str] = getattr(user, "get_session_auth_fallback_hash", tuple)()
    return former not in set(hashes)


def _sign_in(request: Any, user: Any, **_: object) -> None:
    session = getattr(request, "session", None)
    if isinstance(session, SigningSession):
        session.client = client_of(request)
        session.login(user._meta.pk.value_to_string(user))  # noqa: SLF001  # as Django's own session has it


def client_of(request: Any) -> tuple[str, str]:
    """Gives the address and the user agent of a request, as Django knows them."""
    return request.META.get("REMOTE_ADDR") or "", request.META.get("HTTP_USER_AGENT") or ""


user_logged_in.connect(_sign_in)
