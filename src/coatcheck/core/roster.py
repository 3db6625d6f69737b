"""Which sessions a user has: one record for each user, beside the list of revocations.

It stands under a keyed hash of the user id, and its content is sealed with the secret key:
whoever has the store learns neither who it is nor where from. Everything in it is for the
eyes of the user; what decides about a session is sealed with the session and in the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag

from coatcheck.core.codec import pack, unpack
from coatcheck.core.confined import Confined
from coatcheck.core.facts import UserId
from coatcheck.core.keys import KEY_ID_BYTES, Keyring
from coatcheck.core.operations import REVOCATIONS, Steps, delete, insert, read, replace
from coatcheck.core.owners import Owners
from coatcheck.core.record import StoredRecord, pad, unpad
from coatcheck.core.seal import NONCE_BYTES, TAG_BYTES, Sealer
from coatcheck.errors import StoreError

ROSTER = 0x03
_HEAD_BYTES = 1 + KEY_ID_BYTES
_MIN_BYTES = _HEAD_BYTES + NONCE_BYTES + 32 + TAG_BYTES
_KEY_BYTES = 32
# Whoever has more is no person. What is not shown is ended with the others all the same.
MOST = 500
# The longest address is that of IPv6 with a zone.
_IP_CHARS = 64
_AGENT_CHARS = 300
_TRIES = 200


class Signed(NamedTuple):
    """A session of a user, as the roster has it. Times are seconds since 1970."""

    handle: bytes
    family: bytes
    seen: int
    """As in `Facts`."""
    created_at: int
    authenticated_at: int
    seen_at: int
    expires_at: int
    ip: str
    agent: str

    def __repr__(self) -> str:
        return f"<Signed {self.handle.hex()}>"


_SHAPE = (bytes, bytes, int, int, int, int, int, str, str)

Rows = dict[bytes, Signed]
"""By family."""


def shorten(ip: str, agent: str) -> tuple[str, str]:
    """Gives an address and an agent, which are what a browser says, as far as they are kept."""
    return _clean(ip, _IP_CHARS), _clean(agent, _AGENT_CHARS)


def _clean(text: str, chars: int) -> str:
    short = text[:chars].encode(errors="replace").decode()
    return "".join(char if char.isprintable() else " " for char in short).strip()


class Rosters(Confined):
    """Reads and writes the rosters of one audience."""

    def __init__(self, keyring: Keyring, owners: Owners, audience: str, random: Callable[[int], bytes]) -> None:
        self._owners = owners
        heads = {key.id: bytes([ROSTER]) + key.id for key in keyring.keys.values()}
        self._sealers = {
            heads[key.id]: Sealer(key.derive("roster", audience, ""), heads[key.id], random)
            for key in keyring.keys.values()
        }
        self._primary = self._sealers[heads[keyring.primary.id]]

    def read(self, user_id: UserId, now: int) -> Steps[Rows]:
        """Gives the sessions of a user, as far as the roster knows. Raises `StoreError`."""
        rows: Rows = {}
        for key in reversed(self._owners.find(user_id).keys):
            stored: StoredRecord | None = yield read(REVOCATIONS, key)
            rows.update(self._open(key, stored, now))
        return rows

    def edit(self, user_id: UserId, change: Callable[[Rows], object], now: int) -> Steps[Rows]:
        """Changes a roster in one step: `change` gets the rows, once for each try, and works on them in place.

        What it raises is raised here, and nothing has been changed then. Raises `StoreError`.
        """
        first, *earlier = self._owners.find(user_id).keys
        for _ in range(_TRIES):
            rows: Rows = {}
            moved = []
            for key in reversed(earlier):
                old: StoredRecord | None = yield read(REVOCATIONS, key)
                if old is not None:
                    moved.append(key)
                    rows.update(self._open(key, old, now))
            stored: StoredRecord | None = yield read(REVOCATIONS, first)
            rows.update(self._open(first, stored, now))
            before = dict(rows)
            change(rows)
            if rows == before and not moved:
                return rows
            rows = dict(sorted(rows.items(), key=_by_use, reverse=True)[:MOST])
            if (yield from self._write(first, rows, stored, now)):
                # It was made under an earlier key, and stands under the present one from now on.
                for key in moved:
                    yield delete(REVOCATIONS, key)
                return rows
        raise StoreError(f"the roster of a user was changed by others {_TRIES} times while this request wrote to it")

    def _write(self, key: bytes, rows: Rows, stored: StoredRecord | None, now: int) -> Steps[bool]:
        if not rows and stored is None:
            return True
        plaintext = pad(key + pack([[*row] for row in rows.values()]))
        # A row counts through its last second.
        expires_at = max((row.expires_at for row in rows.values()), default=now) + 1
        record = StoredRecord(self._primary.seal(plaintext, now), now, max(expires_at, now + 1))
        if stored is None:
            written: bool = yield insert(REVOCATIONS, key, record)
        else:
            written = yield replace(REVOCATIONS, key, record, stored.version)
        return written

    def _open(self, key: bytes, stored: StoredRecord | None, now: int) -> Rows:
        """Gives the rows of a record; none of one that is not ours, or not this user's."""
        if stored is None or len(stored.content) < _MIN_BYTES:
            return {}
        sealer = self._sealers.get(stored.content[:_HEAD_BYTES])
        if sealer is None:
            return {}
        try:
            body = unpad(sealer.open(stored.content), _KEY_BYTES)
            found: Any = unpack(body[_KEY_BYTES:]) if body[:_KEY_BYTES] == key else []
        except (InvalidTag, ValueError):
            return {}
        return {row.family: row for row in _rows(found) if row.expires_at >= now}


def _rows(found: object) -> Iterable[Signed]:
    for row in found if isinstance(found, list) else ():
        if isinstance(row, list) and tuple(map(type, row)) == _SHAPE:
            yield Signed(*row)


def _by_use(item: tuple[bytes, Signed]) -> int:
    return item[1].seen_at
