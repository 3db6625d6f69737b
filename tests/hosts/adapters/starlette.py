"""Starlette."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hosts.asgi_call import AsgiCaller, pieces_of
from hosts.host import Answer, Host, View, headers_of
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from coatcheck.asgi import SessionMiddleware


def rename(options: Mapping[str, Any]) -> dict[str, Any]:
    """Gives our options under the names that Starlette's call has for some, and without its lifetime."""
    names = {
        "cookie_name": "session_cookie",
        "cookie_path": "path",
        "cookie_samesite": "same_site",
        "cookie_secure": "https_only",
        "cookie_domain": "domain",
        "cookie_partitioned": "partitioned",
    }
    return {"max_age": None, **{names.get(option, option): value for option, value in options.items()}}


class StarletteHost(Host):
    name = "Starlette"
    is_async = True

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)

        async def page(request: Request) -> Response:
            result = await pieces_of(self.views[request.path_params["name"]], request.scope)
            return (
                PlainTextResponse(result, headers=headers_of(result))
                if isinstance(result, str)
                else StreamingResponse(result)
            )

        app = Starlette(routes=[Route("/{name}", page)])
        app.add_middleware(SessionMiddleware, **rename(options))
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
