"""The key ring: what goes in, which key is the primary one, and that nothing of a secret comes out."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from traceback import TracebackException
from typing import Any

import pytest
from kit import OTHER_SECRET, SECRET

import coatcheck
from coatcheck import Keyring, UsageError
from coatcheck.core.keys import Key

THIRD_SECRET = "b2a8f0174c6d93e5081fa7c24be6d950"
# Two secrets whose ids of four bytes are the same.
CLASH = ("7b816f0ff1de84b5a7729491195d07f2", "8f3dca892b726a6d99c3d13532bce714")
NEW_YEAR = datetime(2031, 1, 1, tzinfo=UTC)


def test_the_first_secret_is_the_primary_key() -> None:
    ring = Keyring(SECRET, [OTHER_SECRET, THIRD_SECRET])
    assert ring.primary.id == Keyring(SECRET).primary.id
    assert set(ring.keys) == {Keyring(secret).primary.id for secret in (SECRET, OTHER_SECRET, THIRD_SECRET)}
    assert ring.keys[ring.primary.id] is ring.primary


def test_the_order_of_the_fallbacks_means_nothing() -> None:
    one, other = Keyring(SECRET, [OTHER_SECRET, THIRD_SECRET]), Keyring(SECRET, (THIRD_SECRET, OTHER_SECRET))
    assert one.primary.id == other.primary.id
    assert set(one.keys) == set(other.keys)


def test_text_and_its_bytes_are_the_same_secret() -> None:
    assert Keyring(SECRET).primary.id == Keyring(SECRET.encode()).primary.id
    assert Keyring("h\u00f6chst geheim 8#kQ2!m").primary.id == Keyring("h\u00f6chst geheim 8#kQ2!m".encode()).primary.id


def test_key_ids_have_four_bytes_and_are_those_of_format_v1() -> None:
    assert Keyring(SECRET).primary.id.hex() == "9286d4f3"
    assert Keyring(OTHER_SECRET).primary.id.hex() == "98ad16d8"


def test_each_purpose_has_a_key_of_its_own() -> None:
    key = Keyring(SECRET).primary
    purposes = [
        ("cookie", "", "session"),
        ("cookie", "", "session2"),
        ("cookie", "session", ""),
        ("cookie", "s", "ession"),
        ("cookie", "a", "session"),
        ("store", "", "session"),
        ("cookies", "", "ession"),
        ("", "cookie", "session"),
        ("cookie", "", "\u00fc"),
    ]
    derived = {key.derive(*purpose) for purpose in purposes}
    assert len(derived) == len(purposes)
    assert {len(each) for each in derived} == {32}
    assert SECRET.encode() not in derived and bytes.fromhex(SECRET) not in derived


@pytest.mark.parametrize("secret", ["", b"", "short", "a" * 32, "correct horse battery staple", "CHANGE_ME_SECRET_KEY"])
def test_a_weak_secret_is_refused_with_a_way_out(secret: str | bytes) -> None:
    with pytest.raises(UsageError, match=r"^the secret key .*; make one with: python -c 'import secrets"):
        Keyring(secret)
    with pytest.raises(UsageError, match=r"^fallback secret key 1 .*; make one with: python -c 'import secrets"):
        Keyring(SECRET, [OTHER_SECRET, secret])


@pytest.mark.parametrize("secret", ["short", "a" * 32])
def test_a_weak_secret_may_be_allowed_and_is_told(secret: str) -> None:
    assert len(Keyring(secret, allow_weak=True).weaknesses) == 1
    ring = Keyring(SECRET, [secret], allow_weak=True)
    assert ring.weaknesses[0].startswith("fallback secret key 0 ")
    assert len(ring.keys) == 2
    assert Keyring(SECRET, allow_weak=True).weaknesses == ()


def test_no_secret_at_all_is_never_allowed() -> None:
    for secret in ("", b""):
        with pytest.raises(UsageError, match="is empty"):
            Keyring(secret, allow_weak=True)


@pytest.mark.parametrize("secret", [None, 5, 1.5, ["a"], bytearray(32), object()])
def test_a_secret_of_another_type_is_refused(secret: Any) -> None:
    with pytest.raises(UsageError, match="^the secret key must be text or bytes, not "):
        Keyring(secret)
    with pytest.raises(UsageError, match="^fallback secret key 0 must be text or bytes, not "):
        Keyring(SECRET, [secret])


@pytest.mark.parametrize("secret", ["\ud8009f3c1b7ad0e84c52b6e1f70a2d95c843", "9f3c1b7ad0e84c52b6e1f70a2d95c843\udfff"])
def test_a_secret_that_is_no_unicode_is_refused(secret: str) -> None:
    with pytest.raises(UsageError, match="^the secret key ") as caught:
        Keyring(secret)
    assert shown_key_bytes(caught.value, secret[1:-1]) == []


@pytest.mark.parametrize("allow_weak", [False, True])
@pytest.mark.parametrize("fallbacks", [OTHER_SECRET, "0123456789abcdef", b"0123456789abcdef", 5, len])
def test_fallbacks_that_are_no_list_are_refused(fallbacks: Any, allow_weak: bool) -> None:
    # A text is a list of texts to Python: each of its letters would become a key.
    with pytest.raises(UsageError, match="fallback"):
        Keyring(SECRET, fallbacks, allow_weak=allow_weak)


@pytest.mark.parametrize(
    "entry",
    [
        (),
        (OTHER_SECRET,),
        (OTHER_SECRET, NEW_YEAR, 1),
        (OTHER_SECRET, 5),
        (OTHER_SECRET, "2031-01-01"),
        (None, NEW_YEAR),
    ],
)
def test_a_fallback_pair_of_another_form_is_refused(entry: Any) -> None:
    with pytest.raises(UsageError, match="^fallback secret key 0 "):
        Keyring(SECRET, [entry])


def test_an_end_without_a_time_zone_is_refused() -> None:
    # It would mean another instant on a machine with another TZ.
    with pytest.raises(UsageError, match="^fallback secret key 0 "):
        Keyring(SECRET, [(OTHER_SECRET, datetime(2031, 1, 1))])


def test_a_fallback_knows_until_when_it_opens() -> None:
    elsewhere = NEW_YEAR.astimezone(timezone(timedelta(hours=5)))
    for end in (NEW_YEAR, elsewhere):
        ring = Keyring(SECRET, [(OTHER_SECRET, end), THIRD_SECRET])
        assert [key.not_after for key in ring.keys.values()] == [None, NEW_YEAR.timestamp(), None]


@pytest.mark.parametrize("fallbacks", [[SECRET], [SECRET.encode()], [(SECRET, NEW_YEAR)], [OTHER_SECRET, OTHER_SECRET]])
def test_a_secret_that_is_in_the_ring_twice_is_refused(fallbacks: list[Any]) -> None:
    with pytest.raises(UsageError, match="in the key ring twice"):
        Keyring(SECRET, fallbacks)


def test_two_secrets_with_one_id_are_refused() -> None:
    one, other = CLASH
    assert Keyring(one).primary.id == Keyring(other).primary.id
    with pytest.raises(UsageError, match="^fallback secret key 0 "):
        Keyring(one, [other])


# What shows

SHOWS: list[Callable[[object], str]] = [repr, str, "{!r}".format, "{0}".format, ascii, "%r".__mod__]


def spellings(secret: str) -> list[str]:
    raw = secret.encode(errors="replace")
    return [secret, raw.hex(), secret[:12], raw.hex()[:24]]


def shown_key_bytes(error: BaseException, *secrets: str) -> list[str]:
    """Gives the lines about coatcheck's own frames, with their variables, that show a secret."""
    report = TracebackException.from_exception(error, capture_locals=True)
    lines: list[str] = [str(error)]
    pending: list[TracebackException | None] = [report]
    own = str(coatcheck.__file__).removesuffix("__init__.py")
    while pending:
        part = pending.pop()
        if part is not None:
            frames = [frame for frame in part.stack if frame.filename.startswith(own)]
            lines += [f"{name} = {value}" for frame in frames for name, value in (frame.locals or {}).items()]
            lines += list(part.format_exception_only())
            pending += [part.__cause__, part.__context__]
    return [line for line in lines for secret in secrets for spelling in spellings(secret) if spelling in line]


@pytest.mark.parametrize("show", SHOWS)
def test_no_repr_shows_key_bytes(show: Callable[[object], str]) -> None:
    ring = Keyring(SECRET, [OTHER_SECRET])
    derived = ring.primary.derive("cookie", "", "session").hex()
    for thing in (ring, ring.primary, ring.keys, [ring], list(ring.keys.values())):
        text = show((thing,)) if show is SHOWS[-1] else show(thing)
        assert not any(spelling in text for spelling in [*spellings(SECRET), *spellings(OTHER_SECRET), derived])
    assert repr(ring).startswith(f"<Keyring {ring.primary.id.hex()}")
    assert repr(ring.primary) == f"<Key {ring.primary.id.hex()}>"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_neither_ring_nor_key_is_pickled(protocol: int) -> None:
    ring = Keyring(SECRET)
    for thing in (ring, ring.primary):
        with pytest.raises(TypeError):
            pickle.dumps(thing, protocol)


def test_a_key_is_not_copied() -> None:
    key = Keyring(SECRET).primary
    assert isinstance(key, Key)
    with pytest.raises(TypeError):
        copy.copy(key)
    with pytest.raises(TypeError):
        copy.deepcopy(key)


def test_neither_ring_nor_key_has_a_dict_that_a_debugger_prints() -> None:
    ring = Keyring(SECRET)
    assert not hasattr(ring, "__dict__") and not hasattr(ring.primary, "__dict__")


@pytest.mark.parametrize(
    "build",
    [
        lambda: Keyring("letmein" + SECRET),
        lambda: Keyring(("letmein" + SECRET).encode()),
        lambda: Keyring(SECRET, [SECRET]),
        lambda: Keyring(SECRET, [OTHER_SECRET, OTHER_SECRET]),
        lambda: Keyring(SECRET, [(OTHER_SECRET, NEW_YEAR), (OTHER_SECRET, NEW_YEAR)]),
        lambda: Keyring(SECRET, [None]),  # type: ignore[list-item]
        lambda: Keyring(SECRET, [OTHER_SECRET, "short"]),
        lambda: Keyring(SECRET, OTHER_SECRET),
        lambda: Keyring([SECRET]),  # type: ignore[arg-type]
        lambda: Keyring({SECRET: OTHER_SECRET}),  # type: ignore[arg-type]
    ],
)
def test_no_traceback_with_its_variables_shows_key_bytes(build: Callable[[], Keyring]) -> None:
    with pytest.raises(UsageError) as caught:
        build()
    assert shown_key_bytes(caught.value, SECRET, OTHER_SECRET) == []


def test_a_half_built_ring_can_be_printed() -> None:
    # As an error reporter does with each variable of each frame.
    with pytest.raises(UsageError) as caught:
        Keyring("short")
    report = "".join(TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "UsageError" in report
