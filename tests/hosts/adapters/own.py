"""The integration that `docs/write-your-own.md` shows, as it stands there, on the server it is for."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from hosts.host import Answer, Host, View, headers_of, pieces

from coatcheck.accounts import RequestAccounts
from coatcheck.sessions import Sessions

PAGE = Path(__file__).parents[3] / "docs" / "write-your-own.md"


def integration() -> Any:
    """Gives the class that the page shows first."""
    found = re.search(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(found[1], str(PAGE), "exec"), names)
    return names["SessionHandler"]


class OwnHost(Host):
    name = "http.server"
    is_async = False

    def __init__(self, views: Mapping[str, View], **options: Any) -> None:
        super().__init__(views, **options)
        self._broken = False
        host = self

        class Pages(integration()):  # type: ignore[misc]  # of a page of the documentation
            sessions = Sessions(options)

            def is_https(self) -> bool:
                # As behind a proxy.
                return bool(self.headers["X-Forwarded-Proto"] == "https")

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except Exception:  # noqa: BLE001  # as a server does
                    host._broken = self.begun
                    self.close_connection = True
                    if not self.begun:
                        self.send_error(500)

            def do_GET(self) -> None:  # noqa: N802
                view = host.views[self.path.strip("/").partition("?")[0]]
                result = pieces(view, self.session, RequestAccounts(self.sessions, self.session))
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                if isinstance(result, Iterator):
                    self.end_headers()
                    for piece in result:
                        self.wfile.write(piece.encode())
                    return
                for field, value in headers_of(result).items():
                    self.send_header(field, value)
                body = result.encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def get(
        self,
        path: str,
        cookies: str | Sequence[str] = (),
        *,
        https: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        lines = [f"GET {path} HTTP/1.1", "Host: shop.example", f"X-Forwarded-Proto: {'https' if https else 'http'}"]
        lines += [f"Cookie: {each}" for each in ([cookies] if isinstance(cookies, str) else cookies)]
        lines += [f"{name}: {value}" for name, value in headers]
        self._broken = False
        with socket.create_connection(("127.0.0.1", self._server.server_port), 30) as connection:
            connection.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = received.partition(b"\r\n\r\n")
        status, *found = head.decode("latin-1").split("\r\n")
        return Answer(
            int(status.split()[1]),
            tuple(line.partition(": ")[::2] for line in found),
            body.decode(),
            self._broken,
        )

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
