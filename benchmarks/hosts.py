"""What a session costs a request on each host, beside the framework's own session where it has one.

    python benchmarks/hosts.py [host ...]

The cost is a request with the session minus the same request to the same application without one. All
sides run in turn in one process, through the whole application, and no server is between. A session
is the reference session, sealed into the cookie where nothing else is said. Settings are the defaults of
each side. The microseconds are medians; the share is ours through theirs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from hosts_sides import HOSTS, Comparison
from timing import heading, microseconds

PATHS = ("untouched", "read", "write")
GOALS = {"Starlette": {"untouched": 0.10, "read": 0.20, "write": 0.25}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: the costs of one kind of request, in microseconds."""

    host: str
    beside: str
    path: str
    ours: float
    theirs: float | None

    def __str__(self) -> str:
        goal = GOALS.get(self.host, {}).get(self.path)
        shares = f"{self.theirs:9.1f}{self.ours / self.theirs:8.3f}" if self.theirs else ""
        return f"{self.host:18}{self.path:11}{self.ours:10.1f}{shares}{f'{goal:7.2f}' if goal else '':7}  {self.beside}"


def measure(comparison: Comparison) -> Iterator[Row]:
    cookies = {name: site.cookie() for name, site in comparison.sites.items() if name != "off"}
    cookies["off"] = cookies["ours"]
    for path in PATHS:
        sides = {name: site.requests(f"/{path}", cookies[name]) for name, site in comparison.sites.items()}
        taken = microseconds({name: side.run for name, side in sides.items()}, rounds=40, calls=comparison.batches)
        cost = {name: (each - taken["off"]) / comparison.calls for name, each in taken.items()}
        yield Row(host=comparison.host, beside=comparison.beside, path=path, ours=cost["ours"], theirs=cost.get("own"))


def main() -> None:
    wanted = [name.lower() for name in sys.argv[1:]] or list(HOSTS)
    unknown = set(wanted) - set(HOSTS)
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: the hosts are {', '.join(HOSTS)}")
    print(heading("coatcheck", "cryptography", "ormsgpack", "starlette"))
    print("cost of the session in one request, microseconds")
    print(f"{'':29}{'coatcheck':>10}{'beside':>9}{'share':>8}{'goal':>7}")
    for name in wanted:
        with HOSTS[name]() as comparisons:
            for comparison in comparisons:
                for row in measure(comparison):
                    print(row, flush=True)


if __name__ == "__main__":
    main()
