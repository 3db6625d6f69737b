"""What never leaves its process."""

from __future__ import annotations

from typing import NoReturn


class Confined:
    """Holds keys or content, and is not pickled: a pickle ends up in a file, a queue or a cache."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not pickled: build it anew, or for a session pickle dict(session)")
