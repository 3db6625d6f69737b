"""Real Redis servers: one alone, one with TLS, a master with a replica and three sentinels, a cluster of three."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from .certificates import Authority
from .process import HOST, Server, free_port, new_folder, program, wait_until

MASTER = "the-master"
# What a server that keeps nothing needs not do, and what one does that loses nothing.
_FORGETFUL = ("--save", "", "--appendonly", "no")
_DURABLE = ("--save", "", "--appendonly", "yes", "--appendfsync", "always")


class RedisServer(Server):
    """One server.

    Args:
        arguments: options of redis-server.
        durable: whether it confirms what is on the disk.
        password: what everybody has to say.
    """

    def __init__(
        self, *arguments: str, durable: bool = False, port: int | None = None, password: str | None = None
    ) -> None:
        port, folder = port or free_port(), new_folder()
        self._options: dict[str, Any] = {"host": HOST, "port": port, "password": password}
        arguments += ("--requirepass", password or "")
        common = ["--port", str(port), "--bind", HOST, "--dir", str(folder)]
        super().__init__(
            [program("redis-server"), *common, *(_DURABLE if durable else _FORGETFUL), *arguments],
            port,
            folder=folder,
            ready=self._answers,
        )

    def administer(self, **options: Any) -> redis.Redis:
        """Gives a client that may do everything; a context manager."""
        return redis.Redis(**{**self._options, "socket_timeout": 10, "protocol": 2, **options})

    def url(self, scheme: str = "redis", query: str = "") -> str:
        return f"{scheme}://{HOST}:{self.port}/0{query}"

    def watched(self, act: Callable[[], object]) -> list[list[str]]:
        """Gives the commands that the server is sent meanwhile, those of scripts left out."""
        with self.administer() as client, client.monitor() as monitor:
            act()
            client.echo("that is all")
            found: list[list[str]] = []
            for command in monitor.listen():
                words = command["command"].split(" ")
                if words[0] == "ECHO":
                    return found
                if command["client_type"] != "lua":
                    found.append(words)
        raise AssertionError("the server has stopped to say what it is sent")

    def info(self, section: str) -> dict[str, Any]:
        """Gives what the server says of itself."""
        with self.administer() as client:
            found: dict[str, Any] = client.info(section)
            return found

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stops the server for a while: it takes connections and commands, and answers nobody."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()
            # On a busy machine it is some time before it has its turn, and those who ask next may have little patience.
            wait_until(self._answers, "an answer of a server that goes on")

    def _answers(self) -> bool:
        with suppress(redis.RedisError), self.administer() as client:
            return bool(client.ping())
        return False


class TLSServer(RedisServer):
    """One server that speaks TLS alone.

    Attributes:
        ca, certificate, key: files for a client; a certificate of its own is needed only where the server asks for it.
    """

    def __init__(self) -> None:
        super().__init__()
        authority = Authority(self.folder)
        self.ca = authority.path
        certificate, key = authority.sign("server")
        self.certificate, self.key = authority.sign("client")
        self._options |= {"ssl": True, "ssl_ca_certs": str(self.ca)}
        self._options |= {"ssl_certfile": str(self.certificate), "ssl_keyfile": str(self.key)}
        self.command += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "optional"]
        self.command += ["--tls-ca-cert-file", str(self.ca)]
        self.command += ["--tls-cert-file", str(certificate), "--tls-key-file", str(key)]

    def url(self, scheme: str = "rediss", query: str = "") -> str:
        return super().url(scheme, query or f"?tls_ca={self.ca}")


class Sentinel(Server):
    """One of those who watch a master.

    Args:
        master: its port.
        patience: after how many milliseconds without an answer it takes the master for lost.
    """

    def __init__(self, master: int, patience: int) -> None:
        port, folder = free_port(), new_folder()
        configuration = folder / "sentinel.conf"
        configuration.write_text(
            f"port {port}\nbind {HOST}\ndir {folder}\n"
            f"sentinel monitor {MASTER} {HOST} {master} 2\n"
            f"sentinel down-after-milliseconds {MASTER} {patience}\n"
            f"sentinel failover-timeout {MASTER} 3000\n"
        )
        super().__init__([program("redis-server"), str(configuration), "--sentinel"], port, folder=folder)

    def seen(self) -> dict[str, Any]:
        """Gives what this one knows of the master."""
        with redis.Redis(HOST, self.port, socket_timeout=10, protocol=2) as client:
            found: dict[str, Any] = client.sentinel_master(MASTER)
            return found


class Sentinels:
    """A master, a replica, and three sentinels.

    Args:
        patience: as for `Sentinel`. A second is as short as it may be on a machine that is busy with other things.
    """

    def __init__(self, stack: ExitStack, patience: int = 1000) -> None:
        first, second = RedisServer(), RedisServer()
        self.servers = [first, second]
        second.command += ["--replicaof", HOST, str(first.port)]
        for server in self.servers:
            # It copies at once, and does not wait five seconds for other replicas to come.
            server.command += ["--repl-diskless-sync-delay", "0"]
            _start(server, stack)
        # Sentinels look for replicas when they start, and then every ten seconds.
        wait_until(lambda: second.info("replication")["master_link_status"] == "up", "the start of a replica")
        self.sentinels = [Sentinel(first.port, patience) for _ in range(3)]
        for sentinel in self.sentinels:
            _start(sentinel, stack)
        wait_until(lambda: all(map(_is_complete, self.sentinels)), "the meeting of the sentinels")

    def url(self, scheme: str = "redis+sentinel", query: str = "") -> str:
        hosts = ",".join(f"{HOST}:{sentinel.port}" for sentinel in self.sentinels)
        return f"{scheme}://{hosts}/{MASTER}{query}"

    def master(self) -> RedisServer:
        """Gives the master of the moment, as the first sentinel has it."""
        port = self.sentinels[0].seen()["port"]
        return next(server for server in self.servers if server.port == port)


def _is_healthy(state: dict[str, Any]) -> bool:
    return not (state["is_sdown"] or state["is_odown"]) and "failover_in_progress" not in state["flags"]


def _is_complete(sentinel: Sentinel) -> bool:
    state = sentinel.seen()
    return int(state["num-other-sentinels"]) == 2 and int(state["num-slaves"]) == 1 and _is_healthy(state)


class Cluster:
    """Three masters that share the slots.

    Args:
        patience: after how many milliseconds without an answer one is taken for lost.
    """

    def __init__(self, stack: ExitStack, patience: int = 1000) -> None:
        self._stack = stack
        self._patience = patience
        self.servers = [self._started() for _ in range(3)]
        self.cli("create", *(f"{HOST}:{server.port}" for server in self.servers), "--cluster-yes")
        wait_until(self.is_whole, "the start of a cluster")
        for server in self.servers:
            with server.administer() as client:
                # Not before: a server that does not meet the others within this time never does.
                client.config_set("cluster-node-timeout", patience)

    def _started(self) -> RedisServer:
        server = RedisServer(durable=True, port=_cluster_port())
        # A part that is lost is no reason to stop the others.
        server.command += ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"]
        _start(server, self._stack)
        return server

    def add_replica(self, master: RedisServer) -> RedisServer:
        """Gives a new server, which has all that the master has and takes its place when it is lost."""
        replica = self._started()
        with master.administer() as client, replica.administer() as other:
            master_id = client.execute_command("CLUSTER MYID")
            addresses = (f"{HOST}:{replica.port}", f"{HOST}:{master.port}")
            self.cli("add-node", *addresses, "--cluster-slave", "--cluster-master-id", master_id)
            other.config_set("cluster-node-timeout", self._patience)
        wait_until(lambda: replica.info("replication").get("master_link_status") == "up", "the start of a replica")
        return replica

    def cli(self, *arguments: str) -> None:
        """Runs `redis-cli --cluster`."""
        command = [program("redis-cli"), "--cluster", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def is_whole(self) -> bool:
        """Says whether each server sees all others and all slots."""
        for server in self.servers:
            with server.administer() as client:
                info = client.execute_command("CLUSTER INFO")
            if not (info["cluster_state"] == "ok" and int(info["cluster_slots_ok"]) == 16384):
                return False
        return True

    def url(self, scheme: str = "redis+cluster", query: str = "") -> str:
        return f"{scheme}://" + ",".join(f"{HOST}:{server.port}" for server in self.servers) + query


def _cluster_port() -> int:
    """Gives a port that is free, and so is the one 10000 above, where the servers of a cluster talk to each other."""
    for _ in range(1000):
        port = free_port()
        with suppress(OSError), socket.create_server((HOST, port + 10_000)):
            return port
    raise AssertionError("there is no pair of free ports for a cluster")


def _start(server: Server, stack: ExitStack) -> None:
    stack.callback(server.discard)
    server.start()


class Awaited:
    """An async store as a sync one: each call runs an event loop, always the same, until it is done."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.runner = asyncio.Runner()

    def __repr__(self) -> str:
        return repr(self.store)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments: self.runner.run(getattr(self.store, name)(*arguments))


@pytest.fixture(params=["sync", "async"])
def open_redis(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Gives what opens a store by its URL, in a test that holds for both kinds. Closes each in the end."""
    from coatcheck.stores.redis import AsyncRedisStore, RedisStore
    from coatcheck.stores.url import StoreURL

    with ExitStack() as stack:

        def opened(url: str, **options: Any) -> Any:
            parsed = StoreURL.parse(url)
            if request.param == "sync":
                sync_store = RedisStore.from_url(parsed, **options)
                stack.callback(sync_store.close)
                return sync_store
            store = Awaited(AsyncRedisStore.from_url(parsed, **options))
            stack.callback(store.runner.close)
            stack.callback(store.close)
            return store

        yield opened


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Gives a server that runs alone."""
    with ExitStack() as stack:
        server = RedisServer()
        _start(server, stack)
        yield server


@pytest.fixture(scope="session")
def redis_tls_server() -> Iterator[TLSServer]:
    """Gives a server that speaks TLS."""
    with ExitStack() as stack:
        server = TLSServer()
        _start(server, stack)
        yield server


@pytest.fixture(scope="session")
def redis_sentinels() -> Iterator[Sentinels]:
    """Gives a master with a replica and three sentinels, who give nobody up in haste: no test of these wants it."""
    with ExitStack() as stack:
        yield Sentinels(stack, patience=10_000)


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[Cluster]:
    """Gives a cluster of three masters, who give nobody up in haste: no test of these wants it."""
    with ExitStack() as stack:
        yield Cluster(stack, patience=5000)


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives the certificate of an authority that has signed nothing."""
    return Authority(tmp_path_factory.mktemp("authority"), "other").path
