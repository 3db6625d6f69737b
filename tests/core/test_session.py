"""A session is a dict in everything a view does, and knows a few things more."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from operator import eq
from traceback import TracebackException
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from kit import NOON, Browser, ServerSite, Site, Visit
from values import describe

import coatcheck
from coatcheck import Session, UsageError
from coatcheck.drive import run

CONTENT: dict[str, Any] = {"a": 1, "b": [1, 2], "c": {"d": {"e": ()}}}

keys = st.sampled_from(["a", "b", "c", "self", "other", "key", "_permanent"])
plain = st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2)
dicts = st.dictionaries(keys, plain, max_size=3)


def loaded(content: Mapping[str, Any] | None = None) -> Visit:
    """Gives a session that a request brought with this content."""
    browser = Browser(Site())
    browser.visit(lambda session: session.update(CONTENT if content is None else content))
    return browser.site.open(browser.header)


def outcome(call: Callable[[], Any]) -> tuple[Any, ...]:
    """Gives what a call returns or raises, as something to compare."""
    try:
        result = call()
    except Exception as error:  # noqa: BLE001  # whatever a dict raises
        return type(error), error.args if isinstance(error, KeyError) and error.args[0] in CONTENT else ()
    return (result,)


class SessionIsADict(RuleBasedStateMachine):
    """Everything that is done to a dict is done to a session too, and both answer the same."""

    @initialize(content=dicts)
    def start(self, content: dict[str, Any]) -> None:
        self.dict = copy.deepcopy(content)
        self.session: Session = loaded(content)

    def both(self, call: Callable[[Any], Any]) -> None:
        assert outcome(lambda: call(self.session)) == outcome(lambda: call(self.dict))

    @invariant()
    def they_are_equal(self) -> None:
        if hasattr(self, "dict"):
            assert self.session == self.dict and self.dict == self.session
            assert (self.session != self.dict, self.dict != self.session) == (False, False)
            assert describe(dict(self.session)) == describe(self.dict)
            assert (len(self.session), bool(self.session)) == (len(self.dict), bool(self.dict))

    @rule(key=keys, value=plain)
    def set(self, key: str, value: Any) -> None:
        self.both(lambda it: it.__setitem__(key, copy.deepcopy(value)))

    @rule(key=keys)
    def read(self, key: str) -> None:
        self.both(lambda it: it[key])
        self.both(lambda it: it.get(key))
        self.both(lambda it: it.get(key, 5))
        self.both(lambda it: key in it)

    @rule(key=keys)
    def delete(self, key: str) -> None:
        self.both(lambda it: it.__delitem__(key))

    @rule(key=keys)
    def pop(self, key: str) -> None:
        self.both(lambda it: it.pop(key))

    @rule(key=keys, default=plain | st.none())
    def pop_with_default(self, key: str, default: Any) -> None:
        self.both(lambda it: it.pop(key, default))

    @rule()
    def popitem(self) -> None:
        self.both(lambda it: it.popitem())

    @rule(key=keys, default=plain)
    def setdefault(self, key: str, default: Any) -> None:
        self.both(lambda it: it.setdefault(key, copy.deepcopy(default)))

    @rule(key=keys)
    def setdefault_none(self, key: str) -> None:
        self.both(lambda it: it.setdefault(key))

    @rule(key=keys, value=st.integers(0, 3))
    def change_inside(self, key: str, value: int) -> None:
        self.both(lambda it: it.setdefault(key, []))
        self.both(lambda it: it[key].append(value))

    @rule(other=dicts, items=dicts)
    def update(self, other: dict[str, Any], items: dict[str, Any]) -> None:
        self.both(lambda it: it.update())
        self.both(lambda it: it.update(copy.deepcopy(other)))
        self.both(lambda it: it.update(list(copy.deepcopy(other).items())))
        self.both(lambda it: it.update(copy.deepcopy(other), **copy.deepcopy(items)))
        self.both(lambda it: it.update(**copy.deepcopy(items)))

    @rule(items=dicts)
    def update_from_a_session(self, items: dict[str, Any]) -> None:
        self.both(lambda it: it.update(loaded(items)))

    @rule()
    def update_wrongly(self) -> None:
        self.both(lambda it: it.update(5))
        self.both(lambda it: it.update({}, {}))
        self.both(lambda it: it.update(["abc"]))

    @rule()
    def clear(self) -> None:
        self.both(lambda it: it.clear())

    @rule(other=dicts)
    def merge(self, other: dict[str, Any]) -> None:
        self.both(lambda it: it | other)
        self.both(lambda it: other | it)
        self.both(lambda it: type(it | other))
        self.both(lambda it: type(other | it))
        self.both(lambda it: it | [("a", 1)])
        self.both(lambda it: [("a", 1)] | it)
        self.both(lambda it: it | None)

    @rule(other=dicts, form=st.sampled_from([dict, list, loaded]))
    def merge_in_place(self, other: dict[str, Any], form: Callable[[Any], Any]) -> None:
        before = self.session
        self.session |= form(copy.deepcopy(other).items() if form is list else copy.deepcopy(other))
        self.dict |= copy.deepcopy(other)
        assert self.session is before

    @rule(other=dicts)
    def compare(self, other: dict[str, Any]) -> None:
        self.both(lambda it: it == other)
        self.both(lambda it: other == it)
        self.both(lambda it: it != other)
        self.both(lambda it: it == loaded(other))
        self.both(lambda it: it == list(other))
        self.both(lambda it: it == None)  # noqa: E711
        self.both(lambda it: it < other)

    @rule()
    def look(self) -> None:
        for call in (list, reversed_list, sorted, tuple, set, dict.fromkeys, str.join.__get__(",")):
            self.both(call)
        self.both(lambda it: list(it.keys()))
        self.both(lambda it: list(it.values()))
        self.both(lambda it: list(it.items()))
        self.both(lambda it: list(reversed(it.keys())))
        self.both(lambda it: it.keys() & {"a"})
        self.both(lambda it: {**it})
        self.both(lambda it: dict(it, z=1))
        self.both(lambda it: [*it])

    @rule()
    def copy(self) -> None:
        for call in (copy.copy, copy.deepcopy, dict, lambda it: it.copy()):
            self.both(call)
            assert type(call(self.session)) is dict
            assert call(self.session) is not call(self.session)

    @rule()
    def use_as_key(self) -> None:
        self.both(hash)
        self.both(lambda it: it[[]])
        self.both(lambda it: [] in it)
        self.both(lambda it: it.__setitem__([], 1))

    @precondition(lambda self: len(self.dict) > 0)
    @rule()
    def change_while_looking(self) -> None:
        self.both(lambda it: [it.pop(key) for key in it])

    @rule()
    def match(self) -> None:
        self.both(pattern)


def reversed_list(it: Any) -> list[Any]:
    return list(reversed(it))


def pattern(it: Any) -> Any:
    match it:
        case {"a": value, **rest}:
            return value, rest
        case _:
            return None


TestSessionIsADict = SessionIsADict.TestCase
TestSessionIsADict.settings = hypothesis_settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_it_is_a_mutable_mapping_and_no_dict() -> None:
    assert isinstance(loaded(), MutableMapping)
    assert not isinstance(loaded(), dict)


def test_a_copy_is_apart_and_a_shallow_one_shares_what_is_inside() -> None:
    session = loaded()
    shallow, deep = copy.copy(session), copy.deepcopy(session)
    session["b"].append(3)
    session["x"] = 1
    assert shallow == {"a": 1, "b": [1, 2, 3], "c": CONTENT["c"]}
    assert deep == CONTENT


# Looking


LOOKS: dict[str, Callable[[Session], object]] = {
    "[]": lambda session: session["a"],
    "get": lambda session: session.get("a"),
    "get of nothing": lambda session: session.get("z", 1),
    "in": lambda session: "a" in session,
    "not in": lambda session: "z" not in session,
    "iter": iter,
    "for": list,
    "reversed": reversed,
    "len": len,
    "bool": bool,
    "keys": lambda session: session.keys(),
    "values": lambda session: session.values(),
    "items": lambda session: session.items(),
    "==": lambda session: session == {},
    "!=": lambda session: session != {},
    "== from the right": lambda session: eq({}, session),
    "== of two": lambda session: session == loaded(),
    "copy": lambda session: session.copy(),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "|": lambda session: session | {},
    "| from the right": lambda session: {} | session,
    "dict": dict,
    "new": lambda session: session.new,
    "permanent": lambda session: session.permanent,
    "created_at": lambda session: session.created_at,
    "handle": lambda session: session.handle,
}
CHANGES: dict[str, Callable[[Session], object]] = {
    "[]=": lambda session: session.__setitem__("x", 1),
    "del": lambda session: session.__delitem__("a"),
    "pop": lambda session: session.pop("a"),
    "popitem": lambda session: session.popitem(),
    "setdefault": lambda session: session.setdefault("x", 1),
    "update": lambda session: session.update(x=1),
    "update with nothing": lambda session: session.update(),
    "|=": lambda session: session.__ior__({"x": 1}),
    "clear": lambda session: session.clear(),
    "permanent": lambda session: setattr(session, "permanent", True),
    "regenerate": lambda session: session.regenerate(),
    "destroy": lambda session: session.destroy(),
}
CHANGES_NOTHING: dict[str, Callable[[Session], object]] = {
    "setdefault of what is there": lambda session: session.setdefault("a", 5),
    "pop of nothing": lambda session: session.pop("z", None),
    "a failed pop": lambda session: outcome(lambda: session.pop("z")),
    "a failed del": lambda session: outcome(lambda: session.__delitem__("z")),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_look_loads_once_and_is_noted(look: Callable[[Session], object]) -> None:
    session = loaded()
    assert (session.loads, session.accessed) == (0, False)
    look(session)
    look(session)
    assert (session.loads, session.accessed, session.modified) == (1, True, False)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_a_look_and_is_noted(change: Callable[[Session], object]) -> None:
    session = loaded()
    change(session)
    assert (session.loads, session.accessed, session.modified) == (1, True, True)


@pytest.mark.parametrize("change", CHANGES_NOTHING.values(), ids=CHANGES_NOTHING)
def test_what_changes_nothing_is_no_change(change: Callable[[Session], object]) -> None:
    session = loaded()
    change(session)
    assert (session.loads, session.accessed, session.modified) == (1, True, False)


@pytest.mark.parametrize(
    "ask",
    [
        repr,
        str,
        lambda session: session.accessed,
        lambda session: session.modified,
        type,
        id,
        lambda session: session is None,
    ],
)
def test_what_is_no_look_loads_nothing(ask: Callable[[Session], object]) -> None:
    session = loaded()
    ask(session)
    assert (session.loads, session.accessed, session.modified) == (0, False, False)


def test_it_cannot_be_looked_at_without_a_way_to_load() -> None:
    with pytest.raises(NotImplementedError):
        len(Session(bytes))


# What it knows beside a dict


def test_one_without_a_cookie_is_new_and_empty() -> None:
    session = Site().open()
    assert session.new
    assert session == {}
    assert session.created_at == datetime.fromtimestamp(NOON, UTC)
    session["a"] = 1
    assert session.new


def test_one_that_a_cookie_brought_is_not_new() -> None:
    browser = Browser(Site())
    browser.visit(lambda session: session.update(a=1))
    browser.site.clock.advance(50)
    session = browser.site.open(browser.header)
    assert not session.new
    assert session.created_at == datetime.fromtimestamp(NOON, UTC)
    assert session.created_at.tzinfo is UTC


def test_permanent_is_a_key_of_the_dict_as_flask_has_it() -> None:
    session = loaded()
    assert session.permanent is False
    session.permanent = 5  # type: ignore[assignment]
    assert session["_permanent"] is True and session.permanent is True
    session["_permanent"] = 0
    assert session.permanent is False
    session.permanent = False
    assert session == CONTENT | {"_permanent": False}


def test_modified_can_be_set_and_taken_back() -> None:
    session = loaded()
    session.modified = True
    assert (session.modified, session.loads) == (True, 0)
    session.modified = False
    assert session.modified is False
    session["a"] = 2
    assert session.modified is True


def test_accessed_can_be_set() -> None:
    session = loaded()
    session.accessed = True
    assert session.accessed and session.loads == 0


def test_the_handle_is_the_same_in_every_request_and_is_no_cookie() -> None:
    browser = Browser(Site())
    seen: list[str] = []

    def write(session: Session) -> None:
        seen.append(session.handle)
        session["count"] = len(seen)

    browser.visit(write)
    browser.visit(lambda session: seen.append(session.handle))
    browser.visit(write)
    assert len(set(seen)) == 1
    assert len(seen[0]) == 32 and bytes.fromhex(seen[0])
    assert seen[0] not in browser.header
    assert dict(browser.site.open(f"session={seen[0]}")) == {}


def test_each_new_session_has_another_handle() -> None:
    site = Site()
    handles = {site.open().handle for _ in range(100)}
    assert len(handles) == 100
    session = site.open()
    assert session.handle == session.handle


def test_regenerate_gives_another_handle_and_keeps_the_rest() -> None:
    session = loaded()
    before = session.handle
    session.site.clock.advance(60)
    session.regenerate()
    assert session.handle != before
    assert session == CONTENT
    assert not session.new
    assert session.created_at == datetime.fromtimestamp(NOON, UTC)
    once = session.handle
    session.regenerate()
    assert session.handle not in (before, once)


def test_regenerate_begins_nothing_where_nothing_is() -> None:
    session = Site().open()
    before = session.handle
    session.regenerate()
    assert session.new and session == {} and session.handle != before


def test_destroy_leaves_nothing_and_begins_anew() -> None:
    session = loaded()
    session.permanent = True
    before = session.handle
    session.destroy()
    assert session == {}
    assert session.new
    assert not session.permanent
    assert session.created_at == datetime.fromtimestamp(NOON, UTC)
    assert session.handle != before
    session["a"] = 1
    assert session.new


def test_destroy_forgets_a_handle_that_regenerate_made() -> None:
    session = loaded()
    session.regenerate()
    before = session.handle
    session.destroy()
    assert session.handle != before


# After the response


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_after_its_cookie_was_sent_is_an_error(change: Callable[[Session], object]) -> None:
    session = loaded()
    session["y"] = 1
    session.site.commit(session)
    with pytest.raises(UsageError, match="change it before the response is returned, not while its body is streamed"):
        change(session)
    assert session == CONTENT | {"y": 1}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("look", [None, len])
def test_a_change_after_a_response_without_a_cookie_is_an_error_too(
    look: Callable[[Session], object] | None, change: Callable[[Session], object]
) -> None:
    # It cannot reach the browser either.
    session = loaded()
    if look is not None:
        look(session)
    assert session.site.commit(session).cookies == ()
    with pytest.raises(UsageError, match="change it before the response is returned"):
        change(session)
    assert session == CONTENT


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_after_its_cookie_was_deleted_is_an_error(change: Callable[[Session], object]) -> None:
    session = loaded()
    session.clear()
    session.site.commit(session)
    with pytest.raises((UsageError, KeyError)):
        change(session)
    assert session == {}


def test_modified_cannot_be_set_after_its_cookie_was_sent() -> None:
    session = loaded()
    session["y"] = 1
    session.site.commit(session)
    with pytest.raises(UsageError):
        session.modified = True
    session.modified = False


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_reading_goes_on_after_the_response(look: Callable[[Session], object]) -> None:
    session = loaded()
    session["y"] = 1
    session.site.commit(session)
    look(session)
    for change in CHANGES_NOTHING.values():
        change(session)
    assert session == CONTENT | {"y": 1}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_for_another_response_it_can_be_changed_again(change: Callable[[Session], object]) -> None:
    session = loaded()
    session["b"].append(3)
    session.site.commit(session)
    session.reopen()
    change(session)
    assert session.site.commit(session).cookies


def test_for_another_response_only_a_load_counts_as_a_look() -> None:
    session = loaded()
    session.accessed = True
    session.reopen()
    assert session.accessed is False
    look = len(session)
    session.reopen()
    assert session.accessed is True and look == len(CONTENT)


# What does not show


def test_its_repr_shows_no_content() -> None:
    session = loaded({"secret key": "secret value"})
    assert repr(session) == str(session) == "<Session, not looked at>"
    assert session["secret key"] == "secret value"
    assert repr(session) == str(session) == f"{session}" == "<Session with 1 keys>"
    brought = run(session.site.engine.load(session.header, now=NOON))
    assert brought.content == {"secret key": "secret value"}
    assert "secret" not in repr(brought) + repr(brought.record)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled_and_its_dict_is(protocol: int) -> None:
    session = loaded()
    with pytest.raises(TypeError, match=r"pickle dict\(session\)"):
        pickle.dumps(session, protocol)
    assert pickle.loads(pickle.dumps(dict(session), protocol)) == CONTENT


def test_it_cannot_be_hashed() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(loaded())


@pytest.mark.parametrize("seen", [True, False], ids=["that was looked at", "that was not"])
def test_one_that_was_shut_can_be_read_and_not_changed(seen: bool) -> None:
    """On a server too, where it could be kept: nobody is there any more who would."""
    site = ServerSite()
    session = site.open(site.begin(user="ann").header)
    if seen:
        assert session["user"] == "ann"
    session.shut()
    assert session["user"] == "ann"
    with pytest.raises(UsageError, match="headers of this response are gone"):
        session["late"] = True
    assert dict(session) == {"user": "ann"}


def test_the_error_of_a_late_change_holds_no_content() -> None:
    session = loaded({"kept": "a secret value"})
    session["y"] = 1
    session.site.commit(session)
    with pytest.raises(UsageError) as caught:
        session["late"] = 1
    report = TracebackException.from_exception(caught.value, capture_locals=True)
    own = str(coatcheck.__file__).removesuffix("__init__.py")
    frames = [frame for frame in report.stack if frame.filename.startswith(own)]
    assert frames
    assert not [frame for frame in frames if "a secret value" in str(frame.locals)]
