"""Django's middleware for sessions, by our rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from http.cookies import Morsel
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.http import HttpResponse
from django.utils.cache import patch_cache_control

from coatcheck.asgi_session import header_of
from coatcheck.core.cookie import find_values
from coatcheck.core.engine import Decision
from coatcheck.core.headers import protection
from coatcheck.django.configuration import configuration
from coatcheck.django.session import SessionStore
from coatcheck.django.signing import client_of
from coatcheck.errors import StoreError, TooManySessions, UsageError
from coatcheck.sessions import refusal

_ERROR = 500


class SessionMiddleware(DjangoSessionMiddleware):
    """Takes the place of Django's own, in one line of `MIDDLEWARE`.

    It reads the raw `Cookie` header, tells caches what they must know, answers 503 where the
    store fails, and keeps what a stream changes. Raises `UsageError` for settings that cannot be right.
    """

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        if not issubclass(self.SessionStore, SessionStore):
            # Requests would have our sessions, and Django's test client and all else that asks the engine others.
            raise UsageError('coatcheck.django.SessionMiddleware needs SESSION_ENGINE = "coatcheck.django"')
        configuration.sessions()

    async def __acall__(self, request: Any) -> Any:
        self.process_request(request)
        response: Any = await cast(Any, self.get_response(request))
        session = request.session
        if not isinstance(session, SessionStore):
            return await sync_to_async(super().process_response)(request, response)
        if session.failed and response.status_code == _ERROR:
            return _refuse(response)
        if _passes(session, response):
            return response
        try:
            decision = await session.aconclude(**_facts(request, response))
        except (StoreError, TooManySessions) as error:
            return _refuse(response, error)
        except UpdateError:
            raise SessionInterrupted(_INTERRUPTED) from None
        return _finish(session, response, decision)

    def process_request(self, request: Any) -> None:
        """Gives the request its session, which reads nothing before it is looked at."""
        scope = getattr(request, "scope", None)
        # Django joins several headers of one name with a comma.
        raw = request.META.get("HTTP_COOKIE", "") if scope is None else header_of(scope["headers"], b"cookie")
        request.session = SessionStore(header=raw)
        request.session.https = request.is_secure()
        request.session.client = client_of(request)

    def process_response(self, request: Any, response: Any) -> Any:
        """Keeps the session, and adds to the response what it must say."""
        session = request.session
        if not isinstance(session, SessionStore):
            return super().process_response(request, response)
        if session.failed and response.status_code == _ERROR:
            return _refuse(response)
        if _passes(session, response):
            return response
        try:
            decision = session.conclude(**_facts(request, response))
        except (StoreError, TooManySessions) as error:
            # The answer would confirm what is not kept.
            return _refuse(response, error)
        except UpdateError:
            raise SessionInterrupted(_INTERRUPTED) from None
        return _finish(session, response, decision)

    def process_exception(self, request: Any, exception: Exception) -> Any:  # noqa: ARG002
        """Answers 503 to a `StoreError`, and 403 to `TooManySessions`, where the application has nothing to say."""
        return _refuse(None, exception) if isinstance(exception, (StoreError, TooManySessions)) else None


_INTERRUPTED = (
    "The request's session was deleted before the request completed. The user may have logged out in a concurrent"
    " request, for example."
)


class _Cookie(Morsel[str]):
    """A cookie that is written as it was given."""

    _text = ""

    @classmethod
    def read(cls, text: str) -> _Cookie:
        cookie = cls()
        (name, _, value), *attributes = [part.strip().partition("=") for part in text.split(";")]
        cookie.set(name, value, value)
        for key, equals, content in attributes:
            if cookie.isReservedKey(key):
                cookie[key] = content if equals else True
        cookie._text = text
        return cookie

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802  # the name of the library
        return self._text or super().OutputString(attrs)

    def output(self, attrs: Any = None, header: str = "Set-Cookie:") -> str:
        # Django's WSGI handler asks without the name of the header, and gets a space before the value.
        return super().output(attrs, header).lstrip()


def _passes(session: SessionStore, response: Any) -> bool:
    """Says whether there is nothing to conclude."""
    if response.status_code >= _ERROR and (session.accessed or session.modified) and not session.is_empty():
        # As in Django, an error keeps nothing.
        _protect(response, Decision(session.accessed))
        return True
    if settings.SESSION_SAVE_EVERY_REQUEST and find_values(session.header, settings.SESSION_COOKIE_NAME):
        session.modified = True
    return not _is_streamed(response) and session.pass_by()


def _is_streamed(response: Any) -> bool:
    return response.streaming and "Content-Length" not in response


def _facts(request: Any, response: Any) -> dict[str, Any]:
    return {"host": request.META.get("HTTP_HOST", ""), "streamed": _is_streamed(response)}


def _protect(response: Any, decision: Decision) -> None:
    if not decision.vary:
        return
    for name, value in protection(response.items(), no_store=bool(decision.cookies), clears=decision.clears).items():
        response[name] = value
    for cookie in decision.cookies:
        written = _Cookie.read(cookie)
        response.cookies[written.key] = written
    if decision.cookies:
        # What Django's own cache goes by.
        patch_cache_control(response, private=True)


def _finish(session: SessionStore, response: Any, decision: Decision) -> Any:
    _protect(response, decision)
    if response.streaming:
        wrap = _keeping_async if response.is_async else _keeping
        response.streaming_content = wrap(response.streaming_content, session)
    return response


def _keeping(content: Any, session: SessionStore) -> Iterator[bytes]:
    try:
        yield from content
    except BaseException as error:
        session.rescue_stream(error)
        raise
    session.finish_stream()


async def _keeping_async(content: Any, session: SessionStore) -> AsyncIterator[bytes]:
    try:
        async for part in content:
            yield part
    except BaseException as error:
        await session.rescue(error)
        raise
    await session.finish()


def _refuse(response: Any, error: StoreError | TooManySessions | None = None) -> HttpResponse:
    if response is not None:
        response.close()
    status, _, text = refusal(error or StoreError())
    answer = HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    answer["Cache-Control"] = "no-store"
    answer["Vary"] = "Cookie"
    return answer
