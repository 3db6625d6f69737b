"""From a task to a memcached server and back.

All tasks share one connection: the server answers in the order in which it was asked.
The answer to a task that was cancelled meanwhile is read, and thrown away.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from coatcheck.errors import StoreError
from coatcheck.stores.memcached_errors import EndedError, NonsenseError, RefusedError, explained, has_ended
from coatcheck.stores.memcached_record import Found, Run, to_run
from coatcheck.stores.memcached_url import MemcachedSettings

# Beside a value, no answer of memcached is as long.
_LONGEST_LINE = 2048


class Connection(asyncio.Protocol):
    """One connection, of one event loop, to one run of a server."""

    def __init__(self, timeout: float) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self.loop.create_future()
        self.run: Run = (0, 0)
        self._timeout = timeout
        self._arrived = bytearray()
        self._waiting: deque[tuple[asyncio.Future[bytes], asyncio.TimerHandle]] = deque()
        self._transport: asyncio.Transport

    @property
    def is_usable(self) -> bool:
        """Whether it can be asked."""
        if self._transport.is_closing():
            return False
        # Where the loop was busy, it has not heard of the end yet.
        if not self._waiting and has_ended(self._transport.get_extra_info("socket")):
            self._end(EndedError())
            return False
        return True

    def ask(self, command: bytes) -> asyncio.Future[bytes]:
        """Sends a command and gives the answer to come."""
        answer: asyncio.Future[bytes] = self.loop.create_future()
        self._waiting.append((answer, self.loop.call_later(self._timeout, self._give_up)))
        self._transport.write(command)
        return answer

    def close(self) -> None:
        self._end(EndedError())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc if isinstance(exc, ConnectionError) else EndedError())
        self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._arrived += data
        try:
            while (length := _length(self._arrived)) is not None:
                answer, timer = self._waiting.popleft()
                timer.cancel()
                if not answer.done():
                    answer.set_result(bytes(self._arrived[:length]))
                del self._arrived[:length]
        except (ValueError, IndexError):
            # It does not speak as memcached does, or without being asked.
            self._end(NonsenseError())

    def _give_up(self) -> None:
        # Those who asked later wait in the same line.
        self._end(TimeoutError())

    def _end(self, error: Exception) -> None:
        self._transport.abort()
        while self._waiting:
            answer, timer = self._waiting.popleft()
            timer.cancel()
            if not answer.done():
                answer.set_exception(error)


class AsyncLink:
    """Asks one server. Every method raises `StoreError`.

    Args:
        label: what errors call the server.
    """

    def __init__(self, address: tuple[str, int], settings: MemcachedSettings, label: str) -> None:
        self._address = address
        self._settings = settings
        self._label = label
        self._connection: Connection | None = None
        self._opening: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    async def read(self, name: bytes) -> Found | None:
        """Gives what the server has under a name."""
        answer, run = await self._ask(b"gets %b\r\n" % name, again=True)
        if answer == b"END\r\n":
            return None
        head, _, rest = answer.partition(b"\r\n")
        words = head.split()
        if len(words) != 5 or words[:2] != [b"VALUE", name]:
            raise self._explained(_problem(answer))
        return Found(rest[:-7], words[4], run)

    async def add(self, name: bytes, value: bytes, expiry: int) -> bool:
        """Keeps what is new. Gives False where there is something already."""
        answer, _ = await self._ask(b"add %b 0 %d %d\r\n%b\r\n" % (name, expiry, len(value), value))
        return self._is(answer, b"STORED\r\n", b"NOT_STORED\r\n")

    async def cas(self, name: bytes, value: bytes, expiry: int, cas: bytes, run: Run) -> bool:
        """Keeps this in the place of that version. Gives False if there is another, or none."""
        command = b"cas %b 0 %d %d %b\r\n%b\r\n" % (name, expiry, len(value), cas, value)
        answer, _ = await self._ask(command, run)
        return self._is(answer, b"STORED\r\n", b"EXISTS\r\n", b"NOT_FOUND\r\n")

    async def delete(self, name: bytes) -> None:
        """Removes what is there, if anything is."""
        answer, _ = await self._ask(b"delete %b\r\n" % name, again=True)
        self._is(answer, b"DELETED\r\n", b"NOT_FOUND\r\n")

    async def close(self) -> None:
        """Closes the connection."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.loop is asyncio.get_running_loop():
            connection.close()
            await connection.lost

    async def _ask(self, command: bytes, run: Run | None = None, *, again: bool = False) -> tuple[bytes, Run]:
        """Gives the answer, and which run of the server it is of.

        `run`: the only one that the command is for. To another it is not sent.
        `again`: as in `memcached_link`.
        """
        connection = self._connection
        try:
            if connection is None or connection.loop is not asyncio.get_running_loop() or not connection.is_usable:
                connection = await self._connect()
                again = False
            if run is not None and run != connection.run:
                return b"EXISTS\r\n", connection.run
            try:
                return await connection.ask(command), connection.run
            except ConnectionError:
                if not again:
                    raise
                connection = await self._connect()
                return await connection.ask(command), connection.run
        except (OSError, NonsenseError) as error:
            raise self._explained(error) from None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        if self._opening is None or self._opening[0] is not loop:
            self._opening = loop, asyncio.Lock()
        settings = self._settings
        host, port = self._address
        async with asyncio.timeout(settings.connect_timeout), self._opening[1]:
            connection = self._connection
            # The task before us may have connected.
            if connection is not None and connection.loop is loop and connection.is_usable:
                return connection
            _, connection = await loop.create_connection(lambda: Connection(settings.timeout), host, port)
            try:
                connection.run = _run(await connection.ask(b"stats\r\n"))
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            return connection

    def _is(self, answer: bytes, yes: bytes, *no: bytes) -> bool:
        if answer != yes and answer not in no:
            raise self._explained(_problem(answer))
        return answer == yes

    def _explained(self, error: Exception) -> StoreError:
        return explained(error, self._label, self._settings.timeout)


def _length(arrived: bytearray) -> int | None:
    """Gives the length of the first answer; None where it has not all arrived. Raises `ValueError` for nonsense."""
    end = arrived.find(b"\r\n")
    if end < 0:
        if len(arrived) > _LONGEST_LINE:
            raise ValueError("no line")
        return None
    if arrived.startswith(b"VALUE "):
        length = end + 2 + int(arrived[:end].split()[3]) + 7
        if len(arrived) < length:
            return None
        if arrived[length - 7 : length] != b"\r\nEND\r\n":
            raise ValueError("no end")
        return length
    if arrived.startswith(b"STAT "):
        end = arrived.find(b"\r\nEND\r\n")
        return None if end < 0 else end + 7
    return end + 2


def _run(answer: bytes) -> Run:
    rows = (line.split(b" ", 2) for line in answer.splitlines() if line.startswith(b"STAT "))
    try:
        return to_run({row[1]: row[2] for row in rows})
    except (KeyError, IndexError, ValueError):
        raise NonsenseError from None


def _problem(answer: bytes) -> Exception:
    kind, _, text = answer.decode("ascii", "replace").strip().partition(" ")
    return RefusedError(text) if kind == "SERVER_ERROR" else NonsenseError()
