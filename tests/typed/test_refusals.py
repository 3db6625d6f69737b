"""What cannot be a model, what a model cannot hold, and what no message shows."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import Any, cast

import pytest
from pydantic import BaseModel, ConfigDict, RootModel, SecretStr, field_serializer
from typed.requests_of import Site
from typing_extensions import TypedDict

from coatcheck import CoatcheckError, InvalidSession, Session, Unserializable, UsageError
from coatcheck.typed import TypedSession

CANARY = "canary-4f1d"


class Required(BaseModel):
    user: int


class RequiredView(TypedDict):
    user: int


class Everything(BaseModel):
    model_config = ConfigDict(extra="allow")
    user: int = 0


class Root(RootModel[dict[str, int]]):
    root: dict[str, int] = {}


@dataclass
class Seeded:
    seed: InitVar[int] = 0
    user: int = 0


@pytest.mark.parametrize("model", [Everything, Root, Seeded, dict, int, "Cart", list[int]])
def test_not_everything_can_be_a_model(model: Any) -> None:
    with pytest.raises(UsageError):
        TypedSession(model)


@pytest.mark.parametrize("model", [Required, RequiredView])
def test_a_model_without_defaults_is_for_visitors_who_have_a_session(site: Site, model: type[Any]) -> None:
    typed = TypedSession(model)
    with pytest.raises(InvalidSession, match=r"^the session is not what its model says: session\['user'\] \(missing\)"):
        typed.of(site.open())
    site.write(user=7)
    read = typed.of(site.open())
    assert read["user"] == 7 if model is RequiredView else read.user == 7
    with pytest.raises(UsageError, match=r"session\['user'\] \(missing\)"):
        TypedSession(model, invalid="empty")


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(UsageError, match="'error' or 'empty', not 'ignore'"):
        TypedSession(Required, invalid="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize("other", [{}, {"user": 7}])
def test_only_a_session_of_ours_has_a_model(other: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="a session of coatcheck is needed, and this is a dict"):
        TypedSession(Required).of(other)


def test_it_shows_itself_by_the_name_of_its_model() -> None:
    assert repr(TypedSession(Required)) == "TypedSession(Required)"


# What a model cannot hold


@dataclass
class Box:
    size: int = 0
    things: list[Any] = field(default_factory=list)
    secret: SecretStr = field(default_factory=lambda: SecretStr(""))


def fill(box: Box) -> None:
    box.things = [1, {"lock": object()}]


def whisper(box: Box) -> None:
    box.secret = SecretStr(CANARY)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (fill, r"^session\['things'\]\[1\]\['lock'\] is of a type that a session cannot keep: object$"),
        (whisper, r"^session\['secret'\] is of a type that a session cannot keep: pydantic.types.SecretStr$"),
    ],
)
def test_a_value_that_cannot_be_kept_says_where_it_is(site: Site, change: Callable[[Box], None], words: str) -> None:
    session = site.open()
    change(TypedSession(Box).of(session))
    with pytest.raises(Unserializable, match=words) as caught:
        site.commit(session)
    assert CANARY not in shown(caught.value)
    assert site.content == {}


def test_a_value_that_the_model_does_not_allow_is_refused_and_nothing_of_it_is_kept(site: Site) -> None:
    typed = TypedSession(Box)
    session = site.open()
    box = typed.of(session)
    box.things.append("kept only together")
    box.size = cast(int, CANARY)
    with pytest.raises(UsageError, match=r"a Box .* does not allow: session\['size'\] \(int_parsing\)") as caught:
        site.commit(session)
    assert CANARY not in shown(caught.value)
    assert dict(session) == {}
    # The page that says so is another response; what is still wrong then is known.
    session.reopen()
    assert not site.commit(session)
    box.size = 3
    session.reopen()
    site.commit(session)
    assert site.content == {"size": 3, "things": ["kept only together"]}


def test_a_foreign_value_is_not_blamed_for_another_s_mistake(site: Site) -> None:
    session = site.open()
    box = TypedSession(Box).of(session)
    box.size = cast(int, "three")
    with pytest.raises(UsageError, match="int_parsing"):
        site.commit(session)
    box.secret = cast(SecretStr, object())
    box.size = 0
    session.reopen()
    session["other"] = 1
    with pytest.raises(Unserializable, match=r"session\['secret'\]"):
        site.commit(session)


def test_a_serializer_that_fails_is_named_by_its_field(site: Site) -> None:
    class Odd(BaseModel):
        name: str = ""
        user: str = ""

        @field_serializer("user")
        def _fails(self, user: str) -> str:
            if user:
                raise ValueError(CANARY)
            return user

    session = site.open()
    TypedSession(Odd).of(session).user = "ada"
    with pytest.raises(Unserializable, match=r"^session\['user'\] is what the serializer") as caught:
        site.commit(session)
    assert CANARY not in shown(caught.value)


# What no message shows


def shown(error: BaseException) -> str:
    """Gives all that an error reporter would show: the messages, and the variables of the frames of the library."""
    seen: list[str] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is None:
            continue
        todo += [each.__cause__, each.__context__]
        seen += [str(each), repr(each), *traceback.format_exception_only(each)]
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if "/coatcheck/" in frame.f_code.co_filename:
                seen += [repr(value) for value in frame.f_locals.values()]
    return "\n".join(seen)


class Line(BaseModel):
    price: int = 0


class Priced(BaseModel):
    prices: dict[str, int] = {}
    lines: list[Line] = []
    choice: int | list[int] = 0


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ({"lines": [{"price": 1}, {"price": CANARY}]}, ["session['lines'][1]['price']"]),
        ({"prices": {CANARY: CANARY}}, ["session['prices'][...]"]),
        ({"choice": CANARY}, ["session['choice'][...]", "session['choice'][...]"]),
    ],
)
def test_an_error_says_where_and_what_and_no_content(site: Site, content: dict[str, Any], where: list[str]) -> None:
    site.write(**content)
    with pytest.raises(InvalidSession) as caught:
        TypedSession(Priced).of(site.open())
    assert [place for place, _ in caught.value.problems] == where
    assert CANARY not in shown(caught.value)


def test_the_frames_of_an_upgrade_that_fails_are_not_shown(site: Site) -> None:
    def fails(content: dict[str, Any]) -> None:
        raise ValueError(content["user"])

    site.write(user=CANARY)
    with pytest.raises(CoatcheckError) as caught:
        TypedSession(Required, upgrade=fails).of(site.open())
    assert CANARY not in shown(caught.value)


def test_a_session_with_a_model_shows_no_content_either(site: Site) -> None:
    session: Session = site.open()
    typed = TypedSession(Priced)
    typed.of(session).prices[CANARY] = 1
    assert CANARY not in repr(session) + repr(typed) + repr(session.parts())


def test_without_pydantic_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['pydantic'] = None; import coatcheck.typed"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.splitlines()[-1] == "ImportError: coatcheck.typed needs pydantic: pip install 'coatcheck[typed]'"
