"""Guessable secrets are refused, and no secret that a machine made is."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from random import Random
from uuid import UUID

import pytest

from coatcheck.core.strength import weakness

SHORT = ["a", "dev", "temporary_key", "p9Bv<3Eid9%$i01", "x8#kQ2!mZ7$wR4"]
PUBLISHED = [
    b'_5#y2L"F4Q8z\n\xec]/',
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    "5f352379324c22463451387a0aec5d2f",
    b'\xfd{H\xe5<\x95\xf9\xe3\x96.5\xd1\x01O<!\xd5\xa2\xa0\x9fR"\xa1\xa8',
    "A0Zr98j/3yX R~XHH!jmN]LWX/,?RT",
    "\x02\x01thisismyscretkey\x01\x02\\e\\y\\y\\h",
    "s3cr3tk3ys3cr3tk3y",
    "django-insecure-1@w#p9z&x8m!q2r5t7u4v6y0",
]
WORDS = [
    "CHANGE_ME_SECRET_KEY",
    "thisISaSECRET_1234",
    "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
    "TEST_NON_DEV_SECRET",
    "super secret key!!",
    "MySuperSecretKey12",
    "my-secret-key-2024",
    "p-a-s-s-w-o-r-d-12345",
    "changemechangeme",
    "change-this-in-production",
    "replace_me_replace_me",
    "a-default-key-for-tests",
    "an-example-key-0123",
    "insecure-key-for-ci-only",
    "development-key-1",
    "letmeinletmein12",
    "qwertyuiopasdfgh",
]
PHRASES = [
    "correct horse battery staple",
    "Correct Horse Battery Staple!",
    "keep-it-under-your-hat",
    "keep_it_under_your_hat",
    "keep.it.under.your.hat",
    "One, two, three, four",
    "THE QUICK BROWN FOX",
]
REPEATED = [
    "a" * 16,
    "a" * 64,
    "ab" * 10,
    "hunter2hunter2hunter2",
    "0123456789abcde" * 3,
    "\x00" * 32,
    b"\xff" * 32,
    "abba" * 5,
]
SEQUENCES = [
    "abcdefghijklmnop",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    bytes(range(32)),
    bytes(range(64, 32, -1)),
    "zyxwvutsrqponmlk",
]
USUAL_FORMS: dict[str, Callable[[Random], bytes]] = {
    "16 random bytes": lambda random: random.randbytes(16),
    "24 random bytes": lambda random: random.randbytes(24),
    "32 random bytes": lambda random: random.randbytes(32),
    "32 hexadecimal digits": lambda random: random.randbytes(16).hex().encode(),
    "64 hexadecimal digits": lambda random: random.randbytes(32).hex().encode(),
    "43 characters of base64url": lambda random: urlsafe_b64encode(random.randbytes(32)).rstrip(b"="),
    "22 characters of base64url": lambda random: urlsafe_b64encode(random.randbytes(16)).rstrip(b"="),
    "base64": lambda random: b64encode(random.randbytes(32)),
    "a UUID": lambda random: str(UUID(bytes=random.randbytes(16), version=4)).encode(),
    "a UUID without hyphens": lambda random: UUID(bytes=random.randbytes(16), version=4).hex.encode(),
    "50 characters as Django draws them": lambda random: bytes(
        random.choices(b"abcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*(-_=+)", k=50)
    ),
}


def encoded(secret: str | bytes) -> bytes:
    return secret.encode() if isinstance(secret, str) else secret


@pytest.mark.parametrize(
    ("secret", "what"),
    [
        *((secret, "bytes, and needs at least 16") for secret in SHORT),
        *((secret, "is a well-known one") for secret in PUBLISHED),
        *((secret, "holds a word that every guesser tries") for secret in WORDS),
        *((secret, "is a phrase of words") for secret in PHRASES),
        *((secret, "repeats a few bytes") for secret in REPEATED),
        *((secret, "is a sequence") for secret in SEQUENCES),
    ],
)
def test_a_guessable_secret_is_told_with_the_reason_and_not_quoted(secret: str | bytes, what: str) -> None:
    raw = encoded(secret)
    said = weakness(raw)
    assert said is not None
    assert what in said
    assert raw.decode("latin-1") not in said or len(raw) < 5


@pytest.mark.parametrize(("digits", "weak"), [(16, True), (19, True), (20, False), (40, False)])
def test_digits_need_a_length_that_makes_up_for_their_number(digits: int, weak: bool) -> None:
    secret = "7193058264170936258403716925840371692584"[:digits].encode()
    said = weakness(secret)
    assert (said is not None and "too few different characters" in said) is weak


@pytest.mark.parametrize("form", USUAL_FORMS)
def test_no_random_key_of_a_usual_form_is_called_weak(form: str) -> None:
    # A fixed seed: of keys without one, some holds "qwerty" some day.
    random = Random(form)
    weak = [secret for _ in range(20_000) if weakness(secret := USUAL_FORMS[form](random))]
    assert weak == []


def test_a_long_secret_is_judged_in_a_moment() -> None:
    assert weakness(Random(1).randbytes(100_000)) is None
    assert weakness(b"Word" * 25_000) is not None
    assert weakness(b"word " * 20_000) is not None
    # Almost a phrase: what backtracks here, backtracks through all of it.
    assert weakness(b"wordy " * 20_000 + b"?1") is None
    assert weakness(b"A" * 100_000 + b"?1" * 20) is not None
