"""Refuses ten thousand different tokens in a process of its own, and prints what stays allocated and what was at most.

    python tests/attacks/refused_tokens.py 10000

One line of JSON, in bytes. A process of its own, because the threads of other
tests ask for memory too.
"""

from __future__ import annotations

import gc
import json
import sys
import tracemalloc
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from attacks.harness import HEAD_BYTES, Desk

from coatcheck.core.text import decode, encode


def random_tokens(desk: Desk, count: int) -> list[str]:
    """A third random bytes, a third under our key's id, a third genuine but for one bit."""
    dice = Random(5)
    genuine = decode(desk.seal())
    tokens = []
    for number in range(count):
        raw = dice.randbytes(len(genuine))
        if number % 3 == 1:
            raw = genuine[:HEAD_BYTES] + raw[HEAD_BYTES:]
        if number % 3 == 2:
            at = dice.randrange(HEAD_BYTES, len(genuine))
            raw = genuine[:at] + bytes([genuine[at] ^ 1 << dice.randrange(8)]) + genuine[at + 1 :]
        tokens.append(encode(raw))
    return tokens


def main(count: int) -> None:
    desk = Desk()
    first, tokens = random_tokens(desk, 1000), random_tokens(desk, count)
    tracemalloc.start()
    for token in first:
        assert desk.refusal(token)
    gc.collect()
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    for token in tokens:
        assert desk.refusal(token)
    gc.collect()
    after, peak = tracemalloc.get_traced_memory()
    sys.stdout.write(json.dumps({"kept": after - before, "most": peak - before}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
