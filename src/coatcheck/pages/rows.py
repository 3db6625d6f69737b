"""One session of the list, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from coatcheck.accounts import SessionInfo
from coatcheck.devices import read_device
from coatcheck.pages.words import say_ago, say_device, say_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the template shows of a session. All of it is text that has to be escaped: browsers say what they like."""

    handle: str
    current: bool
    device: str
    place: str
    """What the application's resolver made of the address; "" where there is none."""
    address: str
    seen: str
    seen_at: str
    """In the form that `<time datetime>` takes."""
    since: str
    since_at: str


def make_row(info: SessionInfo, words: Mapping[str, str], *, place: str, now: float, zone: tzinfo) -> Row:
    # Who asks for this page is seen now, though the store is told of it only now and then.
    seen_at = datetime.fromtimestamp(now, UTC) if info.current else info.seen_at
    since_at = info.authenticated_at or info.created_at
    return Row(
        handle=info.handle,
        current=info.current,
        device=say_device(words, read_device(info.user_agent)),
        place=place,
        address=info.ip,
        seen=say_ago(words, now - seen_at.timestamp()),
        seen_at=seen_at.astimezone(UTC).isoformat(timespec="seconds"),
        since=say_instant(words, since_at.astimezone(zone)),
        since_at=since_at.astimezone(UTC).isoformat(timespec="seconds"),
    )
