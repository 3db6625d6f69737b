"""Bottle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import bottle
from hosts.host import Answer, Host, View, headers_of
from hosts.wsgi_call import WsgiCaller, pieces_of

from coatcheck.wsgi import SessionMiddleware


class BottleHost(Host):
    name = "Bottle"
    is_async = False

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        app: Any = bottle.Bottle()
        app.route("/<name>", callback=self._page)
        self._caller = WsgiCaller(SessionMiddleware(app, **options))

    def _page(self, name: str) -> str | Iterator[str]:
        bottle.response.content_type = "text/plain; charset=utf-8"
        result = pieces_of(self.views[name], bottle.request.environ)
        bottle.response.headers.update(headers_of(result))
        return result

    def get(
        self,
        path: str,
        cookies: str | Sequence[str] = (),
        *,
        https: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        return self._caller.get(path, cookies, https=https, headers=headers)
