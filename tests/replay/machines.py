"""Real servers, each a process of its own with the same configuration, and browsers that copy cookies."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from kit import name_and_value
from servers.process import HOST, Server, free_port, program

TESTS = Path(__file__).parents[1]
GUNICORN = "-m gunicorn --no-control-socket --worker-class gthread --threads 2 --bind {host}:{port} {more}"
COMMANDS = {
    "gunicorn": GUNICORN + " replay.flask_app:app",
    "uvicorn": "-m uvicorn --host {host} --port {port} {more} replay.starlette_app:app",
}


class Machines(ExitStack):
    """Servers that share their stores; they are discarded in the end.

    Args:
        folder: where what they write to is.
        options: the settings of all of them.
    """

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__()
        self.folder = folder
        self.options = options
        self._clock = folder / "clock"
        self.advance_to(0)

    def advance_to(self, seconds: float) -> None:
        """Sets how far the clock of the servers is ahead."""
        new = self._clock.with_suffix(".new")
        new.write_text(str(seconds))
        # A server reads the one or the other.
        new.replace(self._clock)

    def start(self, kind: str, *, machine: str = "one", more: str = "", **variables: str) -> Server:
        """Starts a server.

        Args:
            machine: those of one machine hear the same bell.
            more: arguments of its command line.
            variables: its environment.
        """
        bells = self.folder / machine
        bells.mkdir(exist_ok=True)
        environment = {
            "PYTHONPATH": str(TESTS),
            "CLOCK": str(self._clock),
            "COATCHECK_BELLS": str(bells),
            "OPTIONS": json.dumps(self.options),
            **variables,
        }
        port = free_port()
        words = COMMANDS[kind].format(host=HOST, port=port, more=more).split()
        given = [f"{name}={value}" for name, value in environment.items()]
        server = Server([program("env"), *given, sys.executable, *words], port)
        self.callback(server.discard)
        server.start()
        # It ends its workers too, which SIGKILL would leave.
        self.callback(server.stop)
        return server


class Browser:
    """Keeps one cookie, for any server. Nothing in it ever expires by itself."""

    def __init__(self, cookie: str = "") -> None:
        self.cookie = cookie

    def copy(self) -> Browser:
        """Gives what a thief has who has copied the cookie."""
        return Browser(self.cookie)

    def ask(self, server: Server, path: str) -> tuple[int, Any]:
        """Gives status and content of the answer."""
        connection = HTTPConnection(HOST, server.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Cookie": self.cookie} if self.cookie else {})
            answer = connection.getresponse()
            body = answer.read()
            for cookie in answer.headers.get_all("Set-Cookie", ()):
                name, value = name_and_value(cookie)
                self.cookie = f"{name}={value}" if value else ""
        finally:
            connection.close()
        return answer.status, json.loads(body) if answer.status == 200 else body

    def get(self, server: Server, path: str) -> Any:
        """Gives the content of an answer that is as it should be."""
        status, content = self.ask(server, path)
        assert status == 200, (path, status, content)
        return content

    def login(self, server: Server, user: str) -> Browser:
        """Signs in, and gives the browser."""
        self.get(server, f"/login?user={user}")
        return self

    def user(self, server: Server) -> str | None:
        """Says who is signed in."""
        found: str | None = self.get(server, "/who")["user"]
        return found
