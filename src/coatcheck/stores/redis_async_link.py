"""From a task to Redis and back. As `redis_link`, for asyncio."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from typing import Any

from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, NoScriptError, ResponseError
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as TimedOut

from coatcheck.stores.redis_errors import CONNECTING, FAILURES, NoAnswerError, explained, is_wrong_type
from coatcheck.stores.redis_line import Master, too_many
from coatcheck.stores.redis_link import STALE, connection_options
from coatcheck.stores.redis_record import Command, Script
from coatcheck.stores.redis_url import SENTINEL, RedisSettings


class AsyncLine:
    """The connections of one event loop to one server, or to the master of the moment."""

    def __init__(self, settings: RedisSettings) -> None:
        self.process: int = os.getpid()
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.master: Master | None = Master() if settings.form == SENTINEL else None
        self._settings = settings
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(settings.pool)

    async def take(self) -> Connection | None:
        """Gives a connection, or None for one that is to be made; waits where all are in use."""
        if self._slots.locked():
            try:
                async with asyncio.timeout(self._settings.timeout):
                    await self._slots.acquire()
            except TimeoutError:
                raise too_many(self._settings) from None
        else:
            # The time-out alone takes 5 us.
            await self._slots.acquire()
        return self._idle.pop() if self._idle else None

    async def give(self, connection: Connection | None) -> None:
        """Takes a connection back; None for one that was closed."""
        if connection is not None and self.master and (connection.host, connection.port) != self.master.address:
            await connection.disconnect(nowait=True)
        elif connection is not None:
            self._idle.append(connection)
        self._slots.release()

    async def close_idle(self, *, wait: bool = False) -> None:
        """Closes what nobody uses now."""
        while self._idle:
            with suppress(TimedOut):
                await self._idle.pop().disconnect(nowait=not wait)


class AsyncLink:
    """As `Link`, for asyncio."""

    def __init__(self, settings: RedisSettings, address: tuple[str, int] | None = None) -> None:
        self._settings = settings
        self._address = address or settings.hosts[0]
        self._line: AsyncLine | None = None
        self._hosts = list(settings.hosts)

    async def ask(self, command: Command, *operands: bytes) -> Any:
        """As `Link.ask`."""
        try:
            return await self.run((command.packed(*operands),), operands[0])
        except NoScriptError as error:
            if isinstance(command, Script):
                return await self.ask(command.whole, *operands)
            raise explained(error, self._settings) from None
        except FAILURES as error:
            if is_wrong_type(error):
                return None
            raise explained(error, self._settings) from None

    async def run(self, commands: tuple[bytes, ...], name: bytes) -> Any:  # noqa: ARG002, a cluster needs it
        """As `Link.run`."""
        line = self._line
        if line is None or line.loop is not asyncio.get_running_loop() or line.process != os.getpid():
            # Connections belong to one loop of one process.
            line = self._line = AsyncLine(self._settings)
        if line.master and line.master.is_due(time.monotonic()):
            await self._follow(line.master, line)
        connection = await line.take()
        try:
            if connection is None:
                connection = await self._connect(line)
            try:
                return await self._exchange(connection, commands)
            except BusyLoadingError:
                raise
            except STALE:
                # As in `Link.run`.
                await connection.disconnect(nowait=True)
                connection = None
                await line.close_idle()
                connection = await self._connect(line)
                return await self._exchange(connection, commands)
        except ResponseError:
            raise
        except BaseException:
            # Also for a task that was cancelled: the answer may still come, and it would be taken for the
            # answer to the next question.
            if connection is not None:
                await connection.disconnect(nowait=True)
                connection = None
            raise
        finally:
            await line.give(connection)

    async def _exchange(self, connection: Connection, commands: tuple[bytes, ...]) -> Any:
        # One time-out for both ways. Those of redis-py, one for each, take 15 us more.
        async with asyncio.timeout(self._settings.timeout):
            answer = None
            for command in commands:
                await connection.send_packed_command((command,))
                answer = await connection.read_response()
            return answer

    async def _connect(self, line: AsyncLine) -> Connection:
        settings = self._settings
        address = self._address
        if line.master:
            address = await self._find(line.master, line)
        return await self._connected(address, db=settings.db, username=settings.user, password=settings.password)

    async def _follow(self, master: Master, line: AsyncLine) -> None:
        if master.address is not None:
            try:
                await self._find(master, line)
            except FAILURES:
                master.is_out_of_reach(time.monotonic())

    async def _find(self, master: Master, line: AsyncLine) -> tuple[str, int]:
        settings = self._settings
        words = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", settings.master)
        _, found = await self._ask_any(*words, username=settings.sentinel_user, password=settings.sentinel_password)
        address = found[0].decode(), int(found[1])
        if address != master.address:
            # The idle ones lead to an earlier master.
            master.address = address
            await line.close_idle()
        return address

    async def _connected(self, address: tuple[str, int], **options: Any) -> Connection:
        host, port = address
        settings = self._settings
        kind = Connection if settings.tls is None else SSLConnection
        connection = kind(host=host, port=port, **options, **_connection_options(settings))
        try:
            async with asyncio.timeout(settings.connect_timeout):
                await connection.connect()
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if isinstance(error, TimeoutError):
                raise TimedOut(CONNECTING) from None
            raise
        return connection

    async def _ask_any(self, *words: str, **credentials: str | None) -> tuple[tuple[str, int], Any]:
        """Gives the first host that has an answer, and the answer."""
        failure: Exception | None = None
        for host in list(self._hosts):
            try:
                connection = await self._connected(host, **credentials)
                try:
                    async with asyncio.timeout(self._settings.timeout):
                        await connection.send_command(*words)
                        answer = await connection.read_response()
                finally:
                    await connection.disconnect(nowait=True)
            except (Disconnected, TimedOut, OSError) as error:
                self._put_last(host)
                failure = error
                continue
            if answer:
                return host, answer
        raise NoAnswerError from failure

    def _put_last(self, host: tuple[str, int]) -> None:
        """Has a host asked after all others from now on: it may cost the whole time-out."""
        self._hosts = [*(other for other in self._hosts if other != host), host]

    async def close(self) -> None:
        """Closes every connection that nobody uses now."""
        if self._line is not None and self._line.loop is asyncio.get_running_loop():
            await self._line.close_idle(wait=True)


def _connection_options(settings: RedisSettings) -> dict[str, Any]:
    """As `connection_options`. The time-outs after connecting are ours."""
    return {**connection_options(settings), "socket_timeout": None, "retry": Retry(NoBackoff(), 0)}
