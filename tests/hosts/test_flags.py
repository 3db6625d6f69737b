"""The attributes of the cookie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hosts.conftest import Make
from hosts.host import Browser
from hosts.pages import PAGES
from kit import attributes


def flags(make: Make, storage: Mapping[str, Any], *, https: bool = True, **options: Any) -> dict[str, str]:
    (cookie,) = Browser(make(PAGES, **options, **storage), https=https).get("/put").cookies
    return attributes(cookie)


def test_the_cookie_is_httponly_lax_and_for_the_whole_host(make: Make, storage: Mapping[str, Any]) -> None:
    assert flags(make, storage) == {"httponly": "", "path": "/", "samesite": "Lax", "secure": ""}


def test_it_is_secure_exactly_when_the_request_came_by_https(make: Make, storage: Mapping[str, Any]) -> None:
    assert "secure" not in flags(make, storage, https=False)


@pytest.mark.parametrize("https", [True, False])
@pytest.mark.parametrize("secure", [True, False])
def test_it_is_secure_always_or_never_where_the_option_says_so(
    make: Make, storage: Mapping[str, Any], https: bool, secure: bool
) -> None:
    assert ("secure" in flags(make, storage, https=https, cookie_secure=secure)) is secure


def test_every_attribute_follows_its_option(make: Make, storage: Mapping[str, Any]) -> None:
    options: dict[str, Any] = {
        "cookie_path": "/shop",
        "cookie_domain": "shop.example",
        "cookie_samesite": "None",
        "cookie_secure": True,
        "cookie_partitioned": True,
        "cookie_httponly": False,
    }
    assert flags(make, storage, **options) == {
        "domain": "shop.example",
        "path": "/shop",
        "samesite": "None",
        "secure": "",
        "partitioned": "",
    }


def test_a_host_prefixed_name_is_kept_to_its_rules(make: Make, storage: Mapping[str, Any]) -> None:
    browser = Browser(make(PAGES, cookie_name="__Host-id", cookie_secure=True, **storage))
    (cookie,) = browser.get("/put").cookies
    assert cookie.startswith("__Host-id=")
    assert attributes(cookie) == {"httponly": "", "path": "/", "samesite": "Lax", "secure": ""}
    assert browser.get("/look").text == "{'user': 'ann'}"


@pytest.mark.parametrize("page", ["destroy", "clear"])
def test_the_cookie_is_deleted_with_the_attributes_it_was_set_with(
    make: Make, storage: Mapping[str, Any], page: str
) -> None:
    options = {"cookie_path": "/shop", "cookie_domain": "shop.example", "cookie_secure": True}
    browser = Browser(make(PAGES, **options, cookie_samesite="Strict", cookie_partitioned=True, **storage))
    (begun,) = browser.get("/put").cookies
    answer = browser.get(f"/{page}")
    (ended,) = answer.cookies
    gone = attributes(ended)
    assert (gone.pop("max-age"), gone.pop("expires")) == ("0", "Thu, 01 Jan 1970 00:00:00 GMT")
    assert gone == attributes(begun)
    assert ended.startswith("session=;")
    assert answer.vary == ["cookie"]
    assert "no-store" in answer.cache
    assert browser.get("/look").text == "{}"
