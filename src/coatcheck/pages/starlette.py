"""The page "where you are signed in" as a router of Starlette, which FastAPI takes too.

from coatcheck.pages.starlette import sessions_page

app.mount("/account/sessions", sessions_page(login_url="/login"))
"""

from __future__ import annotations

from secrets import token_urlsafe
from typing import Any, Unpack
from urllib.parse import quote

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route, Router
except ImportError as _error:
    raise ImportError("coatcheck.pages.starlette needs Starlette: pip install starlette") from _error

from coatcheck.core.session import Session
from coatcheck.errors import UsageError
from coatcheck.pages.forms import read_form
from coatcheck.pages.handler import SessionsPage
from coatcheck.pages.options import PageOptions, PageRequest
from coatcheck.pages.rendering import Renderer, Templates
from coatcheck.pages.running import run_page_async

__all__ = ["sessions_page"]


def sessions_page(
    name: str = "coatcheck_sessions", *, templates: Templates = None, **options: Unpack[PageOptions]
) -> Router:
    """Gives the router, to be mounted where the page is to be. The page ends in a slash.

    Args:
        name: the route's.
        templates: a folder, or a loader of Jinja2, whose `coatcheck/sessions.html` or `coatcheck/layout.html`
            takes the place of ours.
        options: those of `coatcheck.pages.options.PageOptions`.

    Raises `UsageError` for options that cannot be right.
    """
    sessions = SessionsPage(options)
    renderer = Renderer(templates)

    async def page(request: Request) -> Response:
        session, accounts = _find(request)
        headers = request.headers
        form = await read_form(headers.get("content-type", ""), request.stream()) if request.method == "POST" else {}
        asked = PageRequest(
            method=request.method,
            path=quote(request.url.path, safe="/%:@!$&'()*+,;=~"),
            accept_language=headers.get("accept-language", ""),
            form=form,
            nonce=token_urlsafe(),
            source=request,
        )
        reply = await run_page_async(sessions.answer(asked, session), accounts)
        body = renderer.render(reply.template, reply.context, request) if reply.template else ""
        return Response(body, reply.status, dict(reply.headers))

    return Router([Route("/", page, methods=["GET", "POST"], name=name)])


def _find(request: Request) -> tuple[Session, Any]:
    session, accounts = request.scope.get("session"), request.scope.get("coatcheck")
    if not isinstance(session, Session) or accounts is None:
        raise UsageError(
            "the page shows sessions that coatcheck keeps: app.add_middleware(coatcheck.asgi.SessionMiddleware, ...)"
        )
    return session, accounts
