"""Sessions for any WSGI application: Bottle, Falcon, and whatever else speaks it.

from coatcheck.wsgi import SessionMiddleware

app = SessionMiddleware(app, secret_key)                                       # encrypted, in the cookie
app = SessionMiddleware(app, secret_key, store="redis://localhost:6379/0")     # or on the server

session = environ["coatcheck.session"]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Unpack

from coatcheck.accounts import AccountCalls, RequestAccounts
from coatcheck.bodies import KeepingBody, close, runs_nothing
from coatcheck.core.headers import BODILESS, put
from coatcheck.errors import StoreError, TooManySessions, UsageError
from coatcheck.options import Options
from coatcheck.request_session import RequestSession
from coatcheck.sessions import Sessions, refusal

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["RequestSession", "SessionMiddleware"]

KEY = "coatcheck.session"
# What has no body says nothing that a body could have said of the session.
_BODILESS = tuple(map(str, BODILESS))


class SessionMiddleware(AccountCalls):
    """Gives each request its session, in `environ["coatcheck.session"]`.

    `environ["coatcheck"]` has `sessions_of`, `revoke`, `revoke_user` and `revoke_everyone`, and so has this object,
    for use outside of a request.

    Args:
        secret_key: what sessions are sealed with; at least 16 bytes, better 32 random ones.
        options: `store=`, `cookie_name=`, `permanent_lifetime=`, and the others of `coatcheck.Settings`.

    Raises `UsageError` for what cannot be right.
    """

    def __init__(self, app: WSGIApplication, secret_key: Any, **options: Unpack[Options]) -> None:
        self.app: WSGIApplication = app
        try:
            self.sessions: Sessions = Sessions({**options, "secret_key": secret_key})
        except (UsageError, ImportError) as error:
            # An error reporter shows the variables of the frames, and these hold keys.
            del secret_key, options
            raise error.with_traceback(None) from None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        sessions = self.sessions
        # It gets headers and not the environment, which holds it: a circle would outlive the request.
        environ[KEY] = session = WSGISession(sessions, environ)
        environ["coatcheck"] = RequestAccounts(sessions, session)
        response = _Response(sessions, session, environ, start_response)
        body: Iterable[bytes] = ()
        try:
            body = self.app(environ, response.start)
            if not response.refused and not runs_nothing(body, environ):
                return _Body(body, response)
            if response.begun and not response.refused:
                session.finish()
        except BaseException as error:
            close(body)
            if response.sent or not isinstance(error, StoreError):
                raise
            response.refuse(error)
        else:
            if not response.refused:
                return body
            close(body)
        return response.refusal

    def _accounts(self) -> Sessions:
        return self.sessions


class WSGISession(RequestSession):
    """The session of one request to a WSGI application."""

    def __init__(self, sessions: Sessions, environ: WSGIEnvironment) -> None:
        super().__init__(sessions, environ.get("HTTP_COOKIE", ""))
        self._address = environ.get("REMOTE_ADDR", "")
        self._agent = environ.get("HTTP_USER_AGENT", "")

    def _client(self) -> tuple[str, str]:
        return self._address, self._agent


class _Response:
    """What goes to one client: the session is committed when it begins."""

    begun = False
    sent = False
    """Whether the headers are gone."""
    refused = False
    """Whether our answer has taken the place of the application's."""
    refusal: tuple[bytes, ...] = ()

    def __init__(
        self, sessions: Sessions, session: RequestSession, environ: WSGIEnvironment, start_response: StartResponse
    ) -> None:
        self._sessions = sessions
        self.session = session
        self._environ = environ
        self._start_response = start_response

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        """Is what the application gets as `start_response`."""
        if self.refused:
            return _discard
        if self.sent:
            # The server raises what has happened.
            return self._start(status, headers, exc_info)
        session = self.session
        if exc_info:
            # Another response takes the place of the first.
            session.reopen()
        if session.failed and status.startswith("500"):
            # Most frameworks make a page of any exception that the application has no handler for.
            self.refuse(StoreError(), exc_info)
            return _discard
        streamed = not (_has_length(headers) or status.startswith(_BODILESS))
        if streamed or not session.pass_by():
            try:
                headers = self._commit(headers, streamed)
            except (StoreError, TooManySessions) as error:
                # The answer would confirm what is not kept.
                self.refuse(error, exc_info)
                return _discard
        self._write = self._start(status, headers, exc_info)
        return self.write

    def write(self, data: bytes) -> None:
        """Is what the application gets as `write`."""
        self.sent = True
        self._write(data)

    def _start(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None
    ) -> Callable[[bytes], object]:
        self.begun = True
        # Some take no third argument where there is nothing to say.
        return self._start_response(status, headers, exc_info) if exc_info else self._start_response(status, headers)

    def _commit(self, headers: list[tuple[str, str]], streamed: bool) -> list[tuple[str, str]]:
        environ = self._environ
        vary, cookies, _, clears = self._sessions.commit(
            self.session,
            https=environ["wsgi.url_scheme"] == "https",
            host=environ.get("HTTP_HOST", ""),
            streamed=streamed,
        )
        if vary:
            headers = [*headers]
            put(headers, cookies, clears=clears)
        return headers

    def refuse(self, error: StoreError | TooManySessions, exc_info: OptExcInfo | None = None) -> None:
        """Says that the session cannot be had, in place of what the application says."""
        self.refused = True
        status, words, text = refusal(error)
        body = text.encode()
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Vary", "Cookie"),
        ]
        self._start(f"{status} {words}", headers, exc_info or (sys.exc_info() if self.begun else None))
        self.refusal = () if self._environ["REQUEST_METHOD"] == "HEAD" else (body,)


class _Body(KeepingBody):
    """The body of a response that may begin late, or give way to our answer."""

    def __init__(self, body: Iterable[bytes], response: _Response) -> None:
        super().__init__(body, response.session)
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        response = self._response
        try:
            for piece in self._body:
                if response.refused:
                    break
                response.sent = response.sent or bool(piece)
                yield piece
            self._finish()
        except Exception as error:
            if response.sent or not isinstance(error, StoreError):
                self._rescue(error)
                raise
            response.refuse(error)
        yield from response.refusal

    # Without a response, or with ours, there is nothing that has confirmed anything.

    def _finish(self) -> None:
        if self._response.begun and not self._response.refused:
            super()._finish()

    def _rescue(self, error: Exception) -> None:
        if self._response.begun and not self._response.refused:
            super()._rescue(error)


def _has_length(headers: list[tuple[str, str]]) -> bool:
    for name, _ in headers:  # noqa: SIM110  # every request walks here, and a generator takes as long again
        if len(name) == 14 and name.lower() == "content-length":
            return True
    return False


def _discard(_: bytes) -> None:
    """Takes what an application writes whose answer is not sent."""
