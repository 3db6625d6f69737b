"""The half of a session that is a dict: what a view reads, what it changes, and what of that is new."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, MutableMapping, ValuesView
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, Self

from coatcheck.core import codec
from coatcheck.core.merge import ABSENT, same
from coatcheck.core.opaque import Id
from coatcheck.errors import Unserializable, UsageError

TOO_LATE = (
    "the headers of this response are gone, and a change of the session cannot reach the browser"
    " any more: change it before the response is returned, not while its body is streamed. Only a"
    " session that is kept in a store, and that the browser has already, can be changed later"
)


class Part(Protocol):
    """What an application works with in the place of some keys, such as a model of its own."""

    def write(self, content: dict[str, Any]) -> bool:
        """Puts into the content of the session what was changed here. Gives False if nothing was.

        Raises `CoatcheckError` for what cannot be kept; the content is then as before.
        """
        ...  # pyright takes a method without it for one that gives None


class Content(MutableMapping[str, Any]):
    """A dict that is filled at the first look. `Session` is one."""

    _data: dict[str, Any] | None = None
    _closed = False
    accessed: bool = False
    """Whether anything looked at the session in this request: the response then depends on the cookie."""

    _parts: dict[object, Part] | None = None
    """What is written into the content before this is packed."""

    _mutated: bool
    _failed: bool
    _gone: bool
    """Whether others have ended it, and a change went nowhere."""
    _packed: bytes
    """The content as it is kept, as far as this request knows; packed."""
    _kept_as: Id | None
    """Where a change is kept that comes when the headers are gone."""

    if TYPE_CHECKING:

        def _open(self) -> dict[str, Any]: ...

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
        if isinstance(other, Content):
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

    # For the engine and the integrations

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
