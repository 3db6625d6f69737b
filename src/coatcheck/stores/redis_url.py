"""What the URL of a Redis store says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Self

from coatcheck.errors import UsageError
from coatcheck.stores.url import StoreURL

ALONE = ""
SENTINEL = "sentinel"
CLUSTER = "cluster"

_PORTS = {ALONE: 6379, SENTINEL: 26379, CLUSTER: 6379}
_TLS = ("tls_ca", "tls_cert", "tls_key", "tls_verify")
_OPTIONS = ("connect_timeout", "pool", "prefix", "timeout", *_TLS)
# Beside what all of them have.
_OWN_OPTIONS = {ALONE: ("db",), SENTINEL: ("db", "sentinel_password", "sentinel_user"), CLUSTER: ()}


class RedisSettings(NamedTuple):
    """Where the servers are, who asks them, and how long it waits. Its repr shows the servers and nothing else."""

    kind: str
    """Redis or Valkey, for messages. Both speak the same protocol."""
    form: str
    """`ALONE`, `SENTINEL` or `CLUSTER`."""
    hosts: tuple[tuple[str, int], ...]
    """The server; or the sentinels; or the servers of a cluster that are asked for all of them."""
    master: str
    """The name under which the sentinels know the master."""
    db: int
    prefix: bytes
    """What each key begins with."""
    timeout: float
    """Seconds in which the server answers."""
    connect_timeout: float
    """Seconds in which it accepts a connection, and the async store as its user."""
    pool: int
    """The most connections of one process; to each server, in a cluster."""
    tls: dict[str, Any] | None
    """In the words of redis-py; None for a connection in the clear."""
    user: str | None = None
    password: str | None = None
    sentinel_user: str | None = None
    sentinel_password: str | None = None

    @classmethod
    def from_url(cls, url: StoreURL) -> Self:
        """Reads it. Raises `UsageError` for what cannot be right."""
        scheme, _, form = url.scheme.partition("+")
        if form not in _OWN_OPTIONS:
            raise UsageError(
                f"there is no store {url.scheme!r}; beside {scheme} there are {scheme}+sentinel and +cluster"
            )
        url.check((*_OPTIONS, *_OWN_OPTIONS[form]))
        if not url.hosts or (form == ALONE and len(url.hosts) > 1):
            many = "" if form == ALONE else "1:26379,host2:26379" if form == SENTINEL else "1:6379,host2:6379"
            raise UsageError(f"the URL of a {url.scheme} store names {_servers(form)}: {url.scheme}://host{many}")
        timeout = url.seconds("timeout", 2)
        prefix = url.text("prefix", "session:") or ""
        return cls(
            kind="Valkey" if scheme.startswith("valkey") else "Redis",
            form=form,
            hosts=tuple((name, port or _PORTS[form]) for name, port in url.hosts),
            master=_master(url) if form == SENTINEL else "",
            db=_db(url, form),
            prefix=prefix.encode(),
            timeout=timeout,
            connect_timeout=url.seconds("connect_timeout", timeout),
            pool=url.count("pool", 50),
            tls=_tls(url, tls=scheme in {"rediss", "valkeys"}),
            user=url.user,
            password=url.password,
            sentinel_user=url.text("sentinel_user"),
            sentinel_password=url.text("sentinel_password"),
        )

    def __repr__(self) -> str:
        return f"<RedisSettings of {self.place}>"

    @property
    def place(self) -> str:
        """Says where the store is, for people."""
        hosts = ",".join(f"{name}:{port}" for name, port in self.hosts)
        if self.form == ALONE:
            return f"{self.kind} at {hosts}/{self.db}"
        return f"{self.kind} {self.form} at {hosts}" + (f", {self.master}/{self.db}" if self.master else "")


def _servers(form: str) -> str:
    return {ALONE: "one server", SENTINEL: "the sentinels", CLUSTER: "some servers of the cluster"}[form]


def _master(url: StoreURL) -> str:
    name = url.path.strip("/")
    if not name:
        raise UsageError(f"a {url.scheme} URL names the master in its path: {url.scheme}://host:26379/mymaster")
    return name


def _db(url: StoreURL, form: str) -> int:
    """Gives the number of the database: the path, where the path is not another thing, or the option."""
    path = "" if form == SENTINEL else url.path.strip("/")
    number = path or str(url.options.get("db", 0))
    if not number.isascii() or not number.isdigit():
        raise UsageError(f"the database of a {url.scheme} store is a number")
    if path and "db" in url.options and str(url.options["db"]) != path:
        raise UsageError("the URL and its option 'db' name two databases")
    if form == CLUSTER and int(number):
        raise UsageError("a cluster has the database 0 alone")
    return int(number)


def _tls(url: StoreURL, *, tls: bool) -> dict[str, Any] | None:
    if not tls:
        given = [name for name in _TLS if name in url.options]
        if given:
            raise UsageError(f"the option {given[0]!r} needs TLS: {url.scheme.replace(*_with_tls(url.scheme), 1)}://")
        return None
    files = {name: url.text(name) for name in ("tls_ca", "tls_cert", "tls_key")}
    for name, path in files.items():
        if path is not None and not Path(path).is_file():
            raise UsageError(f"the option {name!r} of a store names no file that is there")
    verify = url.switch("tls_verify", default=True)
    return {
        "ssl_ca_certs": files["tls_ca"],
        "ssl_certfile": files["tls_cert"],
        "ssl_keyfile": files["tls_key"],
        # Said, and not left to what a version of redis-py takes for granted: some do not look at the name.
        "ssl_cert_reqs": "required" if verify else "none",
        "ssl_check_hostname": verify,
    }


def _with_tls(scheme: str) -> tuple[str, str]:
    return ("valkey", "valkeys") if scheme.startswith("valkey") else ("redis", "rediss")
