"""How long a session of Django's lives."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from coatcheck.async_sessions import AsyncSession
from coatcheck.errors import UsageError

_EXPIRY = "_session_expiry"


class ExpiringSession(AsyncSession, SessionBase):  # type: ignore[misc]  # Django has no types, and both say what a dict has
    """A session that may have an end of its own, by `set_expiry`."""

    def __bool__(self) -> bool:
        # Django 6.1 has one that is no look at the session.
        return bool(self._content())

    def _left(self, content: dict[str, Any], since: float, now: float) -> float:
        """Gives for how many seconds a session that was last used then has to live."""
        expiry = content.get(_EXPIRY)
        if isinstance(expiry, str):
            try:
                return datetime.fromisoformat(expiry).timestamp() - now
            except ValueError:
                expiry = None
        age = expiry if isinstance(expiry, (int, float)) and expiry else self.get_session_cookie_age()
        return since + age - now

    def _lasts(self, lifetime: int, now: int) -> int:
        return max(0, min(lifetime, int(self._left(self._content(), now, now))))

    @property
    def _permanent_by_default(self) -> bool:
        return not settings.SESSION_EXPIRE_AT_BROWSER_CLOSE

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser: what `set_expiry` says, or the key `_permanent`, or the settings."""
        expiry = self.get(_EXPIRY)
        return bool(self.get("_permanent", self._permanent_by_default) if expiry is None else expiry != 0)

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)

    def get_expire_at_browser_close(self) -> bool:
        """Says whether the cookie ends with the browser."""
        return not self.permanent

    def set_expiry(self, value: float | datetime | timedelta | None) -> None:
        """Gives this session an end of its own, as in Django.

        Raises `UsageError` for more than `PERMANENT_SESSION_LIFETIME`, the longest that any session lives.
        """
        longest = self._sessions.settings.permanent_lifetime
        age: Any = value - timezone.now() if isinstance(value, datetime) else value
        age = age.total_seconds() if isinstance(age, timedelta) else age
        if age and age > longest.total_seconds():
            raise UsageError(
                f"no session lives longer than {longest}: set PERMANENT_SESSION_LIFETIME to the longest that"
                " set_expiry() may ask for. SESSION_COOKIE_AGE stays what the others get"
            )
        super().set_expiry(cast(Any, value))
