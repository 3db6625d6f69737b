"""What happened to a session, for whoever watches: never a key, a token or content."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What happened."""

    CREATED = "created"
    CHANGED = "changed"
    REFRESHED = "refreshed"
    RESEALED = "resealed"
    REGENERATED = "regenerated"
    MERGED = "merged"
    """Kept together with what another request had kept meanwhile."""
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    """By its own browser. The reason says where copies of its cookie stay valid."""
    REVOKED = "revoked"
    """Ended by somebody else: its user from another browser, or the application."""
    REUSED = "reused"
    """An id that had been replaced came back: somebody has a copy of the cookie. The whole family was ended."""
    ELSEWHERE = "elsewhere"
    """Used from elsewhere than where its user signed in, as `bind` sees it. The request goes on."""
    DESTROYED = "destroyed"
    DROPPED = "dropped"
    """A change that was not kept; the reason says why."""
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why a cookie gave no session, or a change was not kept."""

    TOO_LONG = "too_long"
    """Longer than a browser keeps; it was not decoded."""
    MALFORMED = "malformed"
    """Not base64url in its one spelling, or too short for a token."""
    UNKNOWN_KIND = "unknown_kind"
    """The first byte is of no kind that is read here."""
    UNKNOWN_KEY = "unknown_key"
    """Sealed with a key that is not in the ring. The likely cause: workers with different keys."""
    KEY_EXPIRED = "key_expired"
    """Sealed with a fallback whose time is over."""
    FORGED = "forged"
    """The tag does not fit: changed, or sealed for another cookie name, audience or kind."""
    UNREADABLE = "unreadable"
    """Sealed with our key, and yet nothing that this version writes."""
    EXPIRED = "expired"
    """Not seen for longer than the lifetime."""
    TOO_OLD = "too_old"
    """Older than the absolute lifetime."""
    FROM_THE_FUTURE = "from_the_future"
    """Sealed more than a minute ahead of this machine's clock."""
    AMBIGUOUS = "ambiguous"
    """Two different sessions came under the one name; neither is taken."""
    UNKNOWN_ID = "unknown_id"
    """No store has such a session: it has expired, or was never made here."""
    INVALID = "invalid"
    """The content is not what the application's model says, and the session was begun anew."""
    ENDED = "ended"
    """The session was destroyed, or its id was replaced."""
    REVOKED = "revoked"
    """The session was ended from elsewhere: by its user, or by the application."""
    REUSED = "reused"
    """The id was replaced, and its grace is over. Its browser has another, so this is a copy of its cookie."""
    UNREVOKED = "unrevoked"
    """The session was ended in this browser only: without a store or `revocations`, copies of its cookie stay valid."""
    LATE = "late"
    """The headers of the response were gone, and the browser could not be told."""
    STORE_DOWN = "store_down"
    """The store could not be asked, and the settings have the request go on without a session."""


class Event(NamedTuple):
    """One thing that happened. A named tuple, for the same reason as `Record`.

    Attributes:
        kind: what.
        reason: why, for `Kind.REJECTED` and `Kind.DROPPED`.
        handle: which session, where it is known; safe to log.
    """

    kind: Kind
    reason: Reason | None = None
    handle: str | None = None


class Rejected(Exception):
    """A token is not ours. Stays inside the core, where it becomes an event."""

    def __init__(self, reason: Reason, family: bytes = b"", handle: str | None = None) -> None:
        self.reason = reason
        self.family = family
        """What is to be ended, for one of its members was a copy."""
        self.handle = handle
        """That member."""
        super().__init__(reason.value)
