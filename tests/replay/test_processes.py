"""Processes that start late, fork, or are killed."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from kit import SECRET
from replay.machines import Browser, Machines
from servers.process import Server, wait_until

from coatcheck.sessions import Sessions

# More than two segments of the list.
MANY = 600
WORKERS = 3


def workers(server: Server, count: int) -> set[int]:
    """Gives the processes that answer for a server, when so many have."""
    found: set[int] = set()

    def all_have() -> bool:
        found.add(Browser().get(server, "/who")["pid"])
        return len(found) == count

    wait_until(all_have, f"an answer by each of {count} workers")
    return found


@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
def test_a_process_that_starts_later_reads_the_whole_list(kind: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ended.db"
    with Machines(tmp_path, revocations=url, revocation_delay=3600) as machines:
        first = machines.start(kind)
        copies = []
        sessions = Sessions({"secret_key": SECRET, "revocations": url})
        for number in range(MANY):
            if number % 100 == 0:
                copies.append(Browser().login(first, f"user{number}"))
            sessions.revoke_user(f"user{number}")
        sessions.opened[url].close()
        alive = Browser().login(first, "user0")
        late = machines.start(kind, machine="another")
        assert [browser.copy().user(late) for browser in copies] == [None] * len(copies)
        assert alive.user(late) == "user0"


def test_workers_that_fork_when_the_list_has_been_read_hear_of_each_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ended.db"
    with Machines(tmp_path, revocations=url, revocation_delay=3600) as machines:
        server = machines.start("gunicorn", more=f"--preload --workers {WORKERS}", WARM="1")
        pids = workers(server, WORKERS)
        for path in ("/logout", "/user?user=ada", "/everyone"):
            browser = Browser().login(server, "ada")
            copied = browser.copy()
            browser.get(server, path)
            tried: dict[int, str | None] = {}

            def all_have_tried(copied: Browser = copied, tried: dict[int, str | None] = tried) -> bool:
                found = copied.copy().get(server, "/who")
                tried[found["pid"]] = found["user"]
                assert found["user"] is None
                return set(tried) == pids

            wait_until(all_have_tried, f"an answer by each of {WORKERS} workers")


@pytest.mark.parametrize("path", ["/logout", "/user?user=ada", "/everyone"])
@pytest.mark.parametrize("mode", ["cookie", "store", "hybrid"])
def test_a_process_that_is_killed_between_any_two_steps_leaves_nothing_that_cannot_be_ended(
    mode: str, path: str, tmp_path: Path
) -> None:
    """It is killed before each operation in turn, by SIGKILL, and another process is asked to do it all again."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    place = {"revocations": url} | ({} if mode == "cookie" else {"store": url})
    with Machines(tmp_path, mode=mode, revocation_delay=0, **place) as machines:
        fuse = tmp_path / "fuse"
        fuse.write_text("-1")
        mortal = machines.start("gunicorn", FUSE=str(fuse))
        other = machines.start("gunicorn", machine="another")
        for operation in count():
            browser, bystander = Browser().login(other, "ada"), Browser().login(other, "bob")
            assert browser.user(mortal) == "ada"
            copied, again = browser.copy(), browser.copy()
            # gunicorn starts another worker in the place of the one that is killed.
            fuse.write_text(str(operation))
            try:
                status, _ = browser.ask(mortal, path)
            except (ConnectionError, OSError):
                status = 0
            finally:
                fuse.write_text("-1")
            if status == 0:
                # Nobody was told that it is done. It may have been: what counts is that it can be, now.
                again.ask(other, path)
            assert copied.copy().user(other) is None, operation
            assert copied.copy().user(mortal) is None, operation
            if path != "/everyone":
                assert bystander.user(other) == bystander.user(mortal) == "bob"
            if status == 200:
                assert operation > 1, "nobody was killed"
                return
