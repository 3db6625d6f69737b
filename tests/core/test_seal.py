"""The sealer: fresh nonces whatever happens to the process, and a cache that only good tokens fill."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Barrier, Thread

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from kit import NOON

from coatcheck.core import seal
from coatcheck.core.seal import DERIVED_KEPT, MESSAGES_PER_PREFIX, SECONDS_PER_PREFIX, Sealer

KEY = bytes.fromhex("8d5e2f0c71a94b36e8d01f7a25c693be40f7a81d6c2e59b3f4067d81ac92e503")
HEAD = b"\x01head"


def sealer(head: bytes = HEAD, key: bytes = KEY) -> Sealer:
    return Sealer(key, head, os.urandom)


def nonce(sealed: bytes) -> bytes:
    return sealed[len(HEAD) : len(HEAD) + 24]


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The prefixes that keys were derived for, since deriving one is what the cache saves."""
    prefixes: list[bytes] = []
    derive = seal.derive_aead

    def spy(key: bytes, prefix: bytes) -> AESGCM:
        prefixes.append(prefix)
        return derive(key, prefix)

    monkeypatch.setattr(seal, "derive_aead", spy)
    return prefixes


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 4096])
def test_what_is_sealed_opens_here_and_elsewhere(length: int) -> None:
    plaintext = os.urandom(length)
    here = sealer()
    sealed = here.seal(plaintext, NOON)
    assert len(sealed) == len(HEAD) + 24 + length + 16
    assert here.open(sealed) == plaintext
    assert sealer().open(sealed) == plaintext


def test_equal_plaintexts_have_unlike_ciphertexts() -> None:
    one = sealer()
    first, second = (one.seal(bytes(64), NOON)[len(HEAD) + 24 :] for _ in range(2))
    assert first != second
    blocks = [part[at : at + 16] for part in (first, second) for at in range(0, 64, 16)]
    assert len(set(blocks)) == 8


def test_another_key_or_another_head_does_not_open_it() -> None:
    sealed = sealer().seal(b"plain", NOON)
    for other, text in (
        (sealer(key=bytes(32)), sealed),
        (sealer(b"\x02head"), b"\x02head" + sealed[5:]),
        (sealer(b"\x01hea"), sealed),
        (sealer(b""), sealed),
    ):
        with pytest.raises(InvalidTag):
            other.open(text)


def test_a_changed_bit_anywhere_does_not_open() -> None:
    one = sealer()
    sealed = one.seal(b"plain", NOON)
    assert one.open(sealed) == b"plain"
    for place in range(len(HEAD) * 8, len(sealed) * 8):
        changed = bytearray(sealed)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(InvalidTag):
            one.open(bytes(changed))


def test_a_shortened_message_does_not_open() -> None:
    one = sealer()
    sealed = one.seal(b"plain", NOON)
    for length in range(len(HEAD) + 24, len(sealed)):
        with pytest.raises(InvalidTag):
            one.open(sealed[:length])


# The prefix


def test_the_prefix_is_renewed_after_an_hour() -> None:
    one = sealer()
    instants = [0, 1, SECONDS_PER_PREFIX - 0.001, SECONDS_PER_PREFIX, 2 * SECONDS_PER_PREFIX - 0.001, 10**9]
    prefixes = [nonce(one.seal(b"", NOON + instant))[:12] for instant in instants]
    assert SECONDS_PER_PREFIX == 3600
    assert [prefixes.index(prefix) for prefix in prefixes] == [0, 0, 0, 3, 3, 5]


def test_the_prefix_is_renewed_after_2_to_the_20_messages() -> None:
    one = sealer()
    assert MESSAGES_PER_PREFIX == 2**20
    first = one.seal(b"", NOON)[:17]
    for _ in range(2**20 - 2):
        one.seal(b"", NOON)
    assert one.seal(b"", NOON)[:17] == first
    assert one.seal(b"", NOON)[:17] != first


def test_only_the_second_half_of_a_nonce_is_drawn_for_each_message() -> None:
    drawn: list[int] = []

    def random(count: int) -> bytes:
        drawn.append(count)
        return os.urandom(count)

    one = Sealer(KEY, HEAD, random)
    nonces = [nonce(one.seal(b"", NOON)) for _ in range(3)]
    assert drawn == [12, 12, 12, 12]
    assert len({each[:12] for each in nonces}) == 1
    assert len({each[12:] for each in nonces}) == 3


def test_two_sealers_have_two_prefixes() -> None:
    assert nonce(sealer().seal(b"", NOON))[:12] != nonce(sealer().seal(b"", NOON))[:12]


# The cache of derived keys


def sealed_with_prefixes(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield sealer().seal(b"plain", NOON)


def test_a_prefix_that_has_opened_is_derived_once(derivations: list[bytes]) -> None:
    here = sealer()
    sealed = [here.seal(b"plain", NOON) for _ in range(5)]
    derivations.clear()
    one = sealer()
    for each in sealed:
        assert one.open(each) == b"plain"
    assert derivations == [nonce(sealed[0])[:12]]


def test_the_cache_keeps_no_more_than_its_bound(derivations: list[bytes]) -> None:
    one = sealer()
    sealed = list(sealed_with_prefixes(DERIVED_KEPT + 1))
    for each in sealed[:-1]:
        one.open(each)
    derivations.clear()
    for each in sealed[:-1]:
        one.open(each)
    assert derivations == []
    assert one.open(sealed[-1]) == b"plain"
    derivations.clear()
    # One more than it keeps: the one before must have gone.
    assert one.open(sealed[0]) == b"plain"
    assert derivations == [nonce(sealed[0])[:12]]


def test_forged_input_neither_fills_nor_empties_the_cache(derivations: list[bytes]) -> None:
    one = sealer()
    good = one.seal(b"plain", NOON)
    one.open(good)
    forgeries = [HEAD + os.urandom(24 + 48) for _ in range(3 * DERIVED_KEPT)]
    for forged in forgeries:
        with pytest.raises(InvalidTag):
            one.open(forged)
    derivations.clear()
    assert one.open(good) == b"plain"
    assert derivations == []
    with pytest.raises(InvalidTag):
        one.open(forgeries[-1])
    assert derivations == [nonce(forgeries[-1])[:12]]


def test_a_forgery_under_a_known_prefix_does_not_open() -> None:
    one = sealer()
    good = one.seal(b"plain", NOON)
    one.open(good)
    with pytest.raises(InvalidTag):
        one.open(good[: len(HEAD) + 12] + os.urandom(12 + 5 + 16))
    assert one.open(good) == b"plain"


# Forks and threads

DRAWS = 250_000


# A thread of an earlier test may just end, and newer Pythons warn of a fork beside any.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_no_nonce_repeats_in_forked_workers_and_every_message_opens(tmp_path: Path) -> None:
    """A million nonces of four processes that inherit one sealer in the middle of its work."""
    one = sealer()
    inherited = nonce(one.seal(b"", NOON))[:12]
    workers = [fork(partial(draw, one, tmp_path / str(index))) for index in range(4)]
    assert [os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers] == [0] * 4
    nonces = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))
    drawn = {nonces[at : at + 24] for at in range(0, len(nonces), 24)}
    assert len(drawn) == len(nonces) // 24 == 4 * DRAWS
    # Else this would show nothing: the children have the prefix, and the key, in common.
    assert {each[:12] for each in drawn} == {inherited}


def draw(one: Sealer, path: Path) -> None:
    with path.open("wb") as file:
        for _ in range(DRAWS):
            sealed = one.seal(b"plain", NOON)
            assert one.open(sealed) == b"plain"
            file.write(nonce(sealed))


def fork(work: Callable[[], None]) -> int:
    worker = os.fork()
    if worker == 0:
        # Whatever happens, the child must not go on with the tests of its parent.
        try:
            signal.alarm(300)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return worker


def test_threads_share_a_sealer_and_repeat_no_nonce() -> None:
    one = sealer()
    start = Barrier(8)
    sealed: list[list[bytes]] = [[] for _ in range(8)]
    opened: list[int] = []

    def work(mine: list[bytes]) -> None:
        start.wait()
        # An hour passes every thousand messages, so that threads race to renew the prefix.
        mine += [one.seal(b"plain", NOON + count * 3.6) for count in range(5000)]
        opened.append(sum(one.open(each) == b"plain" for each in mine))

    threads = [Thread(target=work, args=(mine,)) for mine in sealed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [5000] * 8
    assert len({nonce(each) for mine in sealed for each in mine}) == 8 * 5000


def test_nothing_of_the_key_shows() -> None:
    one = sealer()
    one.open(one.seal(b"plain", NOON))
    assert repr(one) == f"<Sealer {HEAD.hex()}>"
    assert not hasattr(one, "__dict__")
    for protocol in (0, 1, 2, pickle.HIGHEST_PROTOCOL):
        with pytest.raises(TypeError):
            pickle.dumps(one, protocol)
