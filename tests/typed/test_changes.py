"""What a view changes in its model is kept with the session, and nothing else is."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel
from pydantic import Field as PydanticField
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typed.requests_of import Site
from typing_extensions import TypedDict

from coatcheck import Kind, Reason, SessionTooLarge, UsageError
from coatcheck.request_session import RequestSession
from coatcheck.typed import TypedSession


class Color(Enum):
    RED = "red"
    BLUE = 3


@dataclass
class Item:
    name: str
    price: int = 0


@dataclass
class Cart:
    items: list[Item] = field(default_factory=list)
    user: str | None = None


@dataclass(slots=True)
class SlottedCart:
    items: list[Item] = field(default_factory=list)
    user: str | None = None


@pydantic_dataclass
class CheckedCart:
    items: list[Item] = PydanticField(default_factory=list)
    user: str | None = PydanticField(default=None, alias="userName")


class PydanticItem(BaseModel):
    name: str
    price: int = PydanticField(default=0, alias="priceInCents")


class PydanticCart(BaseModel):
    items: list[PydanticItem] = []
    user: str | None = PydanticField(default=None, alias="userName")


class View(TypedDict, total=False):
    items: list[dict[str, Any]]
    user: str | None


CARTS: list[tuple[type[Any], type[Any]]] = [
    (Cart, Item),
    (SlottedCart, Item),
    (CheckedCart, Item),
    (PydanticCart, PydanticItem),
]
each_kind = pytest.mark.parametrize(("model", "item"), CARTS, ids=lambda kind: kind.__name__)
cart = TypedSession(Cart)


def make(item: type[Any], name: str) -> Any:
    return item.model_validate({"name": name}) if issubclass(item, BaseModel) else item(name)


@each_kind
def test_a_new_visitor_has_the_defaults_and_reading_them_keeps_nothing(
    site: Site, model: type[Any], item: type[Any]
) -> None:
    typed = TypedSession(model)
    session = site.open()
    assert (typed.of(session).items, typed.of(session).user) == ([], None)
    assert not site.commit(session)
    assert not site.cookie


@each_kind
def test_a_change_is_kept_deep_inside_too(site: Site, model: type[Any], item: type[Any]) -> None:
    typed = TypedSession(model)
    site.visit(lambda session: typed.of(session).items.append(make(item, "pear")))
    assert site.content == {"items": [{"name": "pear", "price": 0}]}
    session = site.open()
    typed.of(session).items[0].price = 7
    typed.of(session).user = "ada"
    site.commit(session)
    assert site.content == {"items": [{"name": "pear", "price": 7}], "user": "ada"}
    read = typed.of(site.open())
    assert (type(read), type(read.items[0]), read.items[0].price) == (model, item, 7)


@each_kind
def test_looking_sends_nothing(site: Site, model: type[Any], item: type[Any]) -> None:
    site.write(items=[{"name": "pear"}], user="ada")
    assert not site.visit(TypedSession(model).of)
    assert site.content == {"items": [{"name": "pear"}], "user": "ada"}


@each_kind
def test_within_a_request_it_is_the_same_instance(site: Site, model: type[Any], item: type[Any]) -> None:
    typed = TypedSession(model)
    session = site.open()
    first = typed.of(session)
    items = first.items
    items.append(make(item, "pear"))
    session["visits"] = 1
    assert typed.of(session) is first
    assert first.items is items
    assert typed.of(site.open()) is not first


@each_kind
def test_a_field_that_is_emptied_is_kept_so(site: Site, model: type[Any], item: type[Any]) -> None:
    typed = TypedSession(model)
    site.write(items=[{"name": "pear"}], user="ada")

    def empty(session: RequestSession) -> None:
        typed.of(session).items.clear()
        typed.of(session).user = None

    site.visit(empty)
    assert site.content == {"items": [], "user": None}


def test_keys_of_others_are_left_alone(site: Site) -> None:
    site.write(_permanent=True, _flashes=[("message", "welcome")], csrf_token="t", user="ada")
    site.visit(lambda session: setattr(cart.of(session), "user", "bob"))
    assert site.content == {
        "_permanent": True,
        "_flashes": [("message", "welcome")],
        "csrf_token": "t",
        "user": "bob",
    }


def test_two_models_may_share_a_session(site: Site) -> None:
    @dataclass
    class Theme:
        dark: bool = False

    theme = TypedSession(Theme)

    def view(session: RequestSession) -> None:
        cart.of(session).user = "ada"
        theme.of(session).dark = True

    site.visit(view)
    assert site.content == {"user": "ada", "dark": True}


def test_values_of_python_come_back_as_they_were(site: Site) -> None:
    @dataclass
    class Visit:
        at: datetime | None = None
        by: UUID | None = None
        tags: set[str] = field(default_factory=set)
        place: tuple[int, int] = (0, 0)

    typed = TypedSession(Visit)
    visit = Visit(datetime(2030, 1, 2, tzinfo=UTC), UUID(int=7), {"a"}, (1, 2))
    site.visit(lambda session: vars(typed.of(session)).update(vars(visit)))
    assert site.content["tags"] == {"a"}
    assert typed.of(site.open()) == visit


def test_what_a_session_does_not_know_is_kept_as_in_json_if_it_comes_back_equal(site: Site) -> None:
    @dataclass
    class Look:
        colors: list[Color] = field(default_factory=list)
        color: Color = Color.RED

    typed = TypedSession(Look)
    site.visit(lambda session: typed.of(session).colors.append(Color.BLUE))
    assert site.content == {"colors": [3]}
    assert typed.of(site.open()) == Look([Color.BLUE])
    assert not site.visit(typed.of)


# The session and its model beside each other


@each_kind
def test_what_is_set_beside_the_model_is_in_it_at_the_next_look(site: Site, model: type[Any], item: type[Any]) -> None:
    typed = TypedSession(model)
    session = site.open()
    mine = typed.of(session)
    mine.items.append(make(item, "pear"))
    session["user"] = "ada"
    assert mine.user is None
    assert typed.of(session) is mine
    assert [mine.user, len(mine.items)] == ["ada", 1]
    # And the reverse.
    assert session["items"] == [{"name": "pear", "price": 0}]
    site.commit(session)
    assert site.content == {"user": "ada", "items": [{"name": "pear", "price": 0}]}


def test_what_is_set_beside_the_model_stays_without_another_look(site: Site) -> None:
    def view(session: RequestSession) -> None:
        mine = cart.of(session)
        session["user"] = "ada"
        mine.items.append(Item("pear"))

    site.visit(view)
    assert site.content == {"user": "ada", "items": [{"name": "pear", "price": 0}]}


def test_of_a_field_that_both_changed_the_model_counts(site: Site) -> None:
    def view(session: RequestSession) -> None:
        mine = cart.of(session)
        mine.user = "ada"
        session["user"] = "bob"
        assert cart.of(session).user == "ada"
        assert session["user"] == "ada"

    site.visit(view)
    assert site.content == {"user": "ada"}


def test_a_change_in_the_model_hides_no_other_beside_it(site: Site) -> None:
    session = site.open()
    mine = cart.of(session)
    session["user"] = "ada"
    mine.items.append(Item("pear"))
    session.gather()
    assert cart.of(session).user == "ada"


def test_a_key_that_is_deleted_beside_the_model_is_its_default_again(site: Site) -> None:
    site.write(user="ada", items=[])
    session = site.open()
    mine = cart.of(session)
    del session["user"]
    assert cart.of(session) is mine
    assert mine.user is None
    site.commit(session)
    assert site.content == {"items": []}


def test_a_model_of_which_nothing_can_be_set_follows_the_session_too(site: Site) -> None:
    @dataclass(frozen=True)
    class Frozen:
        user: str | None = None

    typed = TypedSession(Frozen)
    session = site.open()
    mine = typed.of(session)
    session["user"] = "ada"
    assert typed.of(session) is mine
    assert mine.user == "ada"


def test_the_model_of_a_typed_dict_is_the_session_itself(site: Site) -> None:
    typed = TypedSession(View)
    session = site.open()
    view = typed.of(session)
    assert id(typed.of(session)) == id(view) == id(session)
    view["user"] = "ada"
    view.setdefault("items", []).append({"name": "pear"})
    site.commit(session)
    assert site.content == {"user": "ada", "items": [{"name": "pear"}]}


# A session that ends


@pytest.mark.parametrize("end", [RequestSession.destroy, RequestSession.clear])
def test_what_was_changed_before_a_logout_does_not_sign_in_again(site: Site, end: Any) -> None:
    site.write(user="ada", items=[])
    before = site.cookie

    def logout(session: RequestSession) -> None:
        mine = cart.of(session)
        mine.items.append(Item("pear"))
        end(session)
        mine.user = "eve"

    assert site.visit(logout)
    assert (site.cookie, site.content) == ("", {})
    site.cookie = before
    assert not site.sessions.on_server or site.content == {}


@pytest.mark.parametrize("end", [RequestSession.destroy, RequestSession.clear])
def test_the_model_after_a_logout_is_another(site: Site, end: Any) -> None:
    site.write(user="ada", items=[{"name": "pear"}])
    session = site.open()
    old = cart.of(session)
    end(session)
    assert cart.of(session) is not old
    assert cart.of(session) == Cart()
    cart.of(session).user = "bob"
    site.commit(session)
    assert site.content == {"user": "bob"}


def test_a_new_id_leaves_the_model_where_it_is(site: Site) -> None:
    site.write(user="ada")
    before = site.open().handle
    session = site.open()
    mine = cart.of(session)
    mine.items.append(Item("pear"))
    session.regenerate()
    mine.user = "bob"
    assert cart.of(session) is mine
    site.commit(session)
    assert site.content == {"user": "bob", "items": [{"name": "pear", "price": 0}]}
    assert site.open().handle != before


# When the headers are gone


def test_a_late_change_of_the_model_is_saved_in_a_store() -> None:
    site = Site(on_server=True)
    site.write(user="ada")
    session = site.open()
    mine = cart.of(session)
    site.commit(session)
    assert session.settled()
    mine.items.append(Item("pear"))
    assert not session.settled()
    assert session.save()
    assert site.content == {"user": "ada", "items": [{"name": "pear", "price": 0}]}


def test_what_others_have_kept_meanwhile_is_in_the_model_at_the_next_look() -> None:
    site = Site(on_server=True)
    site.write(user="ada")
    session = site.open()
    mine = cart.of(session)
    site.commit(session)
    site.visit(lambda other: setattr(cart.of(other), "user", "bob"))
    mine.items.append(Item("pear"))
    assert session.save()
    assert cart.of(session) is mine
    assert mine == Cart([Item("pear")], "bob")
    assert site.content == {"user": "bob", "items": [{"name": "pear", "price": 0}]}


def test_a_session_that_others_have_ended_has_no_more_of_the_model() -> None:
    site = Site(on_server=True)
    site.write(user="ada")
    session = site.open()
    mine = cart.of(session)
    site.commit(session)
    site.visit(lambda other: other.destroy())
    mine.user = "eve"
    assert not session.save()
    assert cart.of(session) == Cart()
    assert site.content == {}


def test_a_late_change_that_cannot_be_kept_is_an_error() -> None:
    site = Site()
    site.write(user="ada")
    session = site.open()
    mine = cart.of(session)
    site.commit(session)
    mine.user = "eve"
    assert not session.settled()
    with pytest.raises(UsageError, match="the headers of this response are gone"):
        session.save()
    assert (Kind.DROPPED, Reason.LATE) in [(event.kind, event.reason) for event in site.events]


# Refused at the end of the request, where it can be put right


def test_a_model_that_is_too_large_says_so_and_can_be_made_smaller() -> None:
    site = Site()
    session = site.open()
    mine = cart.of(session)
    mine.user = "x" * 5000
    with pytest.raises(SessionTooLarge, match=r"user \(50\d\d bytes\)"):
        site.commit(session)
    mine.user = "ada"
    site.commit(session)
    assert site.content == {"user": "ada"}


def test_a_model_does_not_keep_its_session_from_being_forgotten(site: Site) -> None:
    session = site.open()
    mine = cart.of(session)
    gc.disable()
    try:
        gone = weakref.ref(session)
        del session
        assert gone() is None
    finally:
        gc.enable()
    assert mine == Cart()


def test_a_session_without_a_model_pays_nothing(site: Site) -> None:
    session = site.open()
    session["user"] = "ada"
    site.commit(session)
    assert session._parts is None  # noqa: SLF001
