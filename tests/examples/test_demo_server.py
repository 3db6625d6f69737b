"""The demo as a person starts it."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

APP = str(Path(__file__).parents[2] / "examples" / "demo" / "app.py")


def test_it_says_which_addresses_there_are_and_serves_them() -> None:
    opener = build_opener(ProxyHandler({}))
    with subprocess.Popen(
        [sys.executable, APP, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline() for _ in range(7)]
            addresses = [line.split()[0] for line in lines if line.startswith("  http")]
            origin = addresses[0].rstrip("/")
            assert lines[0].startswith(f"The demo runs on {origin} until")
            assert addresses == [
                origin + path for path in ("/", "/username/", "/inspect/", "/delete_user/", "/account/")
            ]
            for address in addresses:
                with opener.open(address, timeout=60) as answer:
                    assert answer.status == 200
        finally:
            process.terminate()


def test_a_port_that_is_taken_is_named_with_the_way_to_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, APP, "--port", str(port)], capture_output=True, text=True, timeout=30, check=False
        )
    assert ended.returncode == 1
    assert f"Port {port} is in use by another program" in ended.stderr
    assert f"Choose another port: python {APP} --port {port + 1}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not ended.stdout


def test_a_number_that_is_no_port_is_refused() -> None:
    command = [sys.executable, APP, "--port", "80000"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "a port is a number from 0 to 65535" in ended.stderr


def test_the_port_is_5000_where_nothing_is_said() -> None:
    usage = subprocess.run([sys.executable, APP, "--help"], capture_output=True, text=True, timeout=30, check=True)
    assert "5000 where nothing is said" in usage.stdout
