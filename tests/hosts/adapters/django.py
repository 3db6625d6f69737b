"""Django, by WSGI and by ASGI, with our middleware and with its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import django
from django import conf
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse, StreamingHttpResponse
from django.test.utils import override_settings
from django.urls import path
from hosts.asgi_call import AsgiCaller
from hosts.host import Answer, Host, View, headers_of, pieces, pieces_async
from hosts.wsgi_call import WsgiCaller
from kit import SECRET

import coatcheck.django
from coatcheck.core.settings import config_key

OURS = "coatcheck.django.SessionMiddleware"
THEIRS = "django.contrib.sessions.middleware.SessionMiddleware"

AWAITED = SimpleNamespace(
    sessions_of=coatcheck.django.asessions_of,
    revoke=coatcheck.django.arevoke,
    revoke_user=coatcheck.django.arevoke_user,
    revoke_everyone=coatcheck.django.arevoke_everyone,
)
"""The account calls of async views, by the names that other hosts have for them."""


def configure() -> None:
    """Sets Django up once in this process. What a test wants otherwise, it overrides."""
    if not conf.settings.configured:
        conf.settings.configure(
            ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None, USE_TZ=True, SESSION_ENGINE="coatcheck.django", SECRET_KEY=SECRET
        )
        django.setup()


def rename(options: Mapping[str, Any]) -> dict[str, Any]:
    """Gives our options under the names of Django's settings."""
    named = {config_key(option): value for option, value in options.items()}
    permanent = named.pop("SESSION_PERMANENT", False)
    lifetime = named.pop("PERMANENT_SESSION_LIFETIME", timedelta(days=31))
    return {
        "SESSION_COOKIE_NAME": "session",
        "SESSION_COOKIE_AGE": int(lifetime.total_seconds() if isinstance(lifetime, timedelta) else lifetime),
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": not permanent,
        **named,
    }


class _Django(Host):
    differs: ClassVar[Mapping[str, str]] = {
        "test_which_session_is_this_one_need_not_be_said": (
            "The functions are the project's and know of no request: give them `current=request.session`"
        )
    }
    middleware: ClassVar[str] = OURS
    current: ClassVar[_Django | None] = None

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        configure()
        urls = ModuleType("urls")
        urls.urlpatterns = [path("<name>", self.page)]  # type: ignore[attr-defined]
        self._stack = ExitStack()
        named = rename(options)
        self._settings = override_settings(ROOT_URLCONF=urls, MIDDLEWARE=[self.middleware], **named)
        self._take_over()
        self._stack.callback(self.give_up)

    def _take_over(self) -> None:
        """Settings are of the process: of several hosts in one test, each has its own while it is asked."""
        if _Django.current is not self:
            if _Django.current is not None:
                _Django.current.give_up()
            self._settings.enable()
            _Django.current = self

    def give_up(self) -> None:
        if _Django.current is self:
            self._settings.disable()
            _Django.current = None

    @abstractmethod
    def page(self, request: Any, name: str) -> Any:
        """Is the view of every page."""

    def get(
        self,
        path: str,
        cookies: str | Sequence[str] = (),
        *,
        https: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        self._take_over()
        answer = self._caller.get(path, cookies, https=https, headers=headers)
        # Django gives a WSGI server a space before each of its own cookies, which goes on the way.
        return answer._replace(headers=tuple((name, value.strip()) for name, value in answer.headers))

    _caller: WsgiCaller | AsgiCaller

    def close(self) -> None:
        self._stack.close()


class DjangoByWsgi(_Django):
    name = "Django (WSGI)"
    is_async = False

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        self._caller = WsgiCaller(WSGIHandler())

    def page(self, request: Any, name: str) -> Any:
        result = pieces(self.views[name], request.session, coatcheck.django)
        return (
            HttpResponse(result, headers=headers_of(result))
            if isinstance(result, str)
            else StreamingHttpResponse(result)
        )


class DjangoByAsgi(_Django):
    name = "Django (ASGI)"
    is_async = True

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        self._caller = caller = AsgiCaller(ASGIHandler())
        self._stack.callback(caller.close)

    async def page(self, request: Any, name: str) -> Any:
        await request.session.afetch()
        # Django leaves the request open where a stream breaks off.
        self._stack.callback(request.close)
        result = await pieces_async(self.views[name], request.session, AWAITED)
        return (
            HttpResponse(result, headers=headers_of(result))
            if isinstance(result, str)
            else StreamingHttpResponse(_async(result))
        )


async def _async(parts: Iterator[str]) -> AsyncIterator[str]:
    for part in parts:
        yield part


_NO_STORE = "Django's middleware says nothing of caches beside Vary"
_COOKIE = "Django's middleware writes the cookie by Django's rules: Secure and Partitioned are not its business"
_REQUEST = "Django's own middleware does not show the session the request; Django's `login` does"
_HEADER = "Django's middleware gives the one cookie that Django's parser has found, and not the header"
_DOWN = "Django's middleware has no answer to a store that fails: it is a 500"
_STREAM = "Django's middleware knows nothing of the session when a stream has begun"


class DjangosOwnMiddleware(DjangoByWsgi):
    name = "Django (WSGI, its own middleware)"
    middleware = THEIRS
    differs: ClassVar[Mapping[str, str]] = {
        **_Django.differs,
        "test_a_response_that_sets_the_cookie_is_stored_by_no_cache": _NO_STORE,
        "test_it_is_renewed_only_now_and_then": _NO_STORE,
        "test_the_cookie_is_httponly_lax_and_for_the_whole_host": _COOKIE,
        "test_every_attribute_follows_its_option": _COOKIE,
        "test_the_cookie_is_deleted_with_the_attributes_it_was_set_with": _COOKIE,
        "test_a_header_with_garbage_beside_the_good_cookie_brings_it": _HEADER,
        "test_two_different_sessions_under_one_name_are_none": _HEADER,
        "test_only_exactly_our_name_and_the_bare_value_count": _HEADER,
        "test_a_space_that_browsers_do_not_know_forges_no_name": _HEADER,
        "test_an_empty_cookie_is_none_and_takes_nothing_from_the_good_one": _HEADER,
        "test_a_page_that_asks_to_be_stored_is_not_where_the_cookie_is_set": _NO_STORE,
        "test_the_address_and_the_browser_of_a_request_are_known": _REQUEST,
        "test_a_session_is_listed_with_the_client_that_signed_in": _REQUEST,
        "test_a_call_that_fails_with_the_store_is_a_503": _DOWN,
        "test_a_session_that_is_used_from_elsewhere_goes_on_and_says_so": _REQUEST,
        "test_the_browser_is_told_to_clear_what_it_has_where_a_logout_says_so": (
            "Django's own middleware writes a cookie and no other header for the session"
        ),
        "test_a_huge_header_is_an_empty_session": _HEADER,
        "test_a_renamed_cookie_is_taken_over_and_the_old_one_deleted": _HEADER,
        "test_a_page_that_looks_is_answered_with_503": _DOWN,
        "test_what_could_not_be_kept_is_not_confirmed": _DOWN,
        "test_a_first_session_that_could_not_be_kept_sends_no_cookie": _DOWN,
        "test_a_logout_that_did_not_happen_is_not_confirmed": _DOWN,
        "test_a_login_that_did_not_happen_is_not_confirmed": _DOWN,
        "test_a_change_in_a_stream_is_kept_where_a_store_exists": _STREAM,
        "test_a_change_in_a_stream_is_an_error_where_none_exists": _STREAM,
        "test_a_change_deep_inside_in_a_stream_is_no_silence": _STREAM,
    }
