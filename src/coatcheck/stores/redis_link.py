"""From a thread to Redis and back.

The connections are those of redis-py, with its handshake. What stands between them and
a command is our own. Its `Redis` takes twice as long for each command as the server and
the network together: 82 us for a `GET` that takes 36 this way. Behind sentinels it goes
on using a connection whose answer nobody has read (up to 8.1, when a signal handler
raises, or a time-out of gevent), and gives the answer to the next question.
"""

from __future__ import annotations

import os
import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import NoScriptError, ReadOnlyError, ResponseError
from redis.retry import Retry

from coatcheck.stores.redis_errors import FAILURES, NoAnswerError, explained, is_wrong_type
from coatcheck.stores.redis_line import Line, Master
from coatcheck.stores.redis_record import Command, Script
from coatcheck.stores.redis_reply import OversizedError, read_reply
from coatcheck.stores.redis_url import RedisSettings

STALE = (Disconnected, ReadOnlyError)
"""What tells that a connection is of no use any more, while another may be."""


class Link:
    """Asks one server, or the master that the sentinels name.

    Args:
        settings: how, and where.
        address: the server, where it is not the one of the settings.
    """

    def __init__(self, settings: RedisSettings, address: tuple[str, int] | None = None) -> None:
        self._settings = settings
        self._address = address or settings.hosts[0]
        self._line = Line(settings)
        # Those that are asked for the master, or for the slots; those that failed at the end.
        self._hosts = list(settings.hosts)

    def ask(self, command: Command, *operands: bytes) -> Any:
        """Gives the answer; None too where the key holds what is no string. Raises `StoreError`."""
        try:
            return self.run((command.packed(*operands),), operands[0])
        except NoScriptError as error:
            if isinstance(command, Script):
                return self.ask(command.whole, *operands)
            raise explained(error, self._settings) from None
        except OversizedError:
            # As a value that is too short: none of ours.
            return b""
        except FAILURES as error:
            if is_wrong_type(error):
                return None
            raise explained(error, self._settings) from None

    def run(self, commands: tuple[bytes, ...], name: bytes) -> bytes | int | None:  # noqa: ARG002, a cluster needs it
        """Gives the answer to the last of these commands, which go over one connection. Raises what redis-py does.

        `name` is the key that they are about.
        """
        line = self._line
        if line.process != os.getpid():
            # After a fork: two processes must not share a connection. Those of the parent are closed on
            # our side when nothing refers to them, which says nothing to the server.
            line = self._line = Line(self._settings)
        if line.master and line.master.is_due(time.monotonic()):
            self._follow(line.master, line)
        connection = line.take()
        try:
            if connection is None:
                connection = self._connect(line)
            try:
                return _exchange(connection, commands)
            except TimeoutError:
                raise
            except (*STALE, OSError):
                # It was closed while it was idle, or its server is no master any more, and so it is with
                # the others. The command may have been run: each of ours may be run twice.
                connection.disconnect()
                connection = None
                line.close_idle()
                connection = self._connect(line)
                return _exchange(connection, commands)
        except ResponseError:
            # The answer was read to its end: the connection stays.
            raise
        except BaseException:
            # Also for KeyboardInterrupt and the time-outs of gevent: the answer may still come, and it
            # would be taken for the answer to the next question.
            if connection is not None:
                connection.disconnect()
                connection = None
            raise
        finally:
            line.give(connection)

    def _connect(self, line: Line) -> redis.Connection:
        settings = self._settings
        address = self._address
        if line.master:
            address = self._find(line.master, line)
        return self._connected(address, db=settings.db, username=settings.user, password=settings.password)

    def _follow(self, master: Master, line: Line) -> None:
        if master.address is not None:
            try:
                self._find(master, line)
            except FAILURES:
                master.is_out_of_reach(time.monotonic())

    def _find(self, master: Master, line: Line) -> tuple[str, int]:
        settings = self._settings
        words = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", settings.master)
        _, found = self._ask_any(*words, username=settings.sentinel_user, password=settings.sentinel_password)
        address = found[0].decode(), int(found[1])
        if address != master.address:
            # The idle ones lead to an earlier master.
            master.address = address
            line.close_idle()
        return address

    def _connected(self, address: tuple[str, int], **options: Any) -> redis.Connection:
        host, port = address
        kind = redis.Connection if self._settings.tls is None else redis.SSLConnection
        connection = kind(host=host, port=port, **options, **connection_options(self._settings))
        try:
            connection.connect()
        except BaseException:
            connection.disconnect()
            raise
        return connection

    def _ask_any(self, *words: str, **credentials: str | None) -> tuple[tuple[str, int], Any]:
        """Gives the first host that has an answer, and the answer."""
        failure: Exception | None = None
        for host in list(self._hosts):
            try:
                connection = self._connected(host, **credentials)
                try:
                    connection.send_command(*words)
                    answer = connection.read_response()
                finally:
                    connection.disconnect()
            except (Disconnected, redis.TimeoutError, OSError) as error:
                self._put_last(host)
                failure = error
                continue
            if answer:
                return host, answer
        raise NoAnswerError from failure

    def _put_last(self, host: tuple[str, int]) -> None:
        """Has a host asked after all others from now on: it may cost the whole time-out."""
        self._hosts = [*(other for other in self._hosts if other != host), host]

    def close(self) -> None:
        """Closes every connection that nobody uses now."""
        self._line.close_idle()


def _exchange(connection: redis.Connection, commands: tuple[bytes, ...]) -> bytes | int | None:
    wire: Any = connection._sock  # noqa: SLF001, see redis_reply
    answer = None
    for command in commands:
        wire.sendall(command)
        answer = read_reply(wire.recv)
    return answer


def connection_options(settings: RedisSettings) -> dict[str, Any]:
    """Gives what holds for each connection, in the words of redis-py."""
    return {
        "socket_timeout": settings.timeout,
        "socket_connect_timeout": settings.connect_timeout,
        # Replies and nothing else: with the third version, a server may send what nobody asked for.
        "protocol": 2,
        # When to try again is decided here.
        "retry": Retry(NoBackoff(), 0),
        **(settings.tls or {}),
    }
