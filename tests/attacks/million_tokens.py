"""Seals and opens a million different tokens in a process of its own, and prints what its memory did.

    python tests/attacks/million_tokens.py 1000000

One line of JSON: the peak of the process's memory in KiB, and Python's own
blocks, each after a tenth of the tokens and at the end. A process of its own,
because a peak that something else has left would hide one of ours.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys

from coatcheck import Keyring, Settings
from coatcheck.core.codec import pack
from coatcheck.core.engine import Engine
from coatcheck.core.record import Record
from coatcheck.core.token import TokenSealer
from coatcheck.drive import run

NOW = 1_800_000_000
# Each sealer stands for a worker that has just started, and brings a prefix that the opening side has not seen.
TOKENS_PER_SEALER = 40


def measure() -> tuple[int, int]:
    gc.collect()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes there, KiB elsewhere.
    return (peak // 1024 if sys.platform == "darwin" else peak), sys.getallocatedblocks()


def main(count: int) -> None:
    keyring = Keyring("f1b6a0c25d3e94877a60c1d2e3b4958607f8192a3b4c5d6e7f8091a2b3c4d5e7")
    rejected: list[object] = []
    engine = Engine(Settings(), keyring, random=os.urandom, emit=rejected.append)
    warm = (0, 0)
    sealer = TokenSealer(keyring, "", "session", os.urandom)
    for number in range(count):
        if number % TOKENS_PER_SEALER == 0:
            sealer = TokenSealer(keyring, "", "session", os.urandom)
        if number == count // 10:
            warm = measure()
        token = sealer.seal(Record(number.to_bytes(16, "big"), NOW, NOW, pack({"n": number})), NOW)
        assert run(engine.load("session=" + token, now=NOW)).content == {"n": number}
    assert not rejected
    end = measure()
    sys.stdout.write(json.dumps({"peak": [warm[0], end[0]], "blocks": [warm[1], end[1]]}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
