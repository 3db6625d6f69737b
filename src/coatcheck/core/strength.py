"""Which secrets are too weak. Whoever holds one cookie can try guesses at leisure, and crackers start with these."""

from __future__ import annotations

import re
from itertools import pairwise
from math import log2

MIN_BYTES = 16
_MIN_BITS = 64

# Keys that stand in documentation or ship as somebody's default.
_WELL_KNOWN = frozenset(
    {
        b'_5#y2L"F4Q8z\n\xec]/',
        b"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        b"5f352379324c22463451387a0aec5d2f",
        b'\xfd{H\xe5<\x95\xf9\xe3\x96.5\xd1\x01O<!\xd5\xa2\xa0\x9fR"\xa1\xa8',
        b"A0Zr98j/3yX R~XHH!jmN]LWX/,?RT",
        b'?\xbf,\xb4\x8d\xa3"<\x9c\xb0@\x0f5\xab,w\xee\x8d$0\x13\x8b83',
        b"\x02\x01thisismyscretkey\x01\x02\\e\\y\\y\\h",
        b"\x02\x01thisismyscretkey\x01\x02\\\\e\\\\y\\\\y\\\\h",
        b"s3cr3tk3ys3cr3tk3y",
        b"p9Bv<3Eid9%$i01",
    }
)
# Six letters and more, so that a random key of 43 characters holds one by chance less than once in ten million.
_WORDS = (
    "secret",
    "scretkey",
    "password",
    "passphrase",
    "changeme",
    "changethis",
    "replaceme",
    "default",
    "example",
    "insecure",
    "temporary",
    "development",
    "letmein",
    "qwerty",
)
_PHRASE = re.compile(rb"(?:[A-Z]?[a-z]+|[A-Z]+)(?:[ _.,-]+(?:[A-Z]?[a-z]+|[A-Z]+|[0-9]{1,4}))+[ .!?]*")
_ALPHABETS = ((rb"[0-9]+", 10), (rb"[0-9a-f]+|[0-9A-F]+", 16), (rb"[a-z]+|[A-Z]+", 26), (rb"[!-~]+", 64))


def weakness(secret: bytes) -> str | None:
    """Says what makes a secret guessable, without quoting it, or None for one that looks made by a machine."""
    if len(secret) < MIN_BYTES:
        return f"has {len(secret)} bytes, and needs at least {MIN_BYTES}"
    if secret in _WELL_KNOWN or secret.startswith(b"django-insecure-"):
        return "is a well-known one: it is published"
    letters = re.sub(rb"[^a-z0-9]", b"", secret.lower()).decode()
    if any(word in letters for word in _WORDS):
        return "holds a word that every guesser tries"
    if _PHRASE.fullmatch(secret):
        return "is a phrase of words, which can be guessed"
    if (secret + secret).find(secret, 1) < MIN_BYTES or len(set(secret)) <= 4:
        return "repeats a few bytes"
    steps = sum(abs(after - before) <= 1 for before, after in pairwise(secret))
    if steps >= 0.75 * (len(secret) - 1):
        return "is a sequence"
    alphabet = next((size for pattern, size in _ALPHABETS if re.fullmatch(pattern, secret)), 256)
    if len(secret) * log2(alphabet) < _MIN_BITS:
        return f"has too few different characters for its length: under {_MIN_BITS} bits even if it is random"
    return None
