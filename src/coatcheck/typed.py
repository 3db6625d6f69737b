"""The session as a model of the application's own: a dataclass, a pydantic model, or a `TypedDict`.

from coatcheck.typed import TypedSession

visitor = TypedSession(Visitor)

me = visitor.of(session)                                      # in a view, whatever the framework
me: Annotated[Visitor, Depends(visitor.dependency)]           # in FastAPI
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, MutableMapping
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar, cast

try:
    from coatcheck.model import Model, Problems
except ImportError as _error:
    raise ImportError("coatcheck.typed needs pydantic: pip install 'coatcheck[typed]'") from _error

from coatcheck.core.codec import pack, unpack
from coatcheck.core.confined import Confined
from coatcheck.core.merge import ABSENT, same
from coatcheck.errors import CoatcheckError, InvalidSession, UsageError, spell
from coatcheck.request_session import RequestSession

__all__ = ["TypedSession"]

T = TypeVar("T")


class TypedSession(Generic[T]):
    """Gives sessions as a model, validated by pydantic at the first look.

    The fields of the model are keys of the session. All other keys are left alone, those of
    extensions too. What a view changes in the model, deep inside too, is kept with the session.

    Args:
        model: a dataclass, a pydantic model or a `TypedDict`.
        invalid: what a session comes to that is not what the model says: "error" raises
            `InvalidSession`; "empty" ends it, with all its keys, and begins a new one.
        upgrade: changes a content that earlier versions of the program wrote into one that this
            version reads, in place: a plain dict of all keys. It is called before the first look in
            each request, so it must do nothing to what is right. A `ValueError` says that it cannot.

    Raises `UsageError` for a model that cannot stand for a session.
    """

    def __init__(
        self,
        model: type[T],
        *,
        invalid: Literal["error", "empty"] = "error",
        upgrade: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        if invalid not in ("error", "empty"):
            raise UsageError(f"invalid must be 'error' or 'empty', not {invalid!r}")
        self._kind = model
        self.model: Model[T] = Model(model)
        self._starts_anew = invalid == "empty"
        self._upgrade = upgrade
        if self._starts_anew:
            problems = self.model.read({})[1]
            if problems:
                raise UsageError(f"invalid='empty' needs a {self.model.name} of an empty session: {spell(problems)}")

    def __repr__(self) -> str:
        return f"TypedSession({self.model.name})"

    def of(self, session: MutableMapping[str, Any]) -> T:
        """Gives the model of a session: in one request, and until the session is cleared, the same each time.

        What was changed in the session beside the model is in the model afterwards, and the reverse;
        of a field that was changed in both, the model's value counts. The model of a `TypedDict` is the
        session itself.

        Raises `InvalidSession`, `Unserializable` for what a session cannot keep, and `StoreError`.
        """
        if not isinstance(session, RequestSession):
            raise UsageError(
                f"a session of coatcheck is needed, and this is a {session.__class__.__name__}: is it set up?"
            )
        # Outside of what follows: the cause of a StoreError is its own.
        parts = session.parts()
        try:
            part = cast("_Part[T] | None", parts.get(self))
            if part is None:
                part = self._begin(session)
            else:
                part.look(session)
        except CoatcheckError as error:
            # An error reporter shows the variables of the frames below, and these hold content.
            error.__context__ = None
            raise error.with_traceback(None) from None
        return cast(T, session) if self.model.is_view else part.instance

    @cached_property
    def dependency(self) -> Callable[[Any], Coroutine[Any, Any, T]]:
        """The same for `Depends` of FastAPI: for requests and for websockets."""
        # Who asks for this has it.
        from starlette.requests import HTTPConnection  # noqa: PLC0415

        async def dependency(connection: HTTPConnection) -> T:
            return self.of(connection.session)

        # Others than the text above, which nobody could look up outside of this function.
        dependency.__annotations__ = {"connection": HTTPConnection, "return": self._kind}
        return dependency

    def _begin(self, session: RequestSession) -> _Part[T]:
        content, changed, problem = self._upgraded(session)
        model, problems = (None, problem) if problem else self.model.read(content)
        if problems:
            if not self._starts_anew or session.too_late:
                raise InvalidSession(problems)
            session.reject(self.model.name, spell(problems))
            model, problems = self.model.read({})
            if problems:
                # There is a default that is not always right.
                raise InvalidSession(problems)
        elif changed and (self.model.is_view or not session.too_late):
            _replace(session, content)
        part = _Part(self.model, cast(T, model), session)
        session.parts()[self] = part
        return part

    def _upgraded(self, session: RequestSession) -> tuple[dict[str, Any], bool, Problems]:
        """Gives a content that this version reads, whether that is another than the session has, and what failed."""
        if self._upgrade is None or not session:
            return dict(session.items()), False, ()
        packed = pack(session.copy())
        # A copy to its depths: what comes of it is kept as a whole, or not at all.
        content = cast(dict[str, Any], unpack(packed))
        try:
            result = cast(Any, self._upgrade)(content)
        except ValueError:
            return {}, False, (("session", "upgrade"),)
        if result is not None:
            raise UsageError("upgrade changes the dict that it is given, and returns nothing")
        return content, pack(content) != packed, ()


class _Part(Confined, Generic[T]):
    """An instance of the model for one session. It does not know that: a circle would outlive the request."""

    __slots__ = ("_known", "_model", "_seen", "instance")

    def __init__(self, model: Model[T], instance: T, session: RequestSession) -> None:
        self.instance = instance
        self._model = model
        self._known: dict[str, bytes] = {}
        """What is in the instance, packed, as far as the session has heard of it."""
        self._seen: dict[str, bytes] = {}
        """What is in the session, packed, as far as the instance has heard of it."""
        if not model.is_view:
            self._known = model.write(instance)[1]
            self._seen = model.pack(session)

    def write(self, content: dict[str, Any]) -> bool:
        """As `coatcheck.core.session.Part` has it."""
        model = self._model
        if model.is_view:
            return False
        plain, packed, foreign = model.write(self.instance)
        if packed == self._known:
            return False
        refusal = model.refusal(self.instance, plain, foreign)
        if refusal is not None:
            raise refusal
        for key in _differing(packed, self._known):
            content[key] = plain[key]
            self._seen[key] = packed[key]
        self._known = packed
        return True

    def look(self, session: RequestSession) -> None:
        """Gives the session what was changed in the instance, and the instance what was changed beside it."""
        model = self._model
        if model.is_view:
            return
        session.gather()
        now = model.pack(session)
        if now == self._seen:
            return
        again, problems = model.read(session)
        if again is None:
            raise InvalidSession(problems)
        for key in _differing(now, self._seen):
            # As pydantic does it: some models let nothing be set.
            object.__setattr__(self.instance, key, getattr(again, key))
        self._known, self._seen = model.write(self.instance)[1], now


def _differing(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    return [key for key in one | other if one.get(key) != other.get(key)]


def _replace(session: MutableMapping[str, Any], content: Mapping[str, Any]) -> None:
    for key in [*session]:
        if key not in content:
            del session[key]
    for key, value in content.items():
        if not same(session.get(key, ABSENT), value):
            session[key] = value
