"""The errors are one small tree, and each says what happened and what to do."""

from __future__ import annotations

import copy
import importlib
import pickle

import pytest

import coatcheck
from coatcheck import (
    CoatcheckError,
    InvalidSession,
    SessionTooLarge,
    StoreError,
    TooManySessions,
    Unserializable,
    UsageError,
)

EXAMPLES = [
    UsageError("cookie_path must begin with /"),
    SessionTooLarge(5000, 4096, (("cart", 3000), ("user", 900))),
    Unserializable("session['cart'][0]", "is of a type that a session cannot keep: set_iterator"),
    InvalidSession((("session['cart'][0]['price']", "int_parsing"), ("session['user']", "missing"))),
    StoreError("the store did not answer in 2 s"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_each_error_is_caught_by_the_root(error: CoatcheckError) -> None:
    assert isinstance(error, CoatcheckError)
    with pytest.raises(CoatcheckError):
        raise error


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = [line.split()[1] for line in str(coatcheck.errors.__doc__).splitlines() if "──" in line]
    assert drawn == [error.__name__ for error in CoatcheckError.__subclasses__()]
    assert all(error.__module__ == "coatcheck.errors" for error in CoatcheckError.__subclasses__())


def test_each_error_is_what_programs_catch_already() -> None:
    # Flask raises ValueError for a bad SameSite, and json TypeError for a type that it lacks.
    assert issubclass(UsageError, ValueError)
    assert issubclass(Unserializable, TypeError)


def test_too_large_says_size_limit_and_the_largest_keys() -> None:
    error = SessionTooLarge(5000, 4096, (("cart", 3000), ("user", 900)))
    assert (error.size, error.limit, error.largest) == (5000, 4096, (("cart", 3000), ("user", 900)))
    assert "a cookie of 5000 bytes and browsers keep at most 4096" in str(error)
    assert "cart (3000 bytes), user (900 bytes). Keep less in the session" in str(error)


def test_unserializable_says_where() -> None:
    error = Unserializable("session['a']", "is a float that is not finite (nan or inf)")
    assert error.path == "session['a']"
    assert str(error) == "session['a'] is a float that is not finite (nan or inf)"


def test_an_invalid_session_says_where_and_what() -> None:
    error = InvalidSession((("session['cart'][0]['price']", "int_parsing"), ("session['user']", "missing")))
    words = "session['cart'][0]['price'] (int_parsing), session['user'] (missing)"
    assert str(error) == f"the session is not what its model says: {words}"


def test_an_invalid_session_names_five_of_many_mistakes() -> None:
    problems = tuple((f"session['cart'][{index}]", "missing") for index in range(7))
    error = InvalidSession(problems)
    assert error.problems == problems
    assert str(error).endswith("session['cart'][4] (missing) and 2 more")
    assert not str(InvalidSession(problems[:5])).endswith("more")


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_each_error_passes_from_one_process_to_another(error: CoatcheckError) -> None:
    # As worker pools and test runners send them.
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert vars(other) == vars(error)


@pytest.mark.parametrize("module", ["werkzeug", "pyramid", "litestar"])
def test_the_errors_that_a_framework_answers_to_go_from_one_process_to_another(module: str) -> None:
    found = vars(importlib.import_module(f"coatcheck.{module}"))
    stores = [each for name, each in found.items() if name.lstrip("_") == "StoreUnavailable"]
    places = [each for name, each in found.items() if name.lstrip("_") == "SessionsForbidden"]
    assert stores
    for kind, error in [
        *((kind, StoreError("no answer")) for kind in stores),
        *((k, TooManySessions(3)) for k in places),
    ]:
        made = kind(error)
        again = pickle.loads(pickle.dumps(made))
        assert type(again) is kind
        assert (str(again), again.args) == (str(made), made.args)
        assert getattr(again, "limit", None) == getattr(error, "limit", None)
