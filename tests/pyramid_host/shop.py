"""A Pyramid application whose views are given by name, and a browser that keeps its cookie."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hosts.host import Answer
from hosts.wsgi_call import WsgiCaller
from kit import SECRET
from pyramid.config import Configurator
from pyramid.response import Response

from coatcheck.pyramid import session_factory
from coatcheck.testing import Clock


def put(request: Any) -> Any:
    request.session["user"] = "ann"
    return Response("put")


def look(request: Any) -> Any:
    return Response(json.dumps(dict(request.session)))


def plain(request: Any) -> Any:
    return Response("nobody looks")


class Shop:
    """`/name` is the view of that name. `extend` gets the configurator before the application is made."""

    def __init__(
        self, extend: Callable[[Any], object] = lambda _: None, *, views: dict[str, Any] | None = None, **options: Any
    ) -> None:
        config = Configurator(session_factory=session_factory(**{"secret_key": SECRET, "clock": Clock(), **options}))
        for name, view in {"put": put, "look": look, "plain": plain, **(views or {})}.items():
            config.add_route(name, f"/{name}")
            config.add_view(view, route_name=name)
        extend(config)
        self.app = config.make_wsgi_app()
        self._caller = WsgiCaller(self.app)
        self.cookie = ""

    def get(self, path: str) -> Answer:
        answer = self._caller.get(path, self.cookie or ())
        for cookie in answer.cookies:
            self.cookie = cookie.partition(";")[0]
        return answer

    def seen(self) -> Any:
        """Gives what the session is at the next request."""
        return json.loads(self.get("/look").text)
