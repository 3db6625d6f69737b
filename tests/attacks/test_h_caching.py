"""H9: two visitors behind one shared cache, of the better and of the worse kind."""

from __future__ import annotations

import os
import re

import pytest
from attacks.harness import DAY, Answer, Site
from flask import Response, make_response, request

from coatcheck.flask import session


class SharedCache:
    """Stores what it may, and hands it to whoever asks next.

    With `honours_vary` it is a cache after RFC 9111 that also guesses a lifetime
    where none is said. Without, it looks at `Cache-Control` alone and stores what
    that calls fresh.
    """

    def __init__(self, site: Site, *, honours_vary: bool) -> None:
        self.site = site
        self.honours_vary = honours_vary
        self.stored: list[tuple[str, dict[str, str], Answer]] = []
        self.hits = 0

    def get(self, path: str, cookie: str = "") -> Answer:
        asked = {"cookie": cookie, "accept": "text/html"}
        for known, selecting, answer in self.stored:
            if known == path and all(asked.get(field, "") == value for field, value in selecting.items()):
                self.hits += 1
                return answer
        answer = self.site.get(path, cookie or None, HTTP_ACCEPT=asked["accept"])
        if self.may_store(answer):
            fields = {field.strip().lower() for value in answer.all("Vary") for field in value.split(",")}
            if not self.honours_vary:
                fields = set()
            if "*" not in fields:
                self.stored.append((path, {field: asked.get(field, "") for field in fields}, answer))
        return answer

    def may_store(self, answer: Answer) -> bool:
        directives = {each.strip().lower() for value in answer.all("Cache-Control") for each in value.split(",")}
        if directives & {"no-store", "private", "no-cache"}:
            return False
        fresh = any(re.fullmatch(r"public|(s-maxage|max-age)=[1-9]\d*", each) for each in directives)
        return fresh or self.honours_vary


@pytest.fixture
def site() -> Site:
    site = Site(permanent_lifetime=DAY)

    def sign_in() -> Response:
        session["user"] = request.args["user"]
        return cacheable(f"welcome {session['user']}")

    def me() -> str:
        return f"you are {session.get('user', 'nobody')}"

    def count() -> Response:
        session["count"] = session.get("count", 0) + 1
        return cacheable(f"{session.get('user', 'nobody')}: {session['count']}")

    def greet_or_invite() -> str:
        return "signed in" if "user" in session else "sign in"

    def poster() -> Response:
        return cacheable(f"poster {os.urandom(8).hex()}")

    for view in (sign_in, me, count, greet_or_invite, poster):
        site.app.add_url_rule(f"/{view.__name__}", view_func=view)
    return site


def cacheable(text: str) -> Response:
    response = make_response(text)
    response.headers["Cache-Control"] = "public, max-age=600"
    return response


@pytest.fixture(params=[True, False], ids=["honours Vary", "ignores Vary"])
def cache(site: Site, request: pytest.FixtureRequest) -> SharedCache:
    return SharedCache(site, honours_vary=request.param)


@pytest.fixture
def cookies(site: Site) -> dict[str, str]:
    return {user: site.get(f"/sign_in?user={user}").pair for user in ("ann", "bob")} | {"nobody": ""}


def test_the_cache_does_store_what_is_the_same_for_all(cache: SharedCache, cookies: dict[str, str]) -> None:
    bodies = {cache.get("/poster", cookie).body for cookie in cookies.values() for _ in range(3)}
    assert len(bodies) == 1
    assert cache.hits == 8


def test_h9_nobody_gets_the_page_of_another(cache: SharedCache, cookies: dict[str, str]) -> None:
    for _ in range(3):
        for user, cookie in cookies.items():
            assert cache.get("/me", cookie).text == f"you are {user}"
            assert cache.get("/greet_or_invite", cookie).text == ("sign in" if user == "nobody" else "signed in")
    assert (cache.hits > 0) is cache.honours_vary


def test_h9_nobody_gets_the_cookie_of_another(cache: SharedCache, cookies: dict[str, str]) -> None:
    seen: list[str] = []
    for user, cookie in cookies.items():
        for path in ("/count", "/count", f"/sign_in?user={user}x"):
            answer = cache.get(path, cookie)
            assert answer.text.startswith((f"{user}: ", f"welcome {user}x"))
            seen += answer.cookies
    assert len(seen) == len(set(seen)) == 9
    assert cache.hits == 0


def test_h9_the_first_cookie_of_a_new_visitor_is_not_handed_on(cache: SharedCache) -> None:
    """Both ask without a cookie, which is all that `Vary` could tell them apart by."""
    first, second = cache.get("/count"), cache.get("/count")
    assert (first.text, second.text) == ("nobody: 1", "nobody: 1")
    assert first.pair != second.pair


def test_h9_a_refreshed_cookie_is_not_handed_on(cache: SharedCache, site: Site, cookies: dict[str, str]) -> None:
    site.now += DAY // 2
    for user in ("ann", "bob"):
        for _ in range(2):
            answer = cache.get("/me", cookies[user])
            assert answer.text == f"you are {user}"
            assert len(answer.cookies) == 1
    assert cache.hits == 0


def test_h9_a_deletion_is_not_handed_on(cache: SharedCache, cookies: dict[str, str]) -> None:
    assert len(cache.get("/logout", cookies["ann"]).cookies) == 1
    assert len(cache.get("/logout", cookies["bob"]).cookies) == 1
    assert cache.get("/logout").cookies == []
    assert cache.get("/me", cookies["bob"]).text == "you are bob"
