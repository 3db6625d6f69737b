from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from servers.process import HOST
from servers.redis import Cluster, RedisServer, Sentinels, TLSServer
from stores.redis_samples import Opener, sample, use

from coatcheck.errors import StoreError

# All that the store needs. docs/stores/redis.md says the same.
COMMANDS = "+get +set +del +eval +evalsha +getrange +setrange +expire"


# Who may ask


def test_a_user_with_the_commands_of_the_documentation_can_do_everything(
    redis_server: RedisServer, open_redis: Opener
) -> None:
    with redis_server.administer() as client:
        client.execute_command("ACL", "SETUSER", "shop", "on", ">p@ss:w/rd", "~session:*", *COMMANDS.split())
        client.script_flush()
    store = open_redis(f"redis://shop:p%40ss%3Aw%2Frd@{HOST}:{redis_server.port}")
    use(store)


def test_so_can_a_user_of_a_cluster(redis_cluster: Cluster, open_redis: Opener) -> None:
    for server in redis_cluster.servers:
        with server.administer() as client:
            commands = f"{COMMANDS} +cluster|slots +asking".split()
            client.execute_command("ACL", "SETUSER", "shop", "on", ">secret", "~session:*", *commands)
    store = open_redis(redis_cluster.url().replace("://", "://shop:secret@"))
    for _ in range(10):
        use(store)


def test_a_user_who_may_too_little_is_told_so(redis_server: RedisServer, open_redis: Opener) -> None:
    with redis_server.administer() as client:
        client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~session:*", "+get")
    store, key = open_redis(f"redis://reader:secret@{HOST}:{redis_server.port}"), os.urandom(32)
    assert store.read(key) is None
    acts: list[Callable[[], object]] = [
        lambda: store.insert(key, sample()),
        lambda: store.replace(key, sample(), b"12345678"),
    ]
    for act in acts:
        with pytest.raises(StoreError, match="does not let this user do what a session needs"):
            act()


@pytest.mark.parametrize("credentials", ["shop:wrong", "nobody:secret", ":wrong"])
def test_a_wrong_password_is_an_error_that_does_not_repeat_it(
    redis_server: RedisServer, open_redis: Opener, credentials: str
) -> None:
    store = open_redis(f"redis://{credentials}@{HOST}:{redis_server.port}")
    with pytest.raises(StoreError, match="Redis refuses the user or the password") as caught:
        store.read(os.urandom(32))
    shown = str(caught.value) + repr(caught.value) + repr(store)
    assert not any(word in shown for word in ("wrong", "secret", "nobody", "shop"))
    assert str(redis_server.port) not in str(caught.value)


def test_a_missing_password_is_an_error(open_redis: Opener) -> None:
    server = RedisServer(password="secret")
    try:
        server.start()
        with pytest.raises(StoreError, match="asks for a password"):
            open_redis(server.url("valkey")).read(os.urandom(32))
        use(open_redis(f"valkey://:secret@{HOST}:{server.port}"))
    finally:
        server.discard()


# TLS


def test_tls_refuses_an_unknown_authority(
    redis_tls_server: TLSServer, open_redis: Opener, other_authority: Path
) -> None:
    for query in (f"?tls_ca={other_authority}", "?timeout=5"):
        with pytest.raises(StoreError, match="its certificate is refused"):
            open_redis(redis_tls_server.url(query=query)).read(os.urandom(32))


def test_tls_refuses_a_certificate_for_another_name(redis_tls_server: TLSServer, open_redis: Opener) -> None:
    url = redis_tls_server.url().replace(HOST, "localhost")
    with pytest.raises(StoreError, match="its certificate is refused"):
        open_redis(url).read(os.urandom(32))


def test_tls_without_verifying_is_there_for_whoever_asks(redis_tls_server: TLSServer, open_redis: Opener) -> None:
    use(open_redis(redis_tls_server.url(query="?tls_verify=no")))


def test_tls_shows_a_certificate_to_a_server_that_asks(redis_tls_server: TLSServer, open_redis: Opener) -> None:
    with redis_tls_server.administer() as client:
        client.config_set("tls-auth-clients", "yes")
        try:
            with pytest.raises(StoreError):
                open_redis(redis_tls_server.url()).read(os.urandom(32))
            files = f"&tls_cert={redis_tls_server.certificate}&tls_key={redis_tls_server.key}"
            use(open_redis(redis_tls_server.url() + files))
        finally:
            client.config_set("tls-auth-clients", "optional")


def test_a_server_without_tls_is_an_error(redis_server: RedisServer, open_redis: Opener) -> None:
    with pytest.raises(StoreError, match="did not answer within 0.5 seconds"):
        open_redis(redis_server.url("rediss", "?timeout=0.5")).read(os.urandom(32))


# What is another thing


def test_a_server_of_a_cluster_asked_alone_says_what_is_wrong(redis_cluster: Cluster, open_redis: Opener) -> None:
    store = open_redis(redis_cluster.servers[0].url())

    def ask() -> None:
        for _ in range(50):
            store.read(os.urandom(32))

    with pytest.raises(StoreError, match="is part of a cluster; the URL then says [+]cluster"):
        ask()


def test_a_server_alone_asked_as_a_cluster_says_what_is_wrong(redis_server: RedisServer, open_redis: Opener) -> None:
    with pytest.raises(StoreError, match="is no cluster, and the URL says [+]cluster"):
        open_redis(f"redis+cluster://{HOST}:{redis_server.port}").read(os.urandom(32))


def test_a_master_that_no_sentinel_knows_is_an_error(redis_sentinels: Sentinels, open_redis: Opener) -> None:
    store = open_redis(redis_sentinels.url().replace("/the-master", "/another"))
    with pytest.raises(StoreError, match="Redis has no master: a sentinel knows none of this name"):
        store.read(os.urandom(32))


def test_what_listens_there_may_be_something_else(redis_server: RedisServer, open_redis: Opener) -> None:
    import socketserver

    class Other(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1000)
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socketserver.ThreadingTCPServer((HOST, 0), Other) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(StoreError, match="answers nonsense|cannot be reached"):
            open_redis(f"redis://{HOST}:{server.server_address[1]}").read(os.urandom(32))
        server.shutdown()
