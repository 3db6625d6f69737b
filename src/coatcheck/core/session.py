"""What a view works with: a dict, and what a session has beside that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from coatcheck.core import codec
from coatcheck.core.confined import Confined
from coatcheck.core.content import Content
from coatcheck.core.loaded import Loaded
from coatcheck.core.merge import Draft
from coatcheck.core.opaque import LIVE, SECRET_BYTES, Id, record_key
from coatcheck.core.record import ID_BYTES
from coatcheck.core.sign_in import SignIn
from coatcheck.errors import CoatcheckError

if TYPE_CHECKING:
    from coatcheck.core.roster import Signed


class Session(SignIn, Confined, Content):
    """A dict that the server keeps for one browser.

    It behaves as a dict in everything a view does. Nothing is decoded before the
    first look. What changed is found by comparing when the response leaves, so a
    change deep inside counts too.

    Its repr shows no content; `dict(session)` does, where that is wanted.
    """

    # No slots: where a framework wants a dict, the session of its requests is a subclass of both.
    # And every request makes one, which most never look at. So what they all begin with stands in
    # the class, and what only `_open` sets is not read before.

    _forced = False
    _shut = False

    _loaded: Loaded
    _id: bytes | None
    _secret: bytes
    _draft: Draft | None
    _renewed: bool
    _cleared: bool
    _ended: bool
    _ended_late: bool
    """Whether no commit knows of the end yet."""
    _was: tuple[bytes, Id | None]
    """`_packed` and `_kept_as`, before the commit that is under way."""

    _over: Sequence[Signed] = ()
    """Sessions of the user that have to end for this one."""
    _outgrown = False
    """Whether it has a new id for its size alone."""
    _told = False
    """Whether the listeners know who has signed in or out."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random

    def _load(self) -> Loaded:
        """Gives what the request brought. Each integration has a subclass that knows its requests."""
        raise NotImplementedError

    def __repr__(self) -> str:
        if self._data is None:
            return "<Session, not looked at>"
        return f"<Session with {len(self._data)} keys>"

    _sent_always = False
    """Whether a permanent session is sent with every response, looked at or not."""

    @property
    def _permanent_by_default(self) -> bool:
        """Whether a session is permanent that the application has said nothing of."""
        return False

    _wanted_empty = False
    """Whether the application wants it kept though nothing is in it."""

    def _client(self) -> tuple[str, str]:
        """Gives the address and the user agent of the request, where they are known."""
        return "", ""

    def _bound(self) -> bytes:
        """Gives what the setting `bind` makes of the client, hashed; empty without one."""
        return b""

    def _tell_elsewhere(self) -> None:
        """Has the listeners know that the session is used from elsewhere."""

    def _last_instant(self) -> int:
        """Gives the last instant of the list of revocations. Raises `StoreError`."""
        return 0

    def _lasts(self, lifetime: int, now: int) -> int:  # noqa: ARG002  # for a framework that lets a session have its own
        """Gives for how many seconds a browser is to keep the cookie of a permanent session."""
        return lifetime

    def _open(self) -> dict[str, Any]:
        self.accessed = True
        self._loaded = loaded = self._load()
        self._mutated = self._ended = self._ended_late = self._gone = self._failed = False
        self._renewed = self._cleared = self._signing = self._signed_out = self._clears = False
        self._facts = facts = loaded.facts
        self._id = None
        self._secret = b""
        self._draft = None
        self._packed = codec.EMPTY if loaded.record is None else loaded.record.packed
        kept = loaded.kept
        # Where a change is kept that comes when the headers are gone: under an id that the browser has.
        self._kept_as = (
            kept.id
            if kept is not None
            and loaded.on_server
            and loaded.home is None
            and kept.entry.state == LIVE
            and not self._shut
            else None
        )
        self._data = content = loaded.content
        if facts is not None and facts.client and self.elsewhere:
            self._tell_elsewhere()
        return content

    def clear(self) -> None:
        """Removes every key. A session that is still empty when the response leaves has ended, as after `destroy`.

        Whoever is signed in is signed out, as by `logout`.
        """
        if self.user_id is not None:
            self.logout()
        self._change().clear()
        self._parts = None
        self._cleared = True

    # What a session has beside a dict

    @property
    def new(self) -> bool:
        """Whether the request brought no session that is still valid."""
        self._content()
        return self._ended or self._loaded.record is None

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser. It is the key `_permanent` of the dict, as in Flask.

        Where the application has said neither, the setting `permanent` counts.
        """
        return bool(self._content().get("_permanent", self._permanent_by_default))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)

    @property
    def modified(self) -> bool:
        """Whether a method of the dict was called that changes it.

        Set it to True to have the cookie sent regardless. It is no condition: a
        change is found by comparing, whether this says so or not.
        """
        return self._forced or (self._data is not None and self._mutated)

    @modified.setter
    def modified(self, value: bool) -> None:
        if value and self._closed:
            self._change()
        self._forced = value

    @property
    def created_at(self) -> datetime:
        """When the session began, in UTC; now for a new one."""
        self._content()
        record = None if self._ended else self._loaded.record
        return datetime.fromtimestamp(self._loaded.now if record is None else record.created_at, UTC)

    @property
    def handle(self) -> str:
        """A name for this session: safe to log and to show, and useless as a cookie.

        32 hexadecimal digits, or 64 for a session on the server: the key of its record.
        """
        return self._identity().hex()

    def _is_empty(self) -> bool:
        """Says whether there is nothing to keep."""
        return not self._data and not self._wanted_empty and (self._facts is None or self._facts.user_id is None)

    def _is_over(self) -> bool:
        """Says whether it was cleared, and nothing has been set since."""
        return self._cleared and self._is_empty()

    def _began_at(self) -> int:
        """Says from when on the absolute lifetime is counted."""
        facts = self._facts
        if facts is not None and facts.user_id is not None:
            return facts.authenticated_at
        return int(self.created_at.timestamp())

    def _identity(self) -> bytes:
        self._content()
        if self._id is None:
            record = None if self._ended else self._loaded.record
            self._id = self._draw() if record is None else record.id
        return self._id

    def _drawn(self) -> bytes:
        """Gives the secret of this session's new id on the server."""
        self._identity()
        return self._secret

    def _draw(self) -> bytes:
        if not self._loaded.on_server:
            return self._random(ID_BYTES)
        self._secret = self._random(SECRET_BYTES)
        return record_key(self._secret)

    def regenerate(self) -> None:
        """Gives the session a new id and keeps its content. Do this when somebody signs in (ASVS 7.2.4).

        The old id is dead: requests already under way read the session as it was for a few
        seconds more. Whoever comes with it later has a copy of the cookie, and ends the
        session for all. Without a store and without `revocations`, a sealed cookie that was
        copied before stays valid until it expires: there is nowhere to remember that it should not.
        """
        self._change_id()
        self._renew()

    def _change_id(self) -> dict[str, Any]:
        """As `_change`, for what the browser has to be told."""
        content = self._change()
        if self._closed:
            del content
            self._refuse_late()
        return content

    def _renew(self) -> None:
        self._id = self._draw()
        self._renewed = self._forced = True
        # Whatever it was before: the old id is to die now.
        self._outgrown = False

    def _renew_for_user(self) -> None:
        if self._loaded.on_login:
            self._move_to_server()
        self._renew()

    def _move_to_server(self) -> None:
        """Has a guest's session, which was sealed in its cookie, get an id on the server."""
        self._loaded = self._loaded._replace(on_server=True)
        self._id = self._draw()

    def _now(self) -> int:
        self._content()
        return self._loaded.now

    def destroy(self) -> None:
        """Ends the session: the content is gone and the cookie is deleted. What is set afterwards begins a new one.

        It is gone for every request, whatever others are doing with it. Without a store and
        without `revocations`, a sealed cookie that was copied before stays valid until it
        expires, as after `regenerate`.
        """
        self._change().clear()
        # What was changed there before would begin a session that nobody is signed out of.
        self._parts = None
        self._ended = True
        self._ended_late = True
        # Who has only just signed in, by this request, signs out of nothing.
        before = self._loaded.facts
        self._signed_out |= before is not None and before.user_id is not None
        self._renewed = self._signing = False
        self._facts = None
        self._id = None
        self._secret = b""
        if self._loaded.on_login:
            self._loaded = self._loaded._replace(on_server=False)

    # For the engine and the integrations

    def reopen(self) -> None:
        """Lets the session be changed and committed again, where another response takes the place of the first."""
        self._closed = False
        # Asking a framework for the session may count as a look; only a load is one.
        self.accessed: bool = self._data is not None

    def pass_by(self) -> bool:
        """Closes a session that nobody has looked at. Gives False where there is something to commit."""
        if self._data is None and not self._forced and not self._sent_always:
            self._closed = True
            return True
        return False

    def shut(self) -> None:
        """Lets nothing be changed any more: what answers now, as a framework's own error page, keeps no session."""
        self._closed = self._shut = True
        self._kept_as = None

    def settled(self) -> bool:
        """Says whether nothing has changed since the session was committed, or since the error that came of it."""
        if self._data is None or self._failed:
            return True
        try:
            if self._parts:
                self.gather()
            return codec.pack(self._data) == self._packed and not self._ended_late
        except CoatcheckError:
            # The next save says so.
            return False

    @property
    def too_late(self) -> bool:
        """Whether a change can be kept no more."""
        self._content()
        return self._closed and self._kept_as is None
