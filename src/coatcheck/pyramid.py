"""Sessions for Pyramid.

config.include("coatcheck.pyramid")     # session.secret_key and coatcheck.* in the settings

from coatcheck.pyramid import session_factory

config.set_session_factory(session_factory(secret_key))                                       # encrypted, in the cookie
config.set_session_factory(session_factory(secret_key, store="redis://localhost:6379/0"))     # or on the server
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Self, Unpack

try:
    from pyramid.httpexceptions import HTTPForbidden, HTTPServiceUnavailable
    from pyramid.interfaces import ISession
    from pyramid.response import FileIter
    from pyramid.threadlocal import manager
    from zope.interface import implementer
except ImportError as _error:
    raise ImportError("coatcheck.pyramid needs Pyramid: pip install 'coatcheck[pyramid]'") from _error

from coatcheck import ini
from coatcheck.accounts import AccountCalls, RequestAccounts
from coatcheck.bodies import KeepingBody, close, runs_nothing
from coatcheck.core.headers import BODILESS, protection, put
from coatcheck.errors import CoatcheckError, StoreError, TooManySessions, UsageError
from coatcheck.options import Options
from coatcheck.sessions import FORBIDDEN, UNAVAILABLE, Sessions
from coatcheck.wsgi import WSGISession

__all__ = ["PyramidSession", "get_accounts", "includeme", "session_factory"]

# The keys of Pyramid's own sessions.
_FLASH = "_f_"
_CSRF = "_csrft_"


def includeme(config: Any) -> None:
    """Gives an application its sessions as its settings say: `session.secret_key`, and `coatcheck.` before an option.

    Settings from a file are text: what is a switch, a number of seconds or a list is read as that.

    Raises `UsageError` for what cannot be right.
    """
    settings = config.registry.settings
    options = {name.removeprefix("coatcheck."): settings[name] for name in settings if name.startswith("coatcheck.")}
    if "session.secret_key" in settings:
        options["secret_key"] = settings["session.secret_key"]
    try:
        config.set_session_factory(session_factory(**ini.read(options)))
    except (UsageError, ImportError) as error:
        # An error reporter shows the variables of the frames, and these hold keys.
        del settings, options
        raise error.with_traceback(None) from None


def session_factory(secret_key: Any = None, **options: Unpack[Options]) -> Callable[[Any], PyramidSession]:
    """Gives what `config.set_session_factory` takes.

    Args:
        secret_key: what sessions are sealed with; at least 16 bytes, better 32 random ones.
        options: `store=`, `cookie_name=`, `permanent_lifetime=`, and the others of `coatcheck.Settings`.

    Raises `UsageError` for what cannot be right.
    """
    try:
        sessions = Sessions({**options, "secret_key": secret_key})
    except (UsageError, ImportError) as error:
        del secret_key, options
        raise error.with_traceback(None) from None

    def open_session(request: Any) -> PyramidSession:
        # The router has been there, and has gone: nobody calls what would commit this session.
        if "request_iface" in vars(request) and not any(each.get("request") is request for each in manager.stack):
            raise UsageError(
                "request.session was not looked at before the response was returned: its body cannot begin with it."
                " Ask for request.session in the view, and use that while the body is streamed"
            )
        session = PyramidSession(sessions, request.environ)
        request.add_response_callback(session.answer)
        return session

    return open_session


def get_accounts(request: Any) -> AccountCalls:
    """Gives what lists and ends the sessions of users: `get_accounts(request).sessions_of(user_id)`.

    Raises `UsageError` for a request whose session is another's.
    """
    session = request.session
    if not isinstance(session, PyramidSession):
        raise UsageError("request.session is not of coatcheck.pyramid")
    return _Accounts(session._sessions, session)  # noqa: SLF001  # its own


class _Accounts(RequestAccounts):
    def _answerable(self, error: StoreError) -> StoreError:
        return _StoreUnavailable(error)


class _StoreUnavailable(StoreError, HTTPServiceUnavailable):  # type: ignore[misc]  # Pyramid has no types
    """Answers 503 where the application has no view for `StoreError`. The visitor is told no more than that."""

    def __init__(self, error: StoreError) -> None:
        HTTPServiceUnavailable.__init__(self, body=UNAVAILABLE.encode(), content_type="text/plain", charset="utf-8")
        self.headers.update([*protection((), no_store=True).items()])
        self.args: tuple[Any, ...] = error.args

    def __str__(self) -> str:
        return Exception.__str__(self)

    def __reduce__(self) -> tuple[type[Self], tuple[StoreError]]:
        return type(self), (StoreError(*self.args),)


class _SessionsForbidden(TooManySessions, HTTPForbidden):  # type: ignore[misc]  # as above
    """Answers 403 where the application has no view for `TooManySessions`."""

    def __init__(self, error: TooManySessions) -> None:
        HTTPForbidden.__init__(self, body=FORBIDDEN.encode(), content_type="text/plain", charset="utf-8")
        self.limit: int = error.limit
        self.args: tuple[Any, ...] = error.args

    def __str__(self) -> str:
        return Exception.__str__(self)

    def __reduce__(self) -> tuple[type[Self], tuple[TooManySessions]]:
        return type(self), (TooManySessions(self.limit),)


@implementer(ISession)
class PyramidSession(WSGISession):
    """The session of one request, with what Pyramid's sessions have."""

    _postponed = False

    @property
    def created(self) -> int:
        """When the session began, in seconds since 1970."""
        return int(self.created_at.timestamp())

    def invalidate(self) -> None:
        """Does what `destroy` does."""
        self.destroy()

    def changed(self) -> None:
        """Has the cookie sent regardless. It need not be called: a change deep inside is found by comparing."""
        self.modified = True

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:
        """Adds a message to a queue of those that another page will show."""
        messages = self.setdefault(_FLASH + queue, [])
        if allow_duplicate or msg not in messages:
            messages.append(msg)

    def pop_flash(self, queue: str = "") -> list[Any]:
        """Gives the messages of a queue, and forgets them."""
        messages: list[Any] = self.pop(_FLASH + queue, [])
        return messages

    def peek_flash(self, queue: str = "") -> list[Any]:
        """Gives the messages of a queue."""
        messages: list[Any] = self.get(_FLASH + queue, [])
        return messages

    def new_csrf_token(self) -> str:
        """Gives a new token against forged requests, and keeps it."""
        self[_CSRF] = token = secrets.token_hex(20)
        return token

    def get_csrf_token(self) -> str:
        """Gives the token against forged requests; a new one if there is none yet."""
        token: str | None = self.get(_CSRF)
        return token or self.new_csrf_token()

    def _answerable(self, error: StoreError) -> StoreError:
        return _StoreUnavailable(error)

    def answer(self, request: Any, response: Any) -> None:
        """Puts into the response what it must say of the session. Pyramid calls it when the views are done.

        What goes wrong is answered by the application's exception views, as errors in a view are.
        """
        if request.response_callbacks and not self._postponed:
            # What others do to the session when the views are done is part of it.
            self._postponed = True
            request.add_response_callback(self.answer)
            return
        try:
            self._commit(request, response)
        except StoreError as error:
            # It would confirm what is not kept.
            _replace(response, _page(request, _StoreUnavailable(error)))
            for name, value in protection(response.headerlist, no_store=True).items():
                response.headers[name] = value
            return
        except CoatcheckError as error:
            _replace(
                response, _page(request, _SessionsForbidden(error) if isinstance(error, TooManySessions) else error)
            )
            # The page may have put things right. What is still wrong is known.
            self._commit(request, response)
        request.add_finished_callback(self._finish)
        body = response.app_iter
        if not isinstance(body, FileIter) and not runs_nothing(body, request.environ):
            length = response.content_length
            response.app_iter = KeepingBody(body, self)
            # The setter forgets it.
            response.content_length = length

    def _commit(self, request: Any, response: Any) -> None:
        streamed = response.content_length is None and response.status_int not in BODILESS
        if not streamed and self.pass_by():
            return
        vary, cookies, _, clears = self._sessions.commit(
            self,
            https=request.environ.get("wsgi.url_scheme") == "https",
            host=request.environ.get("HTTP_HOST", ""),
            streamed=streamed,
        )
        if vary:
            put(response.headerlist, cookies, clears=clears)

    def _finish(self, _: Any) -> None:
        """Keeps what subscribers and other callbacks have changed. Pyramid calls it before the body is sent."""
        self.finish()


def _page(request: Any, error: CoatcheckError) -> Any:
    """Gives what the application answers to an error."""
    try:
        return request.invoke_exception_view((type(error), error, error.__traceback__), reraise=True)
    except (_StoreUnavailable, _SessionsForbidden) as answer:
        # An application may have no view for the exceptions that are responses.
        return answer


def _replace(response: Any, other: Any) -> None:
    """Makes a response say what another one says. Pyramid sends the one that it has."""
    close(response.app_iter)
    response.status = other.status
    response.app_iter = other.app_iter
    response.headerlist = other.headerlist
    response.conditional_response = False
