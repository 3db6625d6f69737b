"""What anyone can read out of a cookie. No key is needed here, and none is there."""

from __future__ import annotations

import json
import zlib
from base64 import urlsafe_b64decode
from typing import NamedTuple

from coatcheck.core.events import Rejected
from coatcheck.core.text import decode

_VERSION = 0x01


class Part(NamedTuple):
    """One part of a sealed token."""

    name: str
    raw: bytes


def parts(value: str) -> list[Part]:
    """Gives the parts of a sealed token, none for a cookie that is no token."""
    try:
        raw = decode(value)
    except Rejected:
        return []
    if raw[0] != _VERSION or len(raw) <= 1 + 4 + 24 + 16:
        return []
    return [
        Part("version", raw[:1]),
        Part("key_id", raw[1:5]),
        Part("nonce", raw[5:29]),
        Part("sealed", raw[29:-16]),
        Part("tag", raw[-16:]),
    ]


def read_without_key(value: str) -> str:
    """Gives the content of a cookie that Flask has signed: JSON, compressed where a point stands before it."""
    payload = value.removeprefix(".").partition(".")[0]
    raw = urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    text = zlib.decompress(raw) if value.startswith(".") else raw
    return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
