"""The dict that a view works with."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, MutableMapping, Sequence, ValuesView
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol, Self

from coatcheck.core import codec
from coatcheck.core.confined import Confined
from coatcheck.core.facts import Facts
from coatcheck.core.merge import ABSENT, Draft, same
from coatcheck.core.opaque import LIVE, SECRET_BYTES, Id, Kept, record_key
from coatcheck.core.record import ID_BYTES, Record
from coatcheck.core.sign_in import SignIn
from coatcheck.errors import CoatcheckError, Unserializable, UsageError

if TYPE_CHECKING:
    from coatcheck.core.roster import Signed

TOO_LATE = (
    "the headers of this response are gone, and a change of the session cannot reach the browser"
    " any more: change it before the response is returned, not while its body is streamed. Only a"
    " session that is kept in a store, and that the browser has already, can be changed later"
)
TOO_EARLY = (
    "this cannot be saved by itself: the browser gets the id of a new session, and a session that is sealed in its"
    " cookie, with the headers of a response. They keep what was changed before. Where no headers are sent at all,"
    " as when a websocket is refused, it is lost"
)


class Loaded(NamedTuple):
    """What a request brought. A named tuple, for the same reason as `Record`."""

    content: dict[str, Any]
    record: Record | None
    """What the content was read from; None for a new session."""
    reseal: bool
    """Whether an earlier key or an earlier cookie name had sealed it."""
    present: tuple[str, ...]
    """The names of ours that the request had cookies for, good or bad."""
    now: int
    kept: Kept | None = None
    """Where on the server it was."""
    home: Id | None = None
    """The id on the server that a session from elsewhere is to have; None for one that has it, or is to have none."""
    on_server: bool = False
    """Whether a new session gets an id on the server."""
    down: bool = False
    """Whether the store could not say what there is: then nothing is kept either."""
    facts: Facts | None = None
    """What is known of it beside its content."""
    on_login: bool = False
    """Whether the session gets an id on the server when somebody signs in, and only then."""
    replaced: bool = False
    """Whether it came sealed under an id that has been replaced: it can be read, and changed no more."""
    reused: bytes = b""
    """The family to be ended, for one of its members came back that had been replaced."""
    handle: str | None = None
    """Of that member."""

    def __repr__(self) -> str:
        return f"<Loaded {self.record}>"


class Part(Protocol):
    """What an application works with in the place of some keys, such as a model of its own."""

    def write(self, content: dict[str, Any]) -> bool:
        """Puts into the content of the session what was changed here. Gives False if nothing was.

        Raises `CoatcheckError` for what cannot be kept; the content is then as before.
        """
        ...  # pyright takes a method without it for one that gives None


class Session(SignIn, Confined, MutableMapping[str, Any]):
    """A dict that the server keeps for one browser.

    It behaves as a dict in everything a view does. Nothing is decoded before the
    first look. What changed is found by comparing when the response leaves, so a
    change deep inside counts too.

    Its repr shows no content; `dict(session)` does, where that is wanted.
    """

    # No slots: where a framework wants a dict, the session of its requests is a subclass of both.
    # And every request makes one, which most never look at. So what they all begin with stands in
    # the class, and what only `_open` sets is not read before.

    _data: dict[str, Any] | None = None
    _closed = False
    _forced = False
    _shut = False

    accessed: bool = False
    """Whether anything looked at the session in this request: the response then depends on the cookie."""

    _parts: dict[object, Part] | None = None
    """What is written into the content before this is packed."""

    _loaded: Loaded
    _id: bytes | None
    _secret: bytes
    _draft: Draft | None
    _renewed: bool
    _cleared: bool
    _mutated: bool
    _ended: bool
    _ended_late: bool
    """Whether no commit knows of the end yet."""
    _gone: bool
    """Whether others have ended it, and a change went nowhere."""
    _failed: bool
    _packed: bytes
    """The content as it is kept, as far as this request knows; packed."""
    _kept_as: Id | None
    """Where a change is kept that comes when the headers are gone."""
    _was: tuple[bytes, Id | None]
    """These two, before the commit that is under way."""

    _over: Sequence[Signed] = ()
    """Sessions of the user that have to end for this one."""
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

    # Reading

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

    def _content(self) -> dict[str, Any]:
        data = self._data
        return self._open() if data is None else data

    # No method keeps the content in a variable where it may raise: an error
    # reporter shows the variables of every frame.

    def __getitem__(self, key: str) -> Any:
        return (self._open() if self._data is None else self._data)[key]

    def get(self, key: str, default: Any = None) -> Any:
        return (self._open() if self._data is None else self._data).get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._content()

    def __iter__(self) -> Iterator[str]:
        return iter(self._content())

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._content())

    def __len__(self) -> int:
        return len(self._content())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Session):
            return self._content() == other._content()
        return self._content() == other

    __hash__ = None  # type: ignore[assignment]

    def keys(self) -> KeysView[str]:
        return self._content().keys()

    def values(self) -> ValuesView[Any]:
        return self._content().values()

    def items(self) -> ItemsView[str, Any]:
        return self._content().items()

    def copy(self) -> dict[str, Any]:
        """Gives the content as a plain dict."""
        return self._content().copy()

    def __copy__(self) -> dict[str, Any]:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return deepcopy(self._content(), memo)

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self._content() | dict(other) if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return dict(other) | self._content() if isinstance(other, Mapping) else NotImplemented

    # Writing

    def _refuse_late(self) -> NoReturn:
        raise UsageError(TOO_LATE)

    def _change(self) -> dict[str, Any]:
        """Gives the content to a method that changes it."""
        content = self._content()
        if self._closed and self._kept_as is None:
            del content
            self._refuse_late()
        self._failed = False
        self._mutated = True
        return content

    def __setitem__(self, key: str, value: Any) -> None:
        self._change()[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self._content():
            raise KeyError(key)
        del self._change()[key]

    def pop(self, key: str, default: Any = ABSENT) -> Any:
        if key in self._content():
            return self._change().pop(key)
        if default is ABSENT:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[str, Any]:
        if not self._content():
            raise KeyError("popitem(): session is empty")
        return self._change().popitem()

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key in self._content():
            return self[key]
        return self._change().setdefault(key, default)

    def update(self, /, *others: Any, **items: Any) -> None:
        self._change().update(*others, **items)

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc]  # as dict's
        self.update(other)
        return self

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
        self.accessed = self._data is not None

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

    def parts(self) -> dict[object, Part]:
        """Gives what stands for some keys of this session, each under its owner, to look there and to add.

        A session that is cleared, or has ended, forgets its parts.
        """
        self._content()
        if self._parts is None:
            self._parts = {}
        return self._parts

    def gather(self) -> None:
        """Writes into the content what its parts have changed."""
        for part in self.parts().values():
            self._mutated |= part.write(self._content())

    def _follow(self, sent: bytes, kept: bytes) -> None:
        """Takes over what others have kept beside what was sent.

        A value that is the same stays the object that the application may hold. What another
        task has changed since it was sent stays too: the next save puts that on top.
        """
        mine: Any = codec.unpack(sent)
        theirs: Any = codec.unpack(kept)
        data = self._content()
        for key in {**mine, **theirs}:
            if same(mine.get(key, ABSENT), theirs.get(key, ABSENT)) or not self._has(key, mine.get(key, ABSENT)):
                continue
            if key in theirs:
                data[key] = theirs[key]
            else:
                data.pop(key, None)
        self._packed = kept

    def _lose(self) -> None:
        """Forgets the content, for others have ended the session."""
        self._content().clear()
        self._parts = None
        self._kept_as, self._packed, self._gone = None, codec.EMPTY, True

    def _has(self, key: str, value: Any) -> bool:
        try:
            return same(self._content().get(key, ABSENT), value)
        except Unserializable:
            # The next save says so.
            return False

    def _pack(self) -> None:
        try:
            self._packed = codec.pack(self._data)
            return
        except Unserializable as error:
            problem = error
        # Without the frames below and what they were raised from: their variables
        # hold content, which an error reporter would send along.
        problem.__context__ = None
        raise problem.with_traceback(None)
