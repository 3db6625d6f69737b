"""A weak key is refused, and warned of once where somebody is only trying things out."""

from __future__ import annotations

import os
from logging import WARNING

import pytest
from flask import Flask

from coatcheck import UsageError
from coatcheck.flask import Coatcheck


@pytest.fixture
def weak(app: Flask, caplog: pytest.LogCaptureFixture) -> Flask:
    app.secret_key = "dev"
    caplog.set_level(WARNING)
    return app


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "coatcheck"]


@pytest.mark.parametrize("key", ["dev", b"dev", "changeme-changeme-changeme", "0" * 64, "a phrase of four words"])
def test_a_weak_key_is_refused(weak: Flask, key: str | bytes) -> None:
    weak.secret_key = key
    with pytest.raises(UsageError, match="the secret key .*; make one with"):
        Coatcheck(weak)


@pytest.mark.parametrize("size", [16, 24, 32, 64])
def test_a_key_from_the_operating_system_is_taken_without_a_word(
    weak: Flask, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    weak.secret_key = os.urandom(size)
    Coatcheck(weak)
    weak.test_client().get("/keep/user/ada")
    assert messages(caplog) == []


@pytest.mark.parametrize("key", ["TESTING", "DEBUG", "SESSION_ALLOW_WEAK_KEY"])
def test_a_weak_key_is_a_warning_in_debug_and_testing_and_where_it_is_allowed(
    weak: Flask, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    weak.config[key] = True
    Coatcheck(weak)
    client = weak.test_client()
    for _ in range(3):
        client.get("/keep/user/ada")
        assert client.get("/read").json == {"user": "ada"}
    (message,) = messages(caplog)
    assert message.startswith("the secret key has 3 bytes, and needs at least 16")


def test_a_keyword_allows_a_weak_key(weak: Flask, caplog: pytest.LogCaptureFixture) -> None:
    Coatcheck(weak, allow_weak_key=True)
    assert len(messages(caplog)) == 1


def test_a_keyword_may_forbid_what_the_configuration_allows(weak: Flask) -> None:
    weak.config["SESSION_ALLOW_WEAK_KEY"] = True
    with pytest.raises(UsageError):
        Coatcheck(weak, allow_weak_key=False)


def test_each_weak_key_of_the_ring_has_its_warning(weak: Flask, caplog: pytest.LogCaptureFixture) -> None:
    weak.testing = True
    weak.config["SECRET_KEY_FALLBACKS"] = ["old", os.urandom(24), "older"]
    Coatcheck(weak)
    starts = [message.partition(" has ")[0] for message in messages(caplog)]
    assert starts == ["the secret key", "fallback secret key 0", "fallback secret key 2"]


def test_testing_may_be_set_after_construction(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    Coatcheck(app)
    app.testing = True
    app.secret_key = "dev"
    client = app.test_client()
    client.get("/keep/user/ada")
    assert client.get("/read").json == {"user": "ada"}
    assert len(messages(caplog)) == 1


def test_a_factory_may_set_a_weak_key_and_testing_last(weak: Flask, caplog: pytest.LogCaptureFixture) -> None:
    key, weak.secret_key = weak.secret_key, None
    Coatcheck(weak)
    weak.config.update(SECRET_KEY=key, TESTING=True)
    client = weak.test_client()
    client.get("/keep/user/ada")
    assert client.get("/read").json == {"user": "ada"}
    assert len(messages(caplog)) == 1


def test_a_change_of_something_else_does_not_warn_again(weak: Flask, caplog: pytest.LogCaptureFixture) -> None:
    weak.testing = True
    Coatcheck(weak)
    weak.config["PERMANENT_SESSION_LIFETIME"] = 60
    weak.test_client().get("/keep/user/ada")
    assert len(messages(caplog)) == 1


def test_testing_that_ends_ends_the_leniency(weak: Flask) -> None:
    weak.testing = True
    Coatcheck(weak)
    weak.test_client().get("/keep/user/ada")
    weak.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=True)
    with pytest.raises(UsageError, match="the secret key has 3 bytes"):
        weak.test_client().get("/keep/user/ada")


def test_a_session_survives_the_day_on_which_the_warning_is_given(weak: Flask) -> None:
    """A weak key gives the same cookies, whatever it was that allowed it."""
    weak.testing = True
    Coatcheck(weak)
    client = weak.test_client()
    client.get("/keep/user/ada")
    weak.config.update(TESTING=False, DEBUG=True)
    assert client.get("/read").json == {"user": "ada"}
