"""The fields of a form, where the framework needs a package of its own to read them."""

from __future__ import annotations

from collections.abc import AsyncIterable
from urllib.parse import parse_qsl

_KIND = "application/x-www-form-urlencoded"
# Ours has two fields of some hundred bytes.
_MOST_BYTES = 16 * 1024
_MOST_FIELDS = 50


async def read_form(content_type: str, body: AsyncIterable[bytes]) -> dict[str, str]:
    """Gives the fields of a form, the first of each name. What is no form, or a very large one, has none."""
    if content_type.partition(";")[0].strip().lower() != _KIND:
        return {}
    raw = bytearray()
    async for part in body:
        raw += part
        if len(raw) > _MOST_BYTES:
            return {}
    try:
        fields = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, errors="replace", max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return dict(reversed(fields))
