"""Quart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from hosts.asgi_call import AsgiCaller
from hosts.host import Answer, Host, View, headers_of, pieces_async
from quart import Quart, Response, stream_with_context

from coatcheck.quart import Coatcheck, session


class QuartHost(Host):
    name = "Quart"
    is_async = True

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        app = Quart(__name__)

        @app.get("/<name>")
        async def page(name: str) -> Response:
            result = await pieces_async(self.views[name], session, coatcheck)
            if isinstance(result, str):
                return Response(result, headers=headers_of(result))

            @stream_with_context
            async def stream() -> AsyncIterator[str]:
                for piece in result:
                    yield piece

            return Response(stream())

        coatcheck = Coatcheck(app, **options)
        self._caller = AsgiCaller(app)

    def get(
        self,
        path: str,
        cookies: str | Sequence[str] = (),
        *,
        https: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        return self._caller.get(path, cookies, https=https, headers=headers)

    def close(self) -> None:
        self._caller.close()
