"""A WSGI application without a framework."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hosts.host import Answer, Host, View, headers_of
from hosts.wsgi_call import WsgiCaller, pieces_of

from coatcheck.wsgi import SessionMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class PlainWSGIHost(Host):
    name = "WSGI"
    is_async = False

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        self._caller = WsgiCaller(SessionMiddleware(self._app, **options))

    def _app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        result = pieces_of(self.views[environ["PATH_INFO"].strip("/")], environ)
        headers = [("Content-Type", "text/plain; charset=utf-8")]
        if isinstance(result, Iterator):
            start_response("200 OK", headers)
            return (piece.encode() for piece in result)
        body = result.encode()
        start_response("200 OK", [*headers, *headers_of(result).items(), ("Content-Length", str(len(body)))])
        return [body]

    def get(
        self,
        path: str,
        cookies: str | Sequence[str] = (),
        *,
        https: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        return self._caller.get(path, cookies, https=https, headers=headers)
