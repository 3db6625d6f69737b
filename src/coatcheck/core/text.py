"""Bytes as text in a cookie: base64url with one spelling. Anything else that a lenient reader would take is refused."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from coatcheck.core.events import Reason, Rejected

_TO_URL = bytes.maketrans(b"+/", b"-_")
# The letters of the other alphabet, and the padding, become a byte that no alphabet has.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")
# By the length modulo 4: the padding, and the characters a text may end in. A
# group that is not full has bits left over, which must be zero.
_PADDING = (b"", b"", b"==", b"=")
_ENDS = (
    frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
    frozenset(""),
    frozenset("AQgw"),
    frozenset("AEIMQUYcgkosw048"),
)


def encode(raw: bytes) -> str:
    """Gives base64url (RFC 4648, section 5) without padding."""
    return b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Gives the bytes of which `encode` made this text. Raises `Rejected` for every other text."""
    over = len(text) % 4
    if text[-1:] in _ENDS[over]:
        try:
            return a2b_base64(text.encode("ascii").translate(_FROM_URL) + _PADDING[over], strict_mode=True)
        except ValueError:  # binascii.Error and UnicodeEncodeError are
            pass
    raise Rejected(Reason.MALFORMED)
