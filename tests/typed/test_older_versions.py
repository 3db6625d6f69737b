"""A session that another version of the program wrote: each is a dict as that version kept it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel
from typed.requests_of import Site
from typing_extensions import TypedDict

from coatcheck import InvalidSession, Unserializable, UsageError
from coatcheck.typed import TypedSession


@dataclass
class Visitor:
    """As the program has it now."""

    name: str = ""
    visits: int = 0
    theme: str = "light"
    cart: list[str] = field(default_factory=list)


class PydanticVisitor(BaseModel):
    name: str = ""
    visits: int = 0
    theme: str = "light"
    cart: list[str] = []


class ViewedVisitor(TypedDict, total=False):
    name: str
    visits: int
    theme: str
    cart: list[str]


# The first version called the name `user_name`, counted visits in text, and kept the cart as text with commas.
FIRST = {"user_name": "ada", "visits": "3", "cart": "pear,fig", "_permanent": True}
NOW = {"name": "ada", "visits": 3, "cart": ["pear", "fig"], "_permanent": True}


def upgrade(content: dict[str, Any]) -> None:
    if "user_name" in content:
        content["name"] = content.pop("user_name")
    if isinstance(content.get("cart"), str):
        content["cart"] = content["cart"].split(",")
    if isinstance(content.get("visits"), str):
        content["visits"] = int(content["visits"])


each_kind = pytest.mark.parametrize("model", [Visitor, PydanticVisitor])
every_kind = pytest.mark.parametrize("model", [Visitor, PydanticVisitor, ViewedVisitor])


@each_kind
def test_a_new_field_has_its_default_and_is_not_kept_before_it_is_set(site: Site, model: type[Any]) -> None:
    typed = TypedSession(model)
    site.write(name="ada", visits=3, cart=["pear"])
    session = site.open()
    assert typed.of(session).theme == "light"
    typed.of(session).visits += 1
    site.commit(session)
    assert site.content == {"name": "ada", "visits": 4, "cart": ["pear"]}


@every_kind
def test_a_field_that_was_removed_is_a_key_like_any_other(site: Site, model: type[Any]) -> None:
    typed = TypedSession(model)
    site.write(name="ada", newsletter=True)
    session = site.open()
    assert not hasattr(typed.of(session), "newsletter")
    session["theme"] = "dark"
    site.commit(session)
    assert site.content == {"name": "ada", "newsletter": True, "theme": "dark"}


@each_kind
def test_a_value_that_can_be_read_as_the_new_type_is(site: Site, model: type[Any]) -> None:
    site.write(visits="3")
    assert TypedSession(model).of(site.open()).visits == 3


def test_the_session_itself_is_held_to_the_new_type(site: Site) -> None:
    site.write(visits="3")
    with pytest.raises(InvalidSession, match=r"session\['visits'\] \(int_type\)"):
        TypedSession(ViewedVisitor).of(site.open())


@every_kind
def test_a_value_of_another_type_is_invalid(site: Site, model: type[Any]) -> None:
    site.write(visits="three", cart="pear,fig")
    with pytest.raises(InvalidSession) as caught:
        TypedSession(model).of(site.open())
    assert [where for where, _ in sorted(caught.value.problems)] == ["session['cart']", "session['visits']"]


@every_kind
def test_a_field_with_a_new_name_and_new_types_is_upgraded_and_kept_so_once(site: Site, model: type[Any]) -> None:
    typed = TypedSession(model, upgrade=upgrade)
    site.write(**FIRST)
    session = site.open()
    visitor = typed.of(session)
    read = visitor if isinstance(visitor, dict) or model is ViewedVisitor else visitor.__dict__
    assert (read["name"], read["visits"], read["cart"]) == ("ada", 3, ["pear", "fig"])
    assert site.commit(session) or site.sessions.on_server
    assert site.content == NOW
    assert not site.visit(typed.of)
    assert site.content == NOW


def test_without_the_upgrade_the_old_name_would_be_lost_to_the_new_one(site: Site) -> None:
    site.write(user_name="ada")
    assert TypedSession(Visitor).of(site.open()).name == ""


@every_kind
def test_an_upgrade_that_does_not_make_it_right_changes_nothing(site: Site, model: type[Any]) -> None:
    def half(content: dict[str, Any]) -> None:
        content["name"] = content.pop("user_name")

    site.write(**FIRST)
    session = site.open()
    with pytest.raises(InvalidSession):
        TypedSession(model, upgrade=half).of(session)
    site.commit(session)
    assert site.content == FIRST


def test_an_upgrade_of_something_deep_inside_changes_a_copy(site: Site) -> None:
    def deep(content: dict[str, Any]) -> None:
        content["settings"].pop("theme")
        raise ValueError("cannot")

    site.write(settings={"theme": "dark"})
    session = site.open()
    with pytest.raises(InvalidSession) as caught:
        TypedSession(Visitor, upgrade=deep).of(session)
    assert caught.value.problems == (("session", "upgrade"),)
    assert session["settings"] == {"theme": "dark"}


def test_a_new_visitor_is_not_upgraded(site: Site) -> None:
    def never(content: dict[str, Any]) -> None:
        raise AssertionError

    assert TypedSession(Visitor, upgrade=never).of(site.open()) == Visitor()


def test_an_upgrade_that_returns_something_is_told(site: Site) -> None:
    def functional(content: dict[str, Any]) -> dict[str, Any]:
        return {**content}

    site.write(user_name="ada")
    with pytest.raises(UsageError, match="returns nothing"):
        TypedSession(Visitor, upgrade=functional).of(site.open())  # type: ignore[arg-type]


def test_an_upgrade_to_what_a_session_cannot_keep_says_where(site: Site) -> None:
    def wrong(content: dict[str, Any]) -> None:
        content["name"] = object()

    site.write(user_name="ada")
    with pytest.raises(Unserializable, match=r"^session\['name'\] is of a type"):
        TypedSession(Visitor, upgrade=wrong).of(site.open())


def test_when_the_headers_are_gone_an_old_session_is_read_and_left_as_it_is() -> None:
    site = Site()
    site.write(**FIRST)
    session = site.open()
    session.get("user_name")
    site.commit(session)
    assert TypedSession(Visitor, upgrade=upgrade).of(session).name == "ada"
    assert session.settled()
    assert dict(session) == FIRST


# What the application may choose


@every_kind
def test_an_invalid_session_is_an_error_and_stays_as_it_is(site: Site, model: type[Any]) -> None:
    typed = TypedSession(model)
    site.write(visits="three", name="ada")
    session = site.open()
    for _ in range(2):
        with pytest.raises(InvalidSession):
            typed.of(session)
    assert not site.commit(session)
    assert site.content == {"visits": "three", "name": "ada"}
    assert site.events == []


@every_kind
def test_or_it_is_begun_anew_and_nothing_of_it_is_left(
    site: Site, model: type[Any], caplog: pytest.LogCaptureFixture
) -> None:
    typed = TypedSession(model, invalid="empty")
    site.write(visits="three", name="ada", _user_id="7")
    before = site.open().handle
    session = site.open()
    visitor = typed.of(session)
    assert visitor == (model() if model is not ViewedVisitor else {})
    assert (session.new, dict(session)) == (True, {})
    session["name"] = "bob"
    site.commit(session)
    assert site.content == {"name": "bob"}
    assert site.open().handle != before
    (rejected,) = [event for event in site.events if event.reason == "invalid"]
    assert (rejected.kind, rejected.handle) == ("rejected", before)
    (warning,) = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert warning.startswith(f"a session is not what {model.__name__} says, and was begun anew: session['visits'] (")
    assert "three" not in warning
    assert "ada" not in warning


def test_a_session_that_is_begun_anew_and_stays_empty_is_deleted(site: Site) -> None:
    site.write(visits="three")
    assert site.visit(TypedSession(Visitor, invalid="empty").of)
    assert (site.cookie, site.content) == ("", {})


def test_a_session_that_can_be_ended_no_more_is_an_error_all_the_same() -> None:
    site = Site()
    site.write(visits="three")
    session = site.open()
    session.get("visits")
    site.commit(session)
    with pytest.raises(InvalidSession):
        TypedSession(Visitor, invalid="empty").of(session)


def test_a_default_that_is_right_no_more_is_an_error(site: Site) -> None:
    names = iter(["ada", "ada"])

    @dataclass
    class Named:
        visits: int = 0
        name: str = field(default_factory=lambda: next(names, None))  # type: ignore[assignment]

    @dataclass
    class Strict(Named):
        def __post_init__(self) -> None:
            if self.name is None:
                raise ValueError("no more names")

    typed = TypedSession(Strict, invalid="empty")
    next(names)
    site.write(visits="three")
    with pytest.raises(InvalidSession, match=r"session \(value_error\)"):
        typed.of(site.open())


def test_what_is_wrong_beside_the_model_is_an_error_and_ends_nothing(site: Site) -> None:
    typed = TypedSession(Visitor, invalid="empty")
    session = site.open()
    typed.of(session).name = "ada"
    session["visits"] = "three"
    with pytest.raises(InvalidSession, match="int_parsing"):
        typed.of(session)
    assert dict(session) == {"name": "ada", "visits": "three"}
