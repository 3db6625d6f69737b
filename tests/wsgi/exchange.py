"""Requests to a WSGI application, as a strict server makes them, and what each of them came to."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

from hosts.host import Answer
from kit import SECRET

from coatcheck.testing import Clock
from coatcheck.wsgi import RequestSession, SessionMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

TEXT = [("Content-Type", "text/plain")]


def session_of(environ: WSGIEnvironment) -> RequestSession:
    session: RequestSession = environ["coatcheck.session"]
    return session


def put(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session_of(environ)["user"] = "ann"
    return say("put", start_response)


def look(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return say(json.dumps(dict(session_of(environ))), start_response)


def say(text: str, start_response: StartResponse) -> list[bytes]:
    body = text.encode()
    start_response("200 OK", [*TEXT, ("Content-Length", str(len(body)))])
    return [body]


class Server:
    """One application with its sessions, and a browser that keeps its cookie. `environ` goes with each request."""

    def __init__(self, app: WSGIApplication | None = None, *, strict: bool = True, **options: Any) -> None:
        self.sessions = SessionMiddleware(self._route, **{"secret_key": SECRET, "clock": Clock(), **options})
        self._app = validator(self.sessions) if strict else self.sessions
        self.pages: dict[str, WSGIApplication] = {"/put": put, "/look": look, "/": app or look}
        self.cookie = ""

    def _route(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.pages[environ["PATH_INFO"]](environ, start_response)

    def environ(self, path: str, **more: Any) -> dict[str, Any]:
        cookie = {"HTTP_COOKIE": self.cookie} if self.cookie else {}
        return {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "shop.example",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            **cookie,
            **more,
        }

    def get(self, path: str = "/", *, pieces: int | None = None, **more: Any) -> Answer:
        """Makes a request. Raises what the server gets to hear.

        Args:
            pieces: after how many pieces of the body the client goes away.
        """
        reply = Reply()
        body = self._app(self.environ(path, **more), reply.start)
        try:
            for count, piece in enumerate(body, 1):
                reply.write(piece)
                if count == pieces:
                    break
        finally:
            getattr(body, "close", lambda: None)()
        answer = reply.answer()
        for cookie in answer.cookies:
            self.cookie = cookie.partition(";")[0]
        return answer

    def seen(self) -> Any:
        """Gives what the session is at the next request."""
        return json.loads(self.get("/look").text)


class Reply:
    """What a server does with a response, as PEP 3333 says."""

    def __init__(self) -> None:
        self.started: tuple[str, list[tuple[str, str]]] | None = None
        self.calls: list[str] = []
        self.sent = b""

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
        if exc_info is None:
            assert self.started is None, "a response began twice"
        elif self.sent:
            raise exc_info[1].with_traceback(exc_info[2])
        self.calls.append(status)
        self.started = (status, list(headers))
        return self.write

    def write(self, piece: bytes) -> None:
        assert self.started is not None, "a body came before its headers"
        self.sent += piece

    def answer(self) -> Answer:
        assert self.started is not None
        status, headers = self.started
        return Answer(int(status.split()[0]), tuple(headers), self.sent.decode())
