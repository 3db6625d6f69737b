"""The page "where you are signed in" for the urlpatterns of Django.

from coatcheck.pages.django import sessions_page

urlpatterns = [path("account/sessions/", include(sessions_page()))]
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_urlsafe
from typing import Any, Unpack

try:
    from django.apps import apps
    from django.conf import settings
    from django.http import HttpRequest, HttpResponse
    from django.shortcuts import resolve_url
    from django.urls import URLPattern, path
    from django.views.decorators.csrf import csrf_exempt
except ImportError as _error:
    raise ImportError("coatcheck.pages.django needs Django: pip install 'coatcheck[django]'") from _error

from coatcheck.core.session import Session
from coatcheck.django.configuration import configuration
from coatcheck.errors import UsageError
from coatcheck.pages.handler import SessionsPage
from coatcheck.pages.options import PageOptions, PageRequest, check_memory
from coatcheck.pages.rendering import Renderer, Templates
from coatcheck.pages.running import run_page
from coatcheck.pages.words import known_language

__all__ = ["sessions_page"]


def sessions_page(
    name: str = "coatcheck_sessions", *, templates: Templates = None, **options: Unpack[PageOptions]
) -> list[URLPattern]:
    """Gives the patterns, to be included where the page is to be.

    Guests are led to `settings.LOGIN_URL`, where `login_url` does not say otherwise, and the language is that of
    Django's `LocaleMiddleware`, where there is one.

    Args:
        name: the pattern's, for `reverse`.
        templates: a folder, or a loader of Jinja2, whose `coatcheck/sessions.html` or `coatcheck/layout.html`
            takes the place of ours.
        options: those of `coatcheck.pages.options.PageOptions`.

    Raises `UsageError` for options that cannot be right, and where the settings show that nothing remembers
    which sessions a user has.
    """
    if settings.SESSION_ENGINE == "coatcheck.django":
        check_memory(configuration.sessions())
    sessions = SessionsPage({"login_url": _login_url, "language": _language, **options})
    renderer = Renderer(templates)

    # The page has a check of its own, for its form is no template of Django's.
    @csrf_exempt
    def page(request: HttpRequest, **_: Any) -> HttpResponse:
        session: Any = getattr(request, "session", None)
        if not isinstance(session, Session):
            raise UsageError('the page shows sessions that coatcheck keeps: SESSION_ENGINE = "coatcheck.django"')
        asked = PageRequest(
            method=str(request.method),
            path=request.get_full_path().partition("?")[0],
            accept_language=request.headers.get("Accept-Language", ""),
            form=request.POST.dict(),
            nonce=token_urlsafe(),
            source=request,
            sign_out=_auth(request),
        )
        reply = run_page(sessions.answer(asked, session), configuration.sessions())
        response = HttpResponse(renderer.render(reply.template, reply.context, request) if reply.template else "")
        response.status_code = reply.status
        for header, value in reply.headers:
            response[header] = value
        return response

    return [path("", page, name=name)]


def _login_url(_: HttpRequest) -> str:
    return resolve_url(settings.LOGIN_URL)


def _language(request: HttpRequest) -> str:
    """Gives what Django has chosen; "" where it chooses nothing, or a language that the page does not speak."""
    return known_language(getattr(request, "LANGUAGE_CODE", ""))


def _auth(request: HttpRequest) -> Callable[[], Any] | None:
    """Gives Django's way to sign out, where the site has its users: others may listen for it."""
    if not apps.is_installed("django.contrib.auth"):
        return None
    from django.contrib.auth import logout  # noqa: PLC0415  # a site without users has no models for it

    return lambda: logout(request)
