"""What a response says to caches."""

from __future__ import annotations

import pytest

from coatcheck.core.headers import add_no_store, add_vary, put


@pytest.mark.parametrize(
    ("present", "header"),
    [
        ([], "Cookie"),
        ([""], "Cookie"),
        (["Accept"], "Accept, Cookie"),
        (["Accept-Encoding, Accept"], "Accept-Encoding, Accept, Cookie"),
        (["Accept", "Origin"], "Accept, Origin, Cookie"),
        (["Accept,\tOrigin , "], "Accept, Origin, Cookie"),
        ([" , ,"], "Cookie"),
        (["Cookie2"], "Cookie2, Cookie"),
        (["X-Cookie"], "X-Cookie, Cookie"),
        (["Accept*"], "Accept*, Cookie"),
        (["Cookie"], None),
        (["cookie"], None),
        (["COOKIE"], None),
        (["Accept, cookie"], None),
        (["Accept", "Cookie"], None),
        (["Accept,Cookie,Origin"], None),
        (["*"], None),
        (["Accept, *"], None),
        (["Accept", " * "], None),
    ],
)
def test_vary_says_cookie_and_keeps_what_it_said(present: list[str], header: str | None) -> None:
    assert add_vary(present) == header


@pytest.mark.parametrize(
    ("present", "header"),
    [
        ([], "no-store"),
        ([""], "no-store"),
        (["public, max-age=3600"], "no-store"),
        (["private"], "no-store"),
        (["no-cache"], "no-store"),
        (["x-no-store"], "no-store"),
        (["no-store=1"], "no-store"),
        (['private="no-store"'], "no-store"),
        (["no-store"], None),
        (["No-Store"], None),
        (["private, no-store"], None),
        (["private", "max-age=0 ,\tno-store "], None),
    ],
)
def test_cache_control_forbids_storing(present: list[str], header: str | None) -> None:
    assert add_no_store(present) == header


CLEAR = ("Clear-Site-Data", '"cache", "storage"')


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], [("Vary", "Cookie"), CLEAR]),
        ([("Clear-Sound-Data", "1")], [("Clear-Sound-Data", "1"), ("Vary", "Cookie"), CLEAR]),
        # What the application says may be more, or less on purpose.
        ([("clear-site-data", '"*"')], [("clear-site-data", '"*"'), ("Vary", "Cookie")]),
        ([("Clear-Site-Data", "")], [("Clear-Site-Data", ""), ("Vary", "Cookie")]),
    ],
)
def test_a_browser_is_told_to_clear_what_it_has_unless_the_application_says_what(
    headers: list[tuple[str, str]], expected: list[tuple[str, str]]
) -> None:
    put(headers, [], clears=True)
    assert headers == expected


@pytest.mark.parametrize(
    ("headers", "cookies", "expected"),
    [
        ([], [], [("Vary", "Cookie")]),
        ([], ["a=1"], [("Vary", "Cookie"), ("Cache-Control", "no-store"), ("Set-Cookie", "a=1")]),
        (
            [("vary", "Accept"), ("X-One", "1"), ("VARY", "Origin"), ("cache-control", "public")],
            ["a=1", "b=2"],
            [
                ("X-One", "1"),
                ("Vary", "Accept, Origin, Cookie"),
                ("Cache-Control", "no-store"),
                ("Set-Cookie", "a=1"),
                ("Set-Cookie", "b=2"),
            ],
        ),
        ([("Vary", "*"), ("Cache-Control", "no-store")], [], [("Vary", "*"), ("Cache-Control", "no-store")]),
        ([("Cache-Control", "public")], [], [("Cache-Control", "public"), ("Vary", "Cookie")]),
        # Others of these lengths, and what sets cookies of its own.
        (
            [("Etag", "1"), ("Last-Modified", "1"), ("Set-Cookie", "c=3")],
            [],
            [("Etag", "1"), ("Last-Modified", "1"), ("Set-Cookie", "c=3"), ("Vary", "Cookie")],
        ),
    ],
)
def test_what_a_response_says_is_put_into_its_headers(
    headers: list[tuple[str, str]], cookies: list[str], expected: list[tuple[str, str]]
) -> None:
    put(headers, cookies)
    assert headers == expected
