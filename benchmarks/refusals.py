"""What it costs to refuse a cookie, from the header to the empty session: no sender of rubbish may keep a server busy.

    python benchmarks/refusals.py

The goal is under 20 microseconds for every cookie that is longer than browsers keep.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from timing import REFERENCE, heading, microseconds

from coatcheck import Keyring, Settings
from coatcheck.core.codec import pack
from coatcheck.core.engine import Engine
from coatcheck.core.record import Record
from coatcheck.core.text import decode, encode
from coatcheck.core.token import TokenSealer
from coatcheck.drive import run

NOW = 1_800_000_000
GOAL = 20
OVERSIZED = {"8 KiB": 8 << 10, "64 KiB": 64 << 10, "1 MiB": 1 << 20}


def rubbish(size: int) -> str:
    """A header of so many bytes whose cookie looks like a token all the way."""
    return "session=" + encode(os.urandom(size))[: size - len("session=")]


def headers() -> dict[str, str]:
    """The headers by what is wrong with them."""
    ring, record = Keyring(SECRET), Record(os.urandom(16), NOW, NOW, pack(REFERENCE))
    token = TokenSealer(ring, "", "session", os.urandom).seal(record, NOW)
    raw = decode(token)
    half = len(token) // 2
    wrong = {
        "nothing: it opens": token,
        "unknown key id": encode(raw[:1] + os.urandom(4) + raw[5:]),
        "unknown kind": encode(b"\x02" + raw[1:]),
        "bad character": token[:half] + "!" + token[half + 1 :],
        "bad last bits": token[:-1] + "~",
        "wrong tag, known prefix": encode(raw[:-16] + os.urandom(16)),
        "wrong tag, new prefix": encode(raw[:5] + os.urandom(12) + raw[17:]),
    }
    return {name: f"session={value}" for name, value in wrong.items()} | {
        name: rubbish(size) for name, size in OVERSIZED.items()
    }


SECRET = os.urandom(32)
rejected: list[object] = []
engine = Engine(Settings(), Keyring(SECRET), random=os.urandom, emit=rejected.append)


def side(header: str) -> Callable[[], object]:
    def load() -> object:
        rejected.clear()
        return run(engine.load(header, now=NOW))

    return load


def main() -> None:
    sides = {name: side(header) for name, header in headers().items()}
    for name, load in sides.items():
        load()
        assert bool(rejected) is (name != "nothing: it opens"), name
    taken = microseconds(sides, calls=200)
    print(heading("coatcheck", "cryptography"))
    print("refusing a cookie, microseconds")
    for name, cost in taken.items():
        print(f"  {name:24}{cost:8.2f}" + (f"  (at most {GOAL})" if name in OVERSIZED else ""))


if __name__ == "__main__":
    main()
