"""The errors, one small tree:

    CoatcheckError
    ├── UsageError        your program or its configuration is wrong
    ├── SessionTooLarge   the session does not fit where it is to be kept
    ├── Unserializable    a value in the session is of a type that cannot be kept
    ├── InvalidSession    the session is not what the application's model says
    ├── ReauthenticationRequired   the user has to prove again who it is
    ├── TooManySessions   the user is signed in at as many places as are allowed
    ├── CsrfError         a form does not come from a page of this session
    └── StoreError        the store is down, slow or answers nonsense

A token that is not ours is no error: it gives an empty session and an `Event`
(`coatcheck.core.events`). No message, here or below, holds a key, a token or a
value from a session.
"""

from __future__ import annotations

from typing import Self

# A list of the session may hold a thousand mistakes.
_MOST_SPELT = 5


class CoatcheckError(Exception):
    """The root: catches everything that coatcheck raises on purpose."""


class UsageError(CoatcheckError, ValueError):
    """Something cannot be right whatever the visitor sends: a weak key, cookie
    attributes that browsers refuse, a write after the response has left.

    It is a `ValueError` too, because that is what Flask raises for a bad
    `SESSION_COOKIE_SAMESITE`.
    """


class SessionTooLarge(CoatcheckError):
    """The session is larger than its place. Nothing was kept: what the browser
    or the store has stays as it was.

    Attributes:
        size: bytes of cookie name and value together, or of the content of a record.
        limit: the most that browsers keep, 4096 (RFC 6265bis, section 5.6), or the most for a store.
        largest: the largest keys of the session, as (key, bytes), largest first.
        place: "cookie" or "record".
    """

    def __init__(self, size: int, limit: int, largest: tuple[tuple[str, int], ...], place: str = "cookie") -> None:
        self.size = size
        self.limit = limit
        self.largest = largest
        self.place = place
        keys = ", ".join(f"{key} ({count} bytes)" for key, count in largest)
        who = "browsers keep" if place == "cookie" else "a store is given"
        super().__init__(
            f"the session needs a {place} of {size} bytes and {who} at most {limit};"
            f" the largest keys are {keys}. Keep less in the session: an id instead of the thing itself."
        )

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        # Test runners and task queues carry errors from one process to another.
        return type(self), (self.size, self.limit, self.largest, self.place)


class Unserializable(CoatcheckError, TypeError):
    """The session holds a value that would not come back as it is. Nothing was
    sent: the cookie that the browser holds stays as it was.

    Attributes:
        path: where the value is, as Python would write it: `session['cart'][0]['price']`.
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self._problem = problem
        super().__init__(f"{path} {problem}")

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), (self.path, self._problem)


class InvalidSession(CoatcheckError):
    """The session is not what the application's model says, as where an earlier
    version of the program wrote it. It stays as it is. See `coatcheck.typed`.

    Attributes:
        problems: what is wrong, as pairs of where it is, as Python would write it, and the
            name that pydantic has for the mistake: `("session['cart'][0]['price']", "int_parsing")`.
    """

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        self.problems = problems
        super().__init__(f"the session is not what its model says: {spell(problems)}")

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), (self.problems,)


class ReauthenticationRequired(CoatcheckError):
    """`require_fresh` was called, and the user has not signed in lately enough. The session stays as it is.

    Show the page that asks for the password, and call `session.login` again.

    Attributes:
        signed_in: whether somebody is signed in at all.
    """

    def __init__(self, signed_in: bool = False) -> None:
        self.signed_in = signed_in
        super().__init__(
            "the user has signed in too long ago for this, and has to do so again"
            if signed_in
            else "nobody is signed in, and this needs somebody who has just done so"
        )

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), (self.signed_in,)


class TooManySessions(CoatcheckError):
    """The user is signed in at as many places as `max_sessions_per_user` allows, and `over_limit` says "refuse".

    Raised when the response is to leave. Nobody has been signed in or out; the browser's
    cookie stays as it was.

    Attributes:
        limit: how many sessions a user may have.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"the user has {limit} sessions already, and may have no more")

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), (self.limit,)


class CsrfError(CoatcheckError):
    """A request that would change something brings no token of this session (`csrf_token`), or another's.

    Another site may have sent it, or somebody has signed in or out since the page was made.
    """

    def __init__(self) -> None:
        super().__init__("the form does not come from a page of this session")


class StoreError(CoatcheckError):
    """The store could not be asked or did not answer in time.

    Raised where a view first looks at the session, or when the response is to be
    sent. Whether a change was kept is then unknown; nothing else was overwritten.
    """


def spell(problems: tuple[tuple[str, str], ...]) -> str:
    """Gives what is wrong with a session in words: where and what, and never a value."""
    more = len(problems) - _MOST_SPELT
    words = ", ".join(f"{where} ({what})" for where, what in problems[:_MOST_SPELT])
    return f"{words} and {more} more" if more > 0 else words
