"""What a session knows of its user: the half of `Session` that is about signing in."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from coatcheck.core.events import Rejected
from coatcheck.core.facts import CLIENT_BYTES, FAMILY_BYTES, Facts, UserId, check_user_id
from coatcheck.core.text import decode, encode
from coatcheck.errors import CsrfError, ReauthenticationRequired, UsageError

if TYPE_CHECKING:
    from coatcheck.core.loaded import Loaded

_CSRF_KEY = "_csrf"
_CSRF_BYTES = 32


class SignIn:
    """A session that may be somebody's. `Session` is one."""

    _random: Callable[[int], bytes]
    _loaded: Loaded
    _facts: Facts | None
    _signing: bool
    """Whether somebody signs in with this request."""
    _signed_out: bool
    """Whether somebody signs out with it."""
    _clears: bool
    """Whether the browser is to clear what it has of the site."""

    if TYPE_CHECKING:

        def _content(self) -> dict[str, Any]: ...
        def _change(self) -> dict[str, Any]: ...
        def _change_id(self) -> dict[str, Any]: ...
        def _renew_for_user(self) -> None: ...
        def destroy(self) -> None: ...
        def _now(self) -> int: ...
        def _last_instant(self) -> int: ...
        def _bound(self) -> bytes: ...

    @property
    def user_id(self) -> UserId | None:
        """Who is signed in, as given to `login`; None for a guest."""
        self._content()
        return None if self._facts is None else self._facts.user_id

    @property
    def authenticated_at(self) -> datetime | None:
        """When `login` was called, in UTC; None for a guest."""
        if self.user_id is None or self._facts is None:
            return None
        return datetime.fromtimestamp(self._facts.authenticated_at, UTC)

    @property
    def elsewhere(self) -> bool:
        """Whether the request comes from elsewhere than the `login`, as the setting `bind` sees it; False without one.

        The session goes on: an address changes with the train, and a user agent with an
        update. Have the user sign in again before what is sensitive, if you like.
        """
        self._content()
        bound = b"" if self._facts is None else self._facts.client
        return bool(bound) and self._bound() not in (bound, b"")

    def login(self, user_id: UserId, *, keep: Iterable[str] = ()) -> None:
        """Signs a user in: the session gets a new id, and the old one is dead at once (ASVS 7.2.4).

        Call it where a password, or whatever proves it, has just been checked; again when it is
        checked again. What a guest has in the session stays. What another user has is dropped.

        Args:
            user_id: text, a number or a UUID. 7 and "7" are the same user.
            keep: keys that stay though another user was signed in.

        Raises `UsageError` for what is no user id, and when the headers of the response are
        gone; `StoreError` where it cannot be read what has been ended up to now. With
        `max_sessions_per_user`, `TooManySessions` may be raised when the response leaves.
        """
        user_id, keep = check_user_id(user_id), _names(keep)
        self._change_id()
        # Now, and not when the response leaves: whatever proved who it is may have been revoked meanwhile.
        seen = self._last_instant()
        if self.user_id is not None and str(self.user_id) != str(user_id):
            self.logout(keep=keep)
        # Whoever has planted the session knows its token too.
        self._content().pop(_CSRF_KEY, None)
        self._renew_for_user()
        now = self._now()
        self._facts = Facts(seen, self._random(FAMILY_BYTES), now, now, now, user_id, self._bound())
        self._signing = True

    def logout(self, *, keep: Iterable[str] = (), clear_site_data: bool = False) -> None:
        """Signs the user out and ends the session: its content is gone, the cookie deleted, copies of it are dead.

        What is set afterwards begins a new session. Without a store and without `revocations`
        a copy of the cookie stays valid until it expires, and the log says so.

        Args:
            keep: keys that begin the new session.
            clear_site_data: whether the browser is told to forget the pages it has of this site, and what
                scripts have stored there (`Clear-Site-Data`, ASVS 14.3.1). Browsers do so over https
                only, and take a moment for it.

        Raises `UsageError` when the headers of the response are gone.
        """
        names, content = _names(keep), self._change()
        kept = {key: content[key] for key in names if key in content and key != _CSRF_KEY}
        self.destroy()
        self._clears |= clear_site_data
        self._content().update(kept)

    def require_fresh(self, age: timedelta) -> None:
        """Does nothing if the user has signed in within this time (ASVS 7.5.1).

        Raises `ReauthenticationRequired` if not, or if nobody is signed in: ask for the
        password, call `login` again, and let the user go on.
        """
        if not isinstance(age, timedelta) or age < timedelta(0):
            raise UsageError("require_fresh takes a timedelta that is not negative")
        signed_in = self.authenticated_at
        if signed_in is None or self._now() - signed_in.timestamp() > age.total_seconds():
            raise ReauthenticationRequired(signed_in is not None)

    # Requests that other sites send (ASVS 3.5.1)

    def csrf_token(self) -> str:
        """Gives a text for a hidden field of a form, which `check_csrf` takes from this session alone.

        It differs at each call, for compressed pages show what repeats, and all of them are
        good as long as the session lasts and nobody signs in or out. It begins a session
        where there is none.
        """
        secret = self._csrf_secret()
        if secret is None:
            secret = self._random(_CSRF_BYTES)
            self._change_id()[_CSRF_KEY] = encode(secret)
        mask = self._random(_CSRF_BYTES)
        return encode(mask + _mix(mask, secret))

    def check_csrf(self, token: str | None) -> None:
        """Does nothing for a text that `csrf_token` gave in this session. Raises `CsrfError` for all others."""
        secret, given = self._csrf_secret(), _read(token, 2 * _CSRF_BYTES)
        if (
            secret is None
            or given is None
            or not hmac.compare_digest(_mix(given[:_CSRF_BYTES], given[_CSRF_BYTES:]), secret)
        ):
            raise CsrfError

    def _csrf_secret(self) -> bytes | None:
        return _read(self._content().get(_CSRF_KEY), _CSRF_BYTES)


def hash_client(text: str) -> bytes:
    """Gives 8 bytes that stand for what `bind` gives, however long that is. They are sealed with everything else."""
    return hmac.digest(b"coatcheck client", text.encode(errors="surrogatepass"), "sha256")[:CLIENT_BYTES]


def _names(keep: Iterable[str]) -> tuple[str, ...]:
    """Gives keys that are to stay. A text would be taken letter by letter, and nothing would stay."""
    if isinstance(keep, str):
        raise UsageError("keep= takes several keys, such as ['theme']")
    return tuple(keep)


def _mix(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _read(text: object, length: int) -> bytes | None:
    if not isinstance(text, str) or not 0 < len(text) <= 2 * length:
        return None
    try:
        raw = decode(text)
    except Rejected:
        return None
    return raw if len(raw) == length else None
