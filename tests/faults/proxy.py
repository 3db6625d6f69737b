"""A connection that breaks at a chosen byte: what stands between client and server forwards until it is told to cut."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Self

HOST = "127.0.0.1"


class CuttingProxy:
    """Forwards connections to a port of the loopback interface.

    It is a context manager, and works from its making on:

        with CuttingProxy(server.port) as proxy:
            store = open_store(f"memcached://127.0.0.1:{proxy.port}")
            proxy.cut_after(10)
            store.read(key)        # the server answers, ten bytes arrive, and the connection ends

    Attributes:
        port: where clients connect.
        connections: how many there have been.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._left: int | None = None
        self._cut = Event()
        self._closed = False
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cut_after(self, count: int) -> None:
        """Lets so many bytes of replies through from now on, and ends the connection where the next byte would go.

        With 0, the server has done what it was asked, and the client never hears of it.
        That happens once; later connections are forwarded whole.
        """
        with self._lock:
            self._cut.clear()
            self._left = count

    def was_cut(self, patience: float = 30) -> bool:
        """Waits until a connection was cut, and says whether one was."""
        return self._cut.wait(patience)

    def drop_all(self) -> None:
        """Ends every connection there is now, as a server does that restarts."""
        with self._lock:
            ended, self._sockets = self._sockets, []
        for connection in ended:
            _end(connection)

    def close(self) -> None:
        """Ends every connection and listens no more."""
        self._closed = True
        _end(self._listener)
        self.drop_all()
        for thread in self._threads:
            thread.join(30)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((HOST, self._target), 10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self.connections += 1
                self._sockets += [client, server]
            replies = Thread(target=self._forward_replies, args=(server, client), daemon=True)
            requests = Thread(target=self._forward_requests, args=(client, server, replies), daemon=True)
            self._threads += [replies, requests]
            replies.start()
            requests.start()

    def _forward_requests(self, client: socket.socket, server: socket.socket, replies: Thread) -> None:
        with suppress(OSError):
            while some := client.recv(65536):
                server.sendall(some)
        _end(server)
        replies.join()
        client.close()
        server.close()

    def _forward_replies(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while some := server.recv(65536):
                passed = self._admit(some)
                client.sendall(passed)
                if len(passed) < len(some):
                    self._cut.set()
                    break
        _end(client)

    def _admit(self, some: bytes) -> bytes:
        """Gives what of these bytes goes through."""
        with self._lock:
            if self._left is None:
                return some
            passed = some[: self._left]
            self._left = self._left - len(passed) if len(passed) == len(some) else None
            return passed


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
