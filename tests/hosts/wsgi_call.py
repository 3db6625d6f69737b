"""Requests to a WSGI application without a server."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hosts.host import Answer, View, pieces


def pieces_of(view: View, environ: Mapping[str, Any]) -> str | Iterator[str]:
    """Runs a page of an application below our WSGI middleware."""
    return pieces(view, environ["coatcheck.session"], environ["coatcheck"])


class WsgiCaller:
    """Calls an application as PEP 3333 says."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app

    def get(
        self,
        path: str,
        cookies: str | Sequence[str] = (),
        *,
        https: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        path, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "443" if https else "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "shop.example",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if https else "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers}
        if cookies:
            # Servers join several headers of one name.
            environ["HTTP_COOKIE"] = cookies if isinstance(cookies, str) else "; ".join(cookies)
        started: list[tuple[str, list[tuple[str, str]]]] = []
        body: list[bytes] = []

        def start_response(status: str, found: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
            if exc_info is not None and body:
                raise exc_info[1].with_traceback(exc_info[2])
            started.append((status, list(found)))
            return body.append

        broken = False
        result: Iterable[bytes] = ()
        try:
            try:
                result = self._app(environ, start_response)
                body.extend(result)
            finally:
                getattr(result, "close", lambda: None)()
        except Exception:  # noqa: BLE001  # as a server does
            broken = bool(started)
            if not started:
                return Answer(500, (), "")
        status, found = started[-1]
        return Answer(int(status.split()[0]), tuple(found), b"".join(body).decode(), broken)
