"""A model as the keys of a session, and back: what pydantic is asked, and what is done with its answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, RootModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError
from typing_extensions import is_typeddict

from coatcheck.core.codec import pack
from coatcheck.errors import CoatcheckError, Unserializable, UsageError, spell

T = TypeVar("T")
Problems: TypeAlias = tuple[tuple[str, str], ...]
"""What is wrong with a content, as `InvalidSession` has it."""


class Model(Generic[T]):
    """One type that stands for some keys of a session. Raises `UsageError` for a type that cannot."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._keys = _keys(kind)
        self.is_view: bool = is_typeddict(kind)
        """Whether the session itself is of this type."""
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)
        self._names = frozenset(_names(self._adapter.core_schema))

    @property
    def name(self) -> str:
        return self._kind.__name__

    def own(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Gives of a content what belongs to the model."""
        return {key: content[key] for key in self._keys if key in content}

    def read(self, content: Mapping[str, Any]) -> tuple[T | None, Problems]:
        """Gives the model of a content, or what is wrong with that."""
        try:
            # Strictly where the session itself is the model: nobody would see what was made of a value.
            return self._adapter.validate_python(
                self.own(content), strict=True if self.is_view else None, by_alias=False, by_name=True
            ), ()
        except ValidationError as error:
            mistakes = error.errors(include_url=False, include_context=False, include_input=False)
        return None, tuple((self._spell(each["loc"]), each["type"]) for each in mistakes)

    def pack(self, content: Mapping[str, Any]) -> dict[str, bytes]:
        """Gives of a content what belongs to the model, each key for itself, packed. Raises `Unserializable`."""
        return {key: pack({key: value}) for key, value in self.own(content).items()}

    def write(self, model: T) -> tuple[dict[str, Any], dict[str, bytes], dict[str, Unserializable]]:
        """Gives the fields of a model as a session keeps them, the same packed, and which of them are only as in JSON.

        Raises `Unserializable`.
        """
        plain = self._plain(model)
        foreign: dict[str, Unserializable] = {}
        packed: dict[str, bytes] = {}
        for key in plain:
            try:
                packed[key] = pack({key: plain[key]})
            except Unserializable as error:
                foreign[key] = error.with_traceback(None)
                with suppress(Unserializable):
                    plain |= self._plain(model, key, "json")
                packed[key] = pack({key: plain[key]})
        return plain, packed, foreign

    def refusal(self, model: T, plain: dict[str, Any], foreign: dict[str, Unserializable]) -> CoatcheckError | None:
        """Says why the fields of a model cannot be kept, if they cannot: they would not be read again as they are."""
        again, problems = self.read(plain)
        for key, error in foreign.items():
            if again is None:
                if any(where.startswith(_step(key)) for where, _ in problems):
                    return error
            elif getattr(again, key) != getattr(model, key):
                return error
        if again is not None:
            return None
        return UsageError(f"a {self.name} was changed into one that {self.name} does not allow: {spell(problems)}")

    def _plain(self, model: T, key: str | None = None, mode: Literal["python", "json"] = "python") -> dict[str, Any]:
        include = None if key is None else {key}
        try:
            return self.own(
                self._adapter.dump_python(model, mode=mode, include=include, by_alias=False, warnings=False)
            )
        except PydanticSerializationError:
            # Its message may have content.
            pass
        if key is not None:
            raise Unserializable(_step(key), "is what the serializer of the model refuses")
        # One by one, which tells which it is.
        return {name: value for each in self._keys for name, value in self._plain(model, each).items()}

    def _spell(self, place: tuple[int | str, ...]) -> str:
        # What is no name of a field may be a key of a dict, and so what a visitor has sent.
        return "session" + "".join(
            f"[{step!r}]" if isinstance(step, int) or step in self._names else "[...]" for step in place
        )


def _keys(model: Any) -> tuple[str, ...]:
    """Gives the keys of a session that a model stands for."""
    if is_typeddict(model):
        return tuple(sorted(model.__required_keys__ | model.__optional_keys__))
    if isinstance(model, type) and issubclass(model, BaseModel) and not issubclass(model, RootModel):
        if model.model_config.get("extra") == "allow":
            raise UsageError(f"{model.__name__} takes every key (extra='allow'): a session has keys of others too")
        return tuple(model.model_fields)
    if isinstance(model, type) and dataclasses.is_dataclass(model):
        return tuple(field.name for field in dataclasses.fields(model) if field.init)
    raise UsageError(f"a dataclass, a pydantic model or a TypedDict is needed, not {model!r}")


def _step(key: str) -> str:
    return f"session[{key!r}]"


def _nodes(schema: object) -> Iterator[Mapping[str, Any]]:
    """Gives every dict in what pydantic makes of a model."""
    if isinstance(schema, dict):
        yield schema
        schema = schema.values()
    elif not isinstance(schema, (list, tuple)):
        return
    for part in schema:
        yield from _nodes(part)


def _names(schema: Mapping[str, Any]) -> Iterator[str]:
    """Gives the names of all fields of a model, and of those in it."""
    for node in _nodes(schema):
        if node.get("init_only"):
            raise UsageError(f"{node['name']} is an InitVar: it is in no field, and a session would not have it")
        if node.get("type") == "dataclass-field":
            yield node["name"]
        elif node.get("type") in ("model-fields", "typed-dict"):
            yield from node["fields"]
