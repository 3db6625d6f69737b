"""Many visitors at once, on a real server with a thread for each request: nobody sees another's session."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.cookiejar import CookieJar
from threading import Barrier

import pytest
from flask import Flask

from coatcheck.flask import Coatcheck, session

Enter = Callable[[CookieJar], Callable[[str], str]]

THREADS = 8
REQUESTS = 50


@pytest.fixture
def enter_shop(app: Flask, browse: Callable[[Flask, CookieJar], Callable[[str], str]]) -> Enter:
    """Gives for a cookie jar what its visitor's browser does."""
    Coatcheck(app)

    @app.get("/enter/<name>")
    def enter(name: str) -> str:
        session["name"] = name
        session["steps"] = []
        return name

    @app.get("/step/<int:number>")
    def step(number: int) -> str:
        session["steps"].append(number)
        return f"{session['name']} {len(session['steps'])}"

    @app.get("/who")
    def who() -> str:
        return str(session.get("name"))

    browse(app, CookieJar())  # the server runs before the threads do
    return partial(browse, app)


def test_each_of_eight_browsers_reads_only_its_own_session(enter_shop: Enter) -> None:
    start = Barrier(THREADS)

    def visit(index: int) -> list[str]:
        name, get = ("ada", "bob")[index % 2] + str(index), enter_shop(CookieJar())
        start.wait(60)
        get(f"/enter/{name}")
        return [get(f"/step/{number}") for number in range(REQUESTS)]

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(visit, range(THREADS)))
    for index, answer in enumerate(answers):
        name = ("ada", "bob")[index % 2] + str(index)
        assert answer == [f"{name} {number + 1}" for number in range(REQUESTS)]


def test_two_users_with_four_threads_each_are_never_mixed_up(enter_shop: Enter) -> None:
    jars = {name: CookieJar() for name in ("ada", "bob")}
    for name, jar in jars.items():
        enter_shop(jar)(f"/enter/{name}")
    start = Barrier(THREADS)

    def visit(index: int) -> set[str]:
        jar = CookieJar()
        for cookie in jars[("ada", "bob")[index % 2]]:
            jar.set_cookie(cookie)
        get = enter_shop(jar)
        start.wait(60)
        return {get("/who") for _ in range(REQUESTS)}

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(visit, range(THREADS)))
    assert answers == [{"ada"}, {"bob"}] * (THREADS // 2)


def test_first_requests_at_the_same_instant_all_get_a_session(app: Flask, enter_shop: Enter) -> None:
    """The engine is built by whichever comes first, and also while the configuration changes."""
    start = Barrier(THREADS + 1)

    def visit(index: int) -> str:
        get = enter_shop(CookieJar())
        start.wait(60)
        for _ in range(10):
            get(f"/enter/{index}")
        return get("/who")

    with ThreadPoolExecutor(THREADS) as pool:
        answers = pool.map(visit, range(THREADS))
        start.wait(60)
        for seconds in range(60, 160):
            app.config["PERMANENT_SESSION_LIFETIME"] = seconds
        assert list(answers) == [str(index) for index in range(THREADS)]
