from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coatcheck.errors import UsageError
from coatcheck.stores.url import StoreURL

SECRET = "opensesame"


def parse(url: str, **keywords: Any) -> StoreURL:
    return StoreURL.parse(url, **keywords)


# What is right


def test_a_url_is_taken_apart() -> None:
    url = parse("redis://ali:baba@cave:6380/2?timeout=1.5&prefix=shop:")
    assert (url.scheme, url.user, url.password) == ("redis", "ali", "baba")
    assert (url.hosts, url.path) == ((("cave", 6380),), "/2")
    assert url.options == {"timeout": "1.5", "prefix": "shop:"}


def test_what_is_not_said_is_empty() -> None:
    for text in ("memory:", "memory://"):
        assert parse(text) == StoreURL(scheme="memory")


def test_scheme_and_hosts_are_in_lower_case_and_nothing_else() -> None:
    url = parse("Redis://Ali:Baba@CAVE/Path?prefix=Shop")
    assert (url.scheme, url.user, url.password, url.path) == ("redis", "Ali", "Baba", "/Path")
    assert url.hosts == (("cave", None),)
    assert url.options == {"prefix": "Shop"}


@pytest.mark.parametrize(
    ("places", "hosts"),
    [
        ("cave", (("cave", None),)),
        ("cave:1", (("cave", 1),)),
        ("cave:", (("cave", None),)),
        ("one,two:2,three:65535", (("one", None), ("two", 2), ("three", 65535))),
        ("127.0.0.1:5", (("127.0.0.1", 5),)),
        ("[::1]", (("::1", None),)),
        ("[::1]:7,[FE80::2%25eth0]:8,cave", (("::1", 7), ("fe80::2%25eth0", 8), ("cave", None))),
        ("[::ffff:10.0.0.1]:9", (("::ffff:10.0.0.1", 9),)),
        ("my_cave-1.example", (("my_cave-1.example", None),)),
    ],
)
def test_hosts_have_names_or_addresses_and_perhaps_ports(places: str, hosts: object) -> None:
    assert parse(f"redis://{places}/0").hosts == hosts
    assert parse(f"redis://ali:baba@{places}/0").hosts == hosts


@given(st.text(min_size=1).filter(lambda text: text.isprintable()), st.text(min_size=1), st.text(min_size=1))
def test_every_text_arrives_where_it_is_percent_encoded(user: str, password: str, value: str) -> None:
    url = parse(f"redis://{quote(user, '')}:{quote(password, '')}@cave/{quote(value, '')}?prefix={quote(value, '')}")
    assert (url.user, url.password, url.path, url.options) == (user, password, f"/{value}", {"prefix": value})


def test_a_password_may_hold_an_at_sign_and_a_colon_as_they_are() -> None:
    assert parse("redis://ali:b@b:a@cave").password == "b@b:a"


def test_an_option_may_be_empty() -> None:
    assert parse("redis://cave?prefix=").options == {"prefix": ""}


def test_keywords_win_over_the_query_unless_they_are_none() -> None:
    url = parse("redis://cave?timeout=1&pool=2", timeout=3, pool=None, prefix="shop:")
    assert url.options == {"timeout": 3, "pool": "2", "prefix": "shop:"}


def test_it_shows_neither_user_nor_password_nor_options() -> None:
    shown = repr(parse(f"redis://ali{SECRET}:{SECRET}@cave/0?sentinel_password={SECRET}"))
    assert SECRET not in shown
    assert "cave" in shown


# What is wrong


@pytest.mark.parametrize(
    "url",
    [
        "",
        SECRET,
        f"/{SECRET}",
        f"://{SECRET}",
        f"1redis://{SECRET}",
        f"re dis://{SECRET}",
        f"redis://ali:{SECRET}@cave:port/0",
        f"redis://ali:{SECRET}@cave:0/0",
        f"redis://ali:{SECRET}@cave:65536/0",
        f"redis://ali:{SECRET}@cave:1234567890/0",
        f"redis://ali:{SECRET}@cave:٣/0",
        f"redis://ali:{SECRET}@:6379/0",
        f"redis://ali:{SECRET}@one,,two/0",
        f"redis://ali:{SECRET}@one,/0",
        f"redis://ali:{SECRET}@::1/0",
        f"redis://ali:{SECRET}@[::1/0",
        f"redis://ali:{SECRET}@[::1]x:5/0",
        f"redis://ali:{SECRET}@[cave]/0",
        f"redis://ali:{SECRET}@cave/0?timeout",
        f"redis://ali:{SECRET}@cave/0?timeout=1&timeout=2",
        f"redis://ali:{SECRET}@cave/0?prefix=%FF",
        f"redis://ali:{SECRET}@cave/%FF",
        f"redis://ali:%FF{SECRET}@cave/0",
        f"redis://ali:{SECRET}@cave/0\n",
        f"redis://ali:{SECRET}\n@cave/0",
        f"redis://ali:{SECRET}@ca\tve/0",
        f"redis://ali:{SECRET}@cave/0\0",
        f"redis://ali:{SECRET}@cave/\ud800",
        # A password that should have been percent-encoded.
        f"redis://ali:12/{SECRET}@cave/0",
        f"redis://ali:12#{SECRET}@cave/0",
        f"redis://ali:12?{SECRET}@cave/0",
        f"redis://ali:12?{SECRET}=12@cave/0",
        f"redis://ali:b@b:12?{SECRET}=12@cave/0",
        f"redis://ali:b@b:12/{SECRET}@cave/0",
        f"redis://ali:[{SECRET}@cave/0",
    ],
)
def test_what_cannot_be_read_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(url)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("url", ["sqlite://:memory:", "SQLite://a:b/c"])
def test_a_file_that_is_named_wrongly_is_told_how_one_is_named(url: str) -> None:
    with pytest.raises(UsageError, match="^the URL of the store cannot be read; that of a file is as sqlite:///"):
        parse(url)


def test_an_at_sign_in_the_path_of_a_file_is_part_of_it() -> None:
    assert parse("sqlite:////home/ali@cave/sessions.db").path == "//home/ali@cave/sessions.db"


@pytest.mark.parametrize("url", [None, 5, b"redis://cave", ["redis://cave"]])
def test_what_is_no_text_is_refused(url: Any) -> None:
    with pytest.raises(UsageError, match="a store is named by a URL, such as redis://localhost:6379/0"):
        parse(url)


@given(st.text())
@example("a://[")
@example("a://\u2100")
@example("a:?=")
@example("a://@")
@example("a://[::1]]")
def test_no_text_raises_anything_else(text: str) -> None:
    for url in (text, f"redis:{text}", f"redis://{text}", f"redis://cave/{text}", f"redis://cave?{text}"):
        with suppress(UsageError):
            parse(url)


# Options


def test_an_unknown_option_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="^a redis store has no option 'colour'; there are pool, timeout$"):
        parse(f"redis://cave?colour={SECRET}").check(("timeout", "pool"))


def test_a_near_miss_is_refused_with_what_was_meant() -> None:
    for url in (parse("redis://cave?timeoute=1"), parse("redis://cave", tiemout=1)):
        with pytest.raises(UsageError, match="a redis store has no option '.*'; did you mean 'timeout'[?]$"):
            url.check(("timeout", "pool"))


def test_known_options_pass() -> None:
    parse("redis://cave?timeout=1", pool=5).check(("timeout", "pool"))


@pytest.mark.parametrize(
    ("given", "expected"), [("1.5", 1.5), ("2", 2), (3, 3), (0.001, 0.001), ("1e3", 1000), (None, 9)]
)
def test_seconds_are_a_positive_number(given: Any, expected: float) -> None:
    assert parse("redis://cave", timeout=given).seconds("timeout", 9) == expected


@pytest.mark.parametrize(("given", "expected"), [("1", 1), (7, 7), ("100000", 100_000), (2.0, 2), (None, 9)])
def test_a_count_is_a_positive_whole_number(given: Any, expected: int) -> None:
    found = parse("redis://cave", pool=given).count("pool", 9)
    assert found == expected
    assert type(found) is int


WRONG_NUMBERS = ["", "0", "-1", "nan", "inf", "1e400", SECRET, 0, -1, True, False, [], "9" * 5000, float("inf"), 1e10]


@pytest.mark.parametrize("given", WRONG_NUMBERS)
def test_a_wrong_number_is_refused_and_not_repeated(given: Any) -> None:
    url = parse("redis://cave", number=given)
    for read in (url.seconds, url.count):
        with pytest.raises(UsageError) as caught:
            read("number", 1)
        assert str(caught.value) == "the option 'number' of a store is a number above 0"


def test_half_a_thing_is_no_count() -> None:
    for half in ("1.5", 1.5):
        with pytest.raises(UsageError):
            parse("redis://cave", pool=half).count("pool", 1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *[(on, True) for on in ("true", "Yes", "on", "1", True, 1)],
        *[(off, False) for off in ("false", "NO", "off", "0", False, 0)],
        (None, True),
    ],
)
def test_a_switch_is_on_or_off(given: Any, expected: bool) -> None:
    assert parse("redis://cave", sweep=given).switch("sweep", default=True) is expected


@pytest.mark.parametrize("given", ["", "maybe", SECRET, 2, [], "truee"])
def test_a_switch_is_nothing_else(given: Any) -> None:
    with pytest.raises(UsageError, match="^the option 'sweep' of a store is true or false$"):
        parse("redis://cave", sweep=given).switch("sweep", default=True)


def test_text_is_text() -> None:
    assert parse("redis://cave?prefix=shop:").text("prefix", "session:") == "shop:"
    assert parse("redis://cave").text("prefix", "session:") == "session:"
    assert parse("redis://cave").text("prefix") is None
    with pytest.raises(UsageError, match="^the option 'prefix' of a store is text$"):
        parse("redis://cave", prefix=5).text("prefix")
