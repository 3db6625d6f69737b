"""Keys of a configuration that are no options, and were meant to be: a limit that is misspelt limits nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from coatcheck.core.settings import OPTIONS, config_key

_PREFIX = "SESSION_"
_KEYS = {config_key(option).removeprefix(_PREFIX) for option in OPTIONS}
# Above SESSION_COOKIE_AGE, which is Django's own, against SESSION_COOKIE_NAME, and below SESSION_STOR.
_CLOSE = 0.86


def misspelt(keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Gives each key that is a letter or a few away from an option's, and that one's.

    Other keys are left alone: frameworks and extensions have theirs beside ours.
    """
    for key in keys:
        name = key.removeprefix(_PREFIX)
        if name != key and name not in _KEYS:
            for close in get_close_matches(name, _KEYS, 1, _CLOSE):
                yield key, _PREFIX + close
