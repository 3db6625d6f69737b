"""A store that fails is answered with 503, or with what the application says to it."""

from __future__ import annotations

from typing import Any

import pytest
from hosts.host import Answer
from pyramid.config import Configurator
from pyramid.response import Response
from pyramid_host.shop import Shop

from coatcheck import StoreError
from coatcheck.testing import FailingStore


def is_refusal(answer: Answer) -> bool:
    return (
        (answer.status, answer.text, answer.cookies) == (503, "Service Unavailable\n", [])
        and (answer.vary, answer.cache) == (["cookie"], ["no-store"])
        and answer.all("Content-Length") == ["20"]
        and answer.all("Location") == []
    )


def catch_all(config: Any) -> None:
    config.add_exception_view(lambda error, request: Response("sorry", 500), context=Exception)


@pytest.mark.parametrize("extend", [lambda _: None, catch_all], ids=["bare", "under a view for any error"])
def test_at_the_first_look(extend: Any, store: FailingStore) -> None:
    shop = Shop(extend, store=store)
    shop.get("/put")
    store.down = True
    assert is_refusal(shop.get("/look"))
    assert shop.get("/plain").status == 200
    store.down = False
    assert shop.seen() == {"user": "ann"}


@pytest.mark.parametrize("extend", [lambda _: None, catch_all], ids=["bare", "under a view for any error"])
def test_at_the_commit(extend: Any, store: FailingStore) -> None:
    def buy(request: Any) -> Any:
        request.session["bought"] = True
        store.down = True
        return Response(b"bought", 302, headerlist=[("Location", "/paid"), ("Set-Cookie", "paid=1")])

    shop = Shop(extend, views={"buy": buy}, store=store)
    shop.get("/put")
    assert is_refusal(shop.get("/buy"))
    store.down = False
    assert shop.seen() == {"user": "ann"}


@pytest.mark.parametrize("when", ["look", "commit"])
def test_a_view_of_the_application_has_the_word_first(when: str, store: FailingStore) -> None:
    def out_of_order(error: Any, request: Any) -> Any:
        # As layouts do.
        request.session.get("user")
        return Response("come again", 503, headers={"Retry-After": "60"})

    def act(request: Any) -> Any:
        if when == "commit":
            request.session["bought"] = True
        store.down = True
        return Response(str(request.session.get("user")))

    shop = Shop(
        lambda config: config.add_exception_view(out_of_order, context=StoreError), views={"act": act}, store=store
    )
    shop.get("/put")
    answer = shop.get("/act")
    assert (answer.status, answer.text, answer.all("Retry-After"), answer.cookies) == (503, "come again", ["60"], [])
    assert answer.vary == ["cookie"]
    store.down = False
    assert shop.seen() == {"user": "ann"}


def test_an_application_without_views_for_responses_gets_it_all_the_same_at_the_commit(store: FailingStore) -> None:
    from hosts.wsgi_call import WsgiCaller
    from kit import SECRET

    from coatcheck.pyramid import session_factory

    def buy(request: Any) -> Any:
        request.session["bought"] = True
        store.down = True
        return Response("bought")

    config = Configurator(session_factory=session_factory(SECRET, store=store), exceptionresponse_view=None)
    config.add_route("buy", "/buy")
    config.add_view(buy, route_name="buy")
    assert is_refusal(WsgiCaller(config.make_wsgi_app()).get("/buy"))


def test_an_application_may_go_on_without_sessions(store: FailingStore) -> None:
    shop = Shop(store=store, store_down="empty")
    shop.get("/put")
    store.down = True
    assert shop.seen() == {}
