from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coatcheck.errors import UsageError
from coatcheck.stores import AsyncStore, Store, open_async_store, open_store
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.threaded import ThreadedStore

SECRET = "opensesame"
SCHEMES = [
    "memory",
    "sqlite",
    "redis",
    "rediss",
    "redis+sentinel",
    "redis+cluster",
    "valkey",
    "postgresql",
    "postgresql+psycopg",
    "postgresql+asyncpg",
    "mysql",
    "mysql+pymysql",
    "mariadb",
    "memcached",
]
OPENERS: list[Callable[..., object]] = [open_store, open_async_store]

EACH = [
    ("memory:", "MemoryStore"),
    ("sqlite:///sessions.db", "SQLiteStore"),
    ("redis://cave:6379/0", "RedisStore"),
    ("rediss://cave:6379/0", "RedisStore"),
    ("redis+sentinel://cave:26379/master", "RedisStore"),
    ("redis+cluster://cave:6379", "RedisStore"),
    ("valkey://cave", "RedisStore"),
    ("valkeys+cluster://cave", "RedisStore"),
    ("postgresql://ali:baba@cave/sessions", "SQLStore"),
    ("mysql://ali:baba@cave/sessions", "SQLStore"),
    ("mariadb://ali:baba@cave/sessions", "SQLStore"),
    ("memcached://cave,cave2", "MemcachedStore"),
]


@pytest.mark.parametrize(("url", "name"), EACH)
def test_each_url_gives_its_store_and_connects_to_nobody(url: str, name: str) -> None:
    store = open_store(url)
    assert type(store).__name__ == name
    assert isinstance(store, Store)
    assert "baba" not in repr(store)
    getattr(store, "close", lambda: None)()


@pytest.mark.parametrize(("url", "name"), EACH[2:])
def test_for_asyncio_it_gives_a_store_that_is_made_for_it(url: str, name: str) -> None:
    store = open_async_store(url)
    assert type(store).__name__ == f"Async{name}"
    assert isinstance(store, AsyncStore)
    assert "baba" not in repr(store)


@pytest.mark.parametrize(("url", "name"), EACH[:2])
def test_for_asyncio_a_store_that_is_sync_by_nature_works_in_threads(url: str, name: str) -> None:
    store = open_async_store(url)
    assert isinstance(store, ThreadedStore)
    assert repr(store).startswith(f"<ThreadedStore of <{name}")


def test_options_go_into_the_url_or_beside_it() -> None:
    store = open_store("memory:?limit=5", limit=7)
    assert isinstance(store, MemoryStore)
    assert store.limit == 7


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("url", "hint"),
    [
        (f"x://ali:{SECRET}@cave", "there are memory, sqlite, redis, "),
        (f"http://ali:{SECRET}@cave", "there are memory"),
        (f"postgres://ali:{SECRET}@cave/db", "did you mean 'postgresql'?"),
        (f"memcache://ali:{SECRET}@cave", "did you mean 'memcached'?"),
        (f"sqlite3:///{SECRET}", "did you mean 'sqlite'?"),
        (f"in-memory:{SECRET}", "did you mean 'memory'?"),
    ],
)
def test_an_unknown_kind_is_refused_with_a_hint(opener: Callable[..., object], url: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        opener(url)
    assert str(caught.value).startswith(f"there is no store {url.partition(':')[0]!r}; {hint}")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_option_that_is_wrong_is_refused_and_not_repeated(opener: Callable[..., object], scheme: str) -> None:
    place = {"memory": ":", "sqlite": ":///sessions.db"}.get(scheme, f"://ali:{SECRET}@cave/name")
    for query in (f"x={SECRET}", f"timeout={SECRET}", f"pool={SECRET}", f"limit={SECRET}"):
        with pytest.raises(UsageError) as caught:
            opener(f"{scheme}{place}?{query}")
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("opener", OPENERS)
@given(scheme=st.sampled_from(SCHEMES), text=st.text(max_size=30), query=st.text(max_size=30))
@settings(max_examples=60)
def test_no_text_whatsoever_raises_anything_but_usage_errors(
    opener: Callable[..., object], scheme: str, text: str, query: str
) -> None:
    for url in (text, f"{scheme}:{text}", f"{scheme}://{text}", f"{scheme}://cave/{text}?{query}"):
        for option in ("", "?timeout=", "?prefix=", "?pool="):
            with suppress(UsageError):
                opener(f"{url}{option}{query}" if option else url)


def test_a_module_is_imported_when_its_store_is_asked_for() -> None:
    program = (
        "import sys; from coatcheck.stores import open_store; open_store('memory:')\n"
        "print([name for name in sys.modules if name.split('.')[0] in"
        " ('redis', 'sqlalchemy', 'sqlite3', 'pymemcache', 'asyncio')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("redis://cave", "redis", "redis"),
        ("postgresql://cave/db", "sqlalchemy", "postgresql"),
        ("memcached://cave", "pymemcache", "memcached"),
    ],
)
def test_a_package_that_is_missing_is_an_import_error_with_what_to_install(url: str, package: str, extra: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from coatcheck.stores import open_store\n"
        f"try: open_store({url!r})\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert f"pip install 'coatcheck[{extra}]'" in done.stdout


def test_the_options_of_a_store_can_be_any(tmp_path: Any) -> None:
    store = open_store(f"sqlite:///{tmp_path}/sessions.db", timeout=1, sweep=False)
    assert store.read(bytes(32)) is None
    store.close()  # type: ignore[attr-defined]
