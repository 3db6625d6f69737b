"""The dict that a view works with."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, MutableMapping, ValuesView
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from coatcheck.core import codec
from coatcheck.core.confined import Confined
from coatcheck.core.merge import Draft
from coatcheck.core.opaque import LIVE, SECRET_BYTES, Id, Kept, record_key
from coatcheck.core.record import ID_BYTES, Record
from coatcheck.errors import Unserializable, UsageError

_ABSENT = object()
TOO_LATE = (
    "the headers of this response are gone, and a change of the session cannot reach the browser"
    " any more: change it before the response is returned, not while its body is streamed. Only a"
    " session that is kept in a store, and that the browser has already, can be changed later"
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

    def __repr__(self) -> str:
        return f"<Loaded {self.record}>"


class Session(Confined, MutableMapping[str, Any]):
    """A dict that the server keeps for one browser.

    It behaves as a dict in everything a view does. Nothing is decoded before the
    first look. What changed is found by comparing when the response leaves, so a
    change deep inside counts too.

    Its repr shows no content; `dict(session)` does, where that is wanted.
    """

    # What only `_open` sets is not read before: most requests never look.
    __slots__ = (
        "_cleared",
        "_closed",
        "_data",
        "_draft",
        "_ended",
        "_ended_late",
        "_failed",
        "_forced",
        "_id",
        "_kept_as",
        "_loaded",
        "_mutated",
        "_packed",
        "_random",
        "_renewed",
        "_secret",
        "accessed",
    )

    accessed: bool
    """Whether anything looked at the session in this request: the response then depends on the cookie."""

    _loaded: Loaded
    _id: bytes | None
    _secret: bytes
    _draft: Draft | None
    _renewed: bool
    _cleared: bool
    _mutated: bool
    _ended: bool
    _ended_late: bool
    _failed: bool
    _packed: bytes
    _kept_as: Id | None

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._data: dict[str, Any] | None = None
        self._closed = self._forced = self.accessed = False

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

    # Reading

    def _open(self) -> dict[str, Any]:
        self.accessed = True
        self._loaded = loaded = self._load()
        self._mutated = self._ended = self._ended_late = self._failed = self._renewed = self._cleared = False
        self._id = None
        self._secret = b""
        self._draft = None
        self._packed = codec.EMPTY if loaded.record is None else loaded.record.packed
        kept = loaded.kept
        # Where a change is kept that comes when the headers are gone: under an id that the browser has.
        self._kept_as = (
            kept.id
            if kept is not None and loaded.on_server and loaded.home is None and kept.entry.state == LIVE
            else None
        )
        self._data = content = loaded.content
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

    def _change(self) -> dict[str, Any]:
        """Gives the content to a method that changes it."""
        content = self._content()
        if self._closed and self._kept_as is None:
            del content
            raise UsageError(TOO_LATE)
        self._failed = False
        self._mutated = True
        return content

    def __setitem__(self, key: str, value: Any) -> None:
        self._change()[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self._content():
            raise KeyError(key)
        del self._change()[key]

    def pop(self, key: str, default: Any = _ABSENT) -> Any:
        if key in self._content():
            return self._change().pop(key)
        if default is _ABSENT:
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
        """Removes every key. A session that is still empty when the response leaves has ended, as after `destroy`."""
        self._change().clear()
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

        On the server, the old id is dead: requests already under way read the session
        as it was for a few seconds more. A sealed cookie that was copied before stays
        valid until it expires: without a store there is nowhere to remember that it should not.
        """
        self._change()
        if self._closed:
            raise UsageError(TOO_LATE)
        self._id = self._draw()
        self._renewed = self._forced = True

    def destroy(self) -> None:
        """Ends the session: the content is gone and the cookie is deleted. What is set afterwards begins a new one.

        On the server it is gone for every request, whatever others are doing with it.
        A sealed cookie that was copied before stays valid until it expires, as after `regenerate`.
        """
        self._change().clear()
        self._ended = True
        self._ended_late = self._closed
        self._renewed = False
        self._id = None
        self._secret = b""

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

    def settled(self) -> bool:
        """Says whether nothing has changed since the session was committed."""
        if self._data is None:
            return True
        try:
            return codec.pack(self._data) == self._packed and not self._ended_late
        except Unserializable:
            return False

    def _follow(self, packed: bytes) -> None:
        """Takes over what others have kept. A value that is the same stays the object that the application may hold."""
        theirs: Any = codec.unpack(packed)
        data = self._content()
        for key in [key for key in data if key not in theirs]:
            del data[key]
        for key, value in theirs.items():
            if key not in data or codec.pack(data[key]) != codec.pack(value):
                data[key] = value
        self._packed = packed

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
