"""Flask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask, Response, stream_with_context
from hosts.host import Answer, Host, View, headers_of, pieces
from hosts.wsgi_call import WsgiCaller

from coatcheck.flask import Coatcheck, session


class FlaskHost(Host):
    name = "Flask"
    is_async = False

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        app = Flask(__name__)

        @app.get("/<name>")
        def page(name: str) -> Response:
            result = pieces(self.views[name], session, coatcheck)
            body = result if isinstance(result, str) else stream_with_context(result)
            return Response(body, headers=headers_of(result))

        coatcheck = Coatcheck(app, **options)
        self._caller = WsgiCaller(app)

    def get(
        self,
        path: str,
        cookies: str | Sequence[str] = (),
        *,
        https: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        return self._caller.get(path, cookies, https=https, headers=headers)
