"""Litestar."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, cast

from hosts.asgi_call import AsgiCaller
from hosts.host import Answer, Host, View, headers_of, pieces_async
from litestar import Litestar, MediaType, Request, Response, get
from litestar.response import Stream

from coatcheck import Session
from coatcheck.litestar import Coatcheck


class LitestarHost(Host):
    name = "Litestar"
    is_async = True

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)

        @get("/{name:str}")
        async def page(request: Request[Any, Any, Any]) -> Response[Any]:
            view = self.views[request.path_params["name"]]
            result = await pieces_async(view, cast(Session, request.session), cast(Any, request.scope)["coatcheck"])
            if isinstance(result, str):
                return Response(result, media_type=MediaType.TEXT, headers=headers_of(result))
            # Litestar takes a ValueError of a sync iterator for its end.
            return Stream(_stream(result), media_type=MediaType.TEXT)

        app = Litestar([page], plugins=[Coatcheck(**options)], openapi_config=None, logging_config=None)
        self._caller = AsgiCaller(cast(Any, app))

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


async def _stream(result: Iterator[str]) -> AsyncIterator[str]:
    for piece in result:
        yield piece
