"""Falcon, as a WSGI application."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import falcon
from hosts.host import Answer, Host, View, headers_of
from hosts.wsgi_call import WsgiCaller, pieces_of

from coatcheck.wsgi import SessionMiddleware


class FalconHost(Host):
    name = "Falcon"
    is_async = False

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        app: Any = falcon.App()
        app.add_route("/{name}", self)
        self._caller = WsgiCaller(SessionMiddleware(app, **options))

    def on_get(self, request: falcon.Request, response: falcon.Response, name: str) -> None:
        response.content_type = falcon.MEDIA_TEXT
        result = pieces_of(self.views[name], request.env)
        if isinstance(result, Iterator):
            response.stream = (piece.encode() for piece in result)
        else:
            for field, value in headers_of(result).items():
                response.append_header(field, value)
            response.text = result

    def get(
        self,
        path: str,
        cookies: str | Sequence[str] = (),
        *,
        https: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        return self._caller.get(path, cookies, https=https, headers=headers)
