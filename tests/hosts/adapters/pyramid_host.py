"""Pyramid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hosts.host import Answer, Host, View, headers_of, pieces
from hosts.wsgi_call import WsgiCaller
from pyramid.config import Configurator
from pyramid.response import Response

from coatcheck.pyramid import get_accounts, session_factory


class PyramidHost(Host):
    name = "Pyramid"
    is_async = False

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        config = Configurator(session_factory=session_factory(**options))
        config.add_route("page", "/{name}")
        config.add_view(self._page, route_name="page")
        self._caller = WsgiCaller(config.make_wsgi_app())

    def _page(self, request: Any) -> Any:
        view = self.views[request.matchdict["name"]]
        result = pieces(view, request.session, get_accounts(request))
        if isinstance(result, Iterator):
            return Response(app_iter=(piece.encode() for piece in result), content_type="text/plain")
        response = Response(text=result, content_type="text/plain")
        response.headers.update(headers_of(result))
        return response

    def get(
        self,
        path: str,
        cookies: str | Sequence[str] = (),
        *,
        https: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        return self._caller.get(path, cookies, https=https, headers=headers)
