"""Sealing and opening alone, beside the bare primitives in line and beside Flask's own serializer.

python benchmarks/envelope.py
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from ormsgpack import packb, unpackb
from timing import REFERENCE, heading, microseconds

from coatcheck.core.codec import pack, unpack
from coatcheck.core.keys import Keyring
from coatcheck.core.record import Record
from coatcheck.core.token import TokenSealer

SECRET = os.urandom(32)
NOW = 1_800_000_000


def bare() -> object:
    """The primitives that the envelope is made of, with nothing between them: no padding, no key id, no check."""
    fresh = os.urandom(12)
    token = urlsafe_b64encode(fresh + AEAD.encrypt(fresh, packb(REFERENCE), HEAD))
    raw = urlsafe_b64decode(token)
    return unpackb(AEAD.decrypt(raw[:12], raw[12:], HEAD))


AEAD = AESGCM(os.urandom(32))
HEAD = b"\x01" + os.urandom(4)

sealer = TokenSealer(Keyring(SECRET), "", "session", os.urandom)
session_id = os.urandom(16)


def ours() -> object:
    token = sealer.seal(Record(session_id, NOW, NOW, pack(REFERENCE)), NOW)
    record, _ = sealer.open(token, NOW)
    return unpack(record.packed)


app = Flask("benchmark")
app.secret_key = SECRET
interface = SecureCookieSessionInterface()


def flasks() -> object:
    """What Flask's own interface does in one request: it builds the serializer for reading and again for writing."""
    token = interface.get_signing_serializer(app).dumps(REFERENCE)  # type: ignore[union-attr]
    return interface.get_signing_serializer(app).loads(token)  # type: ignore[union-attr]


def main() -> None:
    assert bare() == ours() == flasks() == REFERENCE
    taken = microseconds({"bare": bare, "ours": ours, "flask": flasks})
    print(heading("coatcheck", "cryptography", "ormsgpack", "Flask", "itsdangerous"))
    print("sealing and opening the reference session, microseconds")
    print(f"  coatcheck                {taken['ours']:7.2f}")
    print(f"  bare primitives in line  {taken['bare']:7.2f}   ratio {taken['ours'] / taken['bare']:.2f}  (at most 2)")
    share = taken["ours"] / taken["flask"]
    print(f"  Flask's own serializer   {taken['flask']:7.2f}   ratio {share:.3f}  (at most 0.100)")


if __name__ == "__main__":
    main()
