"""The option `store`, said wrongly in the ways in which people do, and changed while the application runs."""

from __future__ import annotations

import os
import sys
import traceback
from logging import DEBUG
from pathlib import Path

import pytest
from flask import Flask

import coatcheck
from coatcheck import UsageError
from coatcheck.flask import Coatcheck
from coatcheck.stores import open_async_store
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore

PASSWORD = "marmalade"
PACKAGE = str(Path(coatcheck.__file__).parent)


def refusal(app: Flask, store: object, kind: type[Exception] = UsageError) -> str:
    """Gives the message with which a store is refused, alike as a keyword and in the configuration."""
    messages = set()
    with pytest.raises(kind) as by_keyword:
        Coatcheck(app, store=store)
    messages.add(str(by_keyword.value))
    app.config["SESSION_STORE"] = store
    with pytest.raises(kind) as by_configuration:
        Coatcheck(app)
    messages.add(str(by_configuration.value))
    (message,) = messages
    return message


# Said wrongly


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "a store is named by a URL, such as redis://localhost:6379/0"),
        ("redis", "a store is named by a URL, such as redis://localhost:6379/0"),
        ("memory", "a store is named by a URL"),
        ("localhost", "a store is named by a URL"),
        ("/var/lib/sessions.db", "a store is named by a URL"),
        ("localhost:6379", "there is no store 'localhost'"),
        ("redi://localhost", "there is no store 'redi'; did you mean 'redis'?"),
        ("sqlit:///sessions.db", "there is no store 'sqlit'; did you mean 'sqlite'?"),
        ("postgres+psycopg://localhost/shop", "did you mean 'postgresql'?"),
        ("mongodb://localhost", "there is no store 'mongodb'"),
        ("sqlite://sessions.db", "three slashes"),
        ("sqlite:///:memory:", "memory:"),
        ("redis://", "names one server: redis://host"),
        ("redis:localhost", "names one server: redis://host"),
        ("redis://localhost/first", "the database of a redis store is a number"),
        ("redis://localhost:port/0", "the URL of the store cannot be read"),
        ("redis://localhost?tiemout=1", "did you mean 'timeout'?"),
        ("redis://localhost?timeout=soon", "the option 'timeout' of a store is a number above 0"),
        ("memcached://", "names its servers"),
    ],
)
def test_a_url_that_cannot_be_right_is_refused_with_the_next_step(app: Flask, url: str, words: str) -> None:
    assert words in refusal(app, url)


@pytest.mark.parametrize(
    "store",
    [object(), {}, 6379, b"redis://localhost", Path("sessions.db"), MemoryStore],
    ids=lambda store: repr(store)[:20],
)
def test_an_object_that_is_no_store_is_refused(app: Flask, store: object) -> None:
    assert refusal(app, store) == "store must be a URL, or an object with the methods of coatcheck.stores.Store"


def test_a_store_for_asyncio_is_refused(app: Flask) -> None:
    assert (
        refusal(app, open_async_store("memory:")) == "store is a store for asyncio, and this framework needs a sync one"
    )


def test_an_earlier_store_is_held_to_the_same(app: Flask) -> None:
    with pytest.raises(UsageError, match="earlier_store must be a URL, or an object"):
        Coatcheck(app, earlier_store=object())
    with pytest.raises(UsageError, match="did you mean 'redis'?"):
        Coatcheck(app, earlier_store="redi://localhost")


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("redis://localhost", "redis", "coatcheck[redis]"),
        ("memcached://localhost", "pymemcache", "coatcheck[memcached]"),
    ],
)
def test_a_missing_package_is_named_with_what_to_install(
    app: Flask, monkeypatch: pytest.MonkeyPatch, url: str, package: str, extra: str
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package or name.startswith("coatcheck.stores.")]:
        if name.startswith((f"coatcheck.stores.{url.partition(':')[0]}", package)):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert f"pip install '{extra}'" in refusal(app, url, ImportError)


def test_none_is_no_store(app: Flask) -> None:
    """As where an environment variable is not set: the session is sealed into its cookie."""
    app.config["SESSION_STORE"] = None
    Coatcheck(app, store=None)
    client = app.test_client()
    client.get("/keep/user/ada")
    cookie = client.get_cookie("session")
    assert cookie is not None and len(cookie.value) > 44


@pytest.mark.parametrize("given", [True, False])
def test_options_of_flask_session_are_said_to_mean_nothing_here(
    app: Flask, caplog: pytest.LogCaptureFixture, given: bool
) -> None:
    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=object(), SESSION_STORE="memory:" if given else None)
    Coatcheck(app)
    app.test_client().get("/keep/user/ada")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == (0 if given else 1)
    assert given or ("SESSION_TYPE is an option of Flask-Session" in lines[0] and "SESSION_STORE" in lines[0])


# What is never shown


@pytest.mark.parametrize(
    "url",
    [
        f"redi://:{PASSWORD}@localhost/0",
        f"redis://:{PASSWORD}@localhost/first",
        f"redis://:{PASSWORD}@localhost:port/0",
        f"redis://:{PASSWORD}@localhost?tiemout=1",
        f"redis://user:{PASSWORD}/1@localhost/0",
        f"sqlite://user:{PASSWORD}@localhost/sessions.db",
        f"memory:?password={PASSWORD}",
        f"memcached://user:{PASSWORD}@localhost/path",
        f":{PASSWORD}@localhost",
    ],
)
@pytest.mark.parametrize("keyword", [True, False])
def test_no_refusal_shows_the_url_or_its_password(app: Flask, url: str, keyword: bool) -> None:
    app.config["SESSION_STORE"] = None if keyword else url
    with pytest.raises(UsageError) as caught:
        Coatcheck(app, **({"store": url} if keyword else {}))
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    for frame in report.stack:
        if frame.filename.startswith(PACKAGE):
            assert PASSWORD not in repr(frame.locals)


def test_a_store_that_is_down_shows_neither_in_the_log_nor_to_the_visitor(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(DEBUG)
    Coatcheck(app, store=f"redis://user:{PASSWORD}@127.0.0.1:1/0")
    response = app.test_client().get("/keep/user/ada")
    assert response.status_code == 503
    lines = "".join(record.getMessage() for record in caplog.records)
    assert "Redis cannot be reached" in lines
    assert PASSWORD not in lines + response.text + repr(app.session_interface) + repr(app.extensions)


# Changed while the application runs


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("PERMANENT_SESSION_LIFETIME", 60),
        ("SESSION_ABSOLUTE_LIFETIME", 3600),
        ("SESSION_COOKIE_PATH", "/read"),
        ("SESSION_STORE_DOWN", "empty"),
        ("SESSION_MERGE", {"cart": max}),
    ],
)
def test_another_configuration_goes_on_with_the_same_store(app: Flask, option: str, value: object) -> None:
    Coatcheck(app, store="memory:")
    client = app.test_client()
    client.get("/keep/user/ada")
    app.config[option] = value
    assert client.get("/read").json == {"user": "ada"}


def test_the_key_may_be_rotated_and_the_store_stays(app: Flask) -> None:
    Coatcheck(app, store="memory:")
    client = app.test_client()
    client.get("/keep/user/ada")
    app.config["SECRET_KEY_FALLBACKS"] = [app.config["SECRET_KEY"]]
    app.config["SECRET_KEY"] = os.urandom(24)
    assert client.get("/read").json == {"user": "ada"}
    app.config["SECRET_KEY_FALLBACKS"] = []
    assert client.get("/read").json == {"user": "ada"}


def test_a_store_may_be_configured_between_two_requests(app: Flask) -> None:
    Coatcheck(app)
    client = app.test_client()
    client.get("/keep/user/ada")
    app.config["SESSION_STORE"] = "memory:"
    client.get("/keep/step/one")
    cookie = client.get_cookie("session")
    assert cookie is not None and len(cookie.value) == 44
    app.config.update(SESSION_STORE=None, SESSION_EARLIER_STORE="memory:")
    assert client.get("/read").json == {"user": "ada", "step": "one"}


def test_the_keyword_wins(app: Flask, store: FailingStore, clock: Clock) -> None:
    app.config["SESSION_STORE"] = "redis://127.0.0.1:1/0"
    Coatcheck(app, store=store, revocations="memory:", clock=clock)
    client = app.test_client()
    client.get("/keep/user/ada")
    assert client.get("/read").json == {"user": "ada"}
    assert store.calls == ["insert", "read"]


def test_two_applications_have_no_memory_in_common() -> None:
    coatcheck = Coatcheck(store="memory:")
    handles = []
    for name in ("shop", "blog"):
        app = Flask(name)
        app.config["SECRET_KEY"] = "7d3c1f0a9be84265d0c4f1a27e5b8396"
        coatcheck.init_app(app)
        with app.test_client().session_transaction() as stored:
            stored["user"] = name
        handles.append(app)
    first, second = handles
    assert first.session_interface is not second.session_interface
    assert repr(vars(first.session_interface)["_stores"]) == "{'memory:': <MemoryStore, 1 records>}"


def test_applications_may_share_a_store(clock: Clock, store: FailingStore) -> None:
    """Each under its own audience, and neither opens what the other has kept."""
    clients = []
    for name in ("shop", "blog"):
        app = Flask(name)
        app.config["SECRET_KEY"] = "7d3c1f0a9be84265d0c4f1a27e5b8396"
        Coatcheck(app, store=store, clock=clock, audience=name)
        client = app.test_client()
        with client.session_transaction() as stored:
            stored["user"] = name
        clients.append(client)
    shop, blog = clients
    for client, user in ((shop, "shop"), (blog, "blog")):
        with client.session_transaction() as stored:
            assert stored["user"] == user
    cookie = shop.get_cookie("session")
    assert cookie is not None
    blog.set_cookie("session", cookie.value)
    with blog.session_transaction() as stored:
        assert dict(stored) == {}


@pytest.mark.parametrize("kind", ["memory:", "sqlite:///{}/sessions.db"])
def test_a_store_that_is_opened_from_a_url_follows_the_clock_that_the_configuration_names_later(
    app: Flask, tmp_path: Path, kind: str
) -> None:
    Coatcheck(app, store=kind.format(tmp_path))
    browser = app.test_client()
    for now in (1_000_000_000, 1_000_000_000 + 30 * 86400):
        app.config["SESSION_CLOCK"] = Clock(now)
        with browser.session_transaction() as stored:
            stored.setdefault("begun", now)
        with browser.session_transaction() as stored:
            assert stored["begun"] == 1_000_000_000
    app.config["SESSION_CLOCK"] = Clock(now + 32 * 86400)
    with browser.session_transaction() as stored:
        assert "begun" not in stored
