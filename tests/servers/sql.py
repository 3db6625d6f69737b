"""A real PostgreSQL and a real MariaDB, each started once for the tests that ask for it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pymysql
import pytest
from servers.certificates import Authority
from servers.process import HOST, Server, accepts, free_port, new_folder, program, wait_until

USER = "visitor"
PASSWORD = "p@ss/word:?#[]"
DATABASE = "sessions"
# What stands for the password in a URL.
QUOTED = "p%40ss%2Fword%3A%3F%23%5B%5D"


class SQLServer(Server):
    """A database server with one database, and one user who has a password."""

    kind: ClassVar[str]

    def url(self, scheme: str = "", *, port: int | None = None, password: str = QUOTED, **options: object) -> str:
        """Gives the URL of the database, with options of a store."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        place = f"{HOST}:{port or self.port}/{DATABASE}"
        return f"{scheme or self.kind}://{USER}:{password}@{place}{'?' if query else ''}{query}"

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Runs a statement as one who may do everything, and gives its rows."""
        raise NotImplementedError

    def _files(self, authority: Authority) -> dict[str, Path]:
        """Gives a certificate, its key and who signed it, that the server may read, and nobody else."""
        certificate, key = authority.sign(self.kind)
        own = {"cert": self.folder / "cert.pem", "key": self.folder / "key.pem", "ca": self.folder / "ca.pem"}
        for file, copy in zip((certificate, key, authority.path), own.values(), strict=True):
            shutil.copy(file, copy)
            copy.chmod(0o600)
            if self.user:
                shutil.chown(copy, self.user)
        return own


class PostgreSQL(SQLServer):
    """PostgreSQL as it is configured by default: it confirms what is on the disk.

    Args:
        authority: signs a certificate for a server that does TLS, and those of its clients.
    """

    kind = "postgresql"

    def __init__(self, authority: Authority | None = None) -> None:
        folder, port = new_folder("postgres"), free_port()
        versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        binaries = [str(path) for path in reversed(versions)]
        data = folder / "data"
        self._frozen: list[int] = []
        super().__init__(
            [
                program("postgres", *binaries),
                *("-D", str(data), "-p", str(port), "-k", str(folder)),
                *("-c", f"listen_addresses={HOST}", "-c", "max_connections=200"),
            ],
            port,
            folder=folder,
            user="postgres",
            ready=self._answers,
        )
        initdb = [program("initdb", *binaries), "-D", str(data), "-U", "owner", "-A", "trust", "-E", "UTF8", "-N"]
        _run([*initdb, "--locale=C"], folder, self.user)
        access = f"local all owner trust\nhost all {USER} {HOST}/32 scram-sha-256\nhost all owner {HOST}/32 trust\n"
        (data / "pg_hba.conf").write_text(access)
        if authority:
            self.command += ["-c", "ssl=on"]
            for name, file in self._files(authority).items():
                self.command += ["-c", f"ssl_{name}_file={file}"]

    def start(self) -> None:
        super().start()
        with self.administer("postgres") as connection:
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [USER]).fetchone():
                return
            connection.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {USER}")

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        with self.administer() as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def administer(self, database: str = DATABASE) -> psycopg.Connection:
        """Gives a connection that may do everything."""
        return psycopg.connect(
            host=HOST, port=self.port, user="owner", dbname=database, connect_timeout=10, autocommit=True
        )

    def kill(self) -> None:
        """Ends every process with SIGKILL: another of them would finish what it is at."""
        self._signal_processes(signal.SIGKILL)
        super().kill()

    def freeze(self) -> None:
        """Stops every process that serves a client, and the one that would start another."""
        self._signal_processes(signal.SIGSTOP)
        super().freeze()
        wait_until(lambda: all(map(_is_stopped, self._frozen)), "stopping the processes of PostgreSQL")

    def thaw(self) -> None:
        super().thaw()
        for process in self._frozen:
            os.kill(process, signal.SIGCONT)
        self._frozen = []

    def _signal_processes(self, number: signal.Signals) -> None:
        processes = self._frozen if self._frozen or self._process is None else self._others()
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, number)
        self._frozen = processes if number == signal.SIGSTOP else []

    def _others(self) -> list[int]:
        """Gives the processes beside the first, and none if the server is down already."""
        try:
            with self.administer("postgres") as connection:
                found = connection.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
                return [process for (process,) in found]
        except psycopg.OperationalError:
            return []

    def _answers(self) -> bool:
        try:
            self.administer("postgres").close()
        except psycopg.OperationalError:
            return False
        return True


class MariaDB(SQLServer):
    """MariaDB as it is configured by default: it confirms what is on the disk.

    Args:
        authority: as for `PostgreSQL`.
    """

    kind = "mariadb"

    def __init__(self, authority: Authority | None = None) -> None:
        folder, port = new_folder("nobody"), free_port()
        data = folder / "data"
        super().__init__(
            [
                program("mariadbd"),
                "--no-defaults",
                f"--datadir={data}",
                f"--tmpdir={folder}",
                f"--port={port}",
                f"--bind-address={HOST}",
                f"--socket={folder / 'socket'}",
                f"--pid-file={folder / 'pid'}",
                f"--init-file={folder / 'users.sql'}",
                "--skip-name-resolve",
                # Small, for a start in a second.
                "--innodb-log-file-size=16M",
                "--innodb-buffer-pool-size=64M",
            ],
            port,
            folder=folder,
            user="nobody",
            ready=self._answers,
        )
        # Run at each start: the server itself makes what is not there yet.
        (folder / "users.sql").write_text(
            f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"
            f"CREATE USER IF NOT EXISTS {USER}@'{HOST}' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON {DATABASE}.* TO {USER}@'{HOST}';\n"
        )
        (folder / "users.sql").chmod(0o644)
        install = [program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db"]
        if authority:
            self.command += [f"--ssl-{name}={file}" for name, file in self._files(authority).items()]
        _run([*install, "--auth-root-authentication-method=normal", "--skip-name-resolve"], folder, self.user)

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        with self.administer() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def administer(self) -> Any:
        """Gives a connection that may do everything."""
        return pymysql.connect(
            unix_socket=str(self.folder / "socket"),
            user="root",
            database=DATABASE,
            connect_timeout=10,
            autocommit=True,
        )

    def _answers(self) -> bool:
        # A connection that is refused, PyMySQL leaves open.
        if not accepts(self.port):
            return False
        try:
            self.administer().close()
        except pymysql.Error:
            return False
        return True


def _is_stopped(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        # It has ended, or the system tells nothing.
        return True
    return status.rpartition(")")[2].split()[0] == "T"


def _run(command: list[str], folder: Path, user: str | None) -> None:
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, user=user, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-1000:]}{done.stderr[-1000:]}"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Gives a PostgreSQL that runs."""
    server = PostgreSQL()
    try:
        server.start()
        yield server
    finally:
        server.discard()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """Gives a MariaDB that runs."""
    server = MariaDB()
    try:
        server.start()
        yield server
    finally:
        server.discard()
