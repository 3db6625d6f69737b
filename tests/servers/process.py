"""A real server, started for the tests on a free port of the loopback interface, and stopped with them."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import SystemRandom

HOST = "127.0.0.1"
# A machine that is busy with other things starts a database slowly.
_PATIENCE = 90
# And what a store of a test waits for an answer, in seconds, where its time-out is not what is tested.
PATIENCE = 30


# Below those that a system gives to whoever asks for any: until a server listens at its port, somebody else would be
# given it. A Redis of a cluster has another one, 10000 above.
_PORTS = range(10_240, 22_000)
_given: set[int] = set()


def free_port() -> int:
    """Gives a port that nobody listens at, once."""
    while True:
        port = SystemRandom().choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            if port not in _given:
                _given.add(port)
                return port


def program(name: str, *folders: str) -> str:
    """Gives the path of a server's program; fails with what is missing."""
    path = shutil.which(name, path=os.pathsep.join([*folders, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    assert path, f"there is no {name} here: scripts/components.sh installs it on Debian"
    return path


def wait_until(ready: Callable[[], bool], what: str, patience: float = _PATIENCE) -> None:
    """Waits for another process. Every wait of the tests for a server goes through here."""
    deadline = time.monotonic() + patience
    while not ready():
        assert time.monotonic() < deadline, f"{what} took more than {patience} seconds"
        time.sleep(0.02)


def accepts(port: int) -> bool:
    """Says whether somebody listens at a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


class Server:
    """One process of a server, with a folder of its own.

    It can be killed, stopped and continued, and started again with the same port and data.
    """

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        *,
        folder: Path | None = None,
        user: str | None = None,
        ready: Callable[[], bool] | None = None,
    ) -> None:
        self.command = list(command)
        self.port = port
        self.folder = folder or new_folder(user)
        # Some servers refuse to run as root.
        self.user = user if user and os.getuid() == 0 else None
        self._ready = ready or (lambda: accepts(port))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts the process and waits until it serves."""
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=self.user,
                start_new_session=True,
            )
        wait_until(self._is_up, f"the start of {self.command[0]}")

    def _is_up(self) -> bool:
        assert self._process is not None
        output = self.folder / "output"
        assert self._process.poll() is None, f"{self.command[0]} ended: {output.read_text(errors='replace')[-2000:]}"
        return self._ready()

    def kill(self) -> None:
        """Ends the process, and those that it has begun, with SIGKILL: nothing is said, nothing is saved."""
        if self._process is not None and self._process.poll() is None:
            # Not every server's workers notice that the first process is gone.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Ends the process in its own good order."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            # A process that is stopped takes no other signal than SIGKILL.
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(20)
            self._process = None

    def freeze(self) -> None:
        """Stops the process with SIGSTOP: it takes connections, and answers nobody."""
        os.kill(self.pid, signal.SIGSTOP)
        # Its threads stop one after the other, and the last ones may still answer.
        os.waitpid(self.pid, os.WUNTRACED)

    def thaw(self) -> None:
        """Lets a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def discard(self) -> None:
        """Ends the process and removes its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def new_folder(user: str | None = None) -> Path:
    """Gives an empty folder that a server may write to."""
    folder = Path(tempfile.mkdtemp(prefix="coatcheck-"))
    if user and os.getuid() == 0:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder
