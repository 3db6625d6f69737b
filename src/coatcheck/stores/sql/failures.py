"""What errors of databases and drivers mean. Their own texts stay away: they may show users, keys and content."""

from __future__ import annotations

# Five characters are PostgreSQL's, four digits those of MySQL and MariaDB.
NO_TABLE = frozenset(("42P01", "1146"))
EXISTS_ALREADY = frozenset(("42P07", "42710", "23505", "1050"))
"""Somebody else has made the table at the same moment."""
TAKEN = frozenset(("1062",))
"""There is a record under the key."""
UNDONE = frozenset(("40001", "40P01", "1213"))
"""The database gave the statement up, whole, for another's sake: it can be said again."""

_SLOW = "it did not answer in time"
_SIGN_IN = "it refuses the user or the password"
_NO_DATABASE = "it has no database of that name"
_STARTING = "it is starting or stopping"
_CROWDED = "it takes no more connections"
_TOO_LARGE = "the record is larger than its max_allowed_packet"
_UNREACHABLE = "it cannot be reached"
_BROKEN = "the connection broke"

_BY_CODE = {
    **dict.fromkeys(NO_TABLE, "there is no table for the sessions, and the store was told not to make one"),
    **dict.fromkeys(("28P01", "28000", "1045", "1698"), _SIGN_IN),
    **dict.fromkeys(("3D000", "1049"), _NO_DATABASE),
    **dict.fromkeys(("42501", "1044", "1142", "1143"), "the user may not do this there"),
    **dict.fromkeys(("53300", "1040", "1203", "1226"), _CROWDED),
    **dict.fromkeys(("57P03",), _STARTING),
    **dict.fromkeys(("53100", "1021", "1114"), "its disk is full"),
    **dict.fromkeys(("25006", "1290", "1792", "1836"), "it may not be written to"),
    **dict.fromkeys(("57014", "55P03", "1205", "1969", "3024"), _SLOW),
    **dict.fromkeys(UNDONE, "other writers kept it from this"),
    **dict.fromkeys(("1153", "2020"), _TOO_LARGE),
    **dict.fromkeys(("57P01", "57P02"), _BROKEN),
}
# Where there is no number, as before a connection is made, or one that says little.
_BY_WORDS = {
    "password authentication failed": _SIGN_IN,
    "starting up": _STARTING,
    "shutting down": _STARTING,
    "too many": _CROWDED,
    "connection slots": _CROWDED,
    "queuepool limit": "all connections of the pool are in use",
    "timed out": _SLOW,
    "timeout": _SLOW,
    "in time": _SLOW,
    "max_allowed_packet": _TOO_LARGE,
    "group or world access": "others than the user may read the file of 'tls_key'",
    "certificate": "its certificate is not trusted",
    "ssl": "no TLS connection came about",
    "tls": "no TLS connection came about",
    "refused": "nobody listens there",
    "name or service not known": "its host is unknown",
    "name resolution": "its host is unknown",
    "resolve host": "its host is unknown",
    "does not exist": _NO_DATABASE,
    "can't connect": _UNREACHABLE,
    "connect call failed": _UNREACHABLE,
    "lost connection": _BROKEN,
    "gone away": _BROKEN,
    "connection is closed": _BROKEN,
    "connection was closed": _BROKEN,
    "closed the connection": _BROKEN,
    "connection reset": _BROKEN,
}


def code(error: BaseException) -> str:
    """Gives the number of an error, and nothing where it has none."""
    if error.args and isinstance(error.args[0], int):
        # Some drivers of MySQL have a `sqlstate` too, which says less.
        return str(error.args[0])
    return str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")


def cause(error: BaseException) -> str:
    """Gives what happened, in words of our own."""
    number = code(error)
    if number in _BY_CODE:
        return _BY_CODE[number]
    if isinstance(error, TimeoutError) and not error.args:
        return _SLOW
    said = str(error).lower()
    for words, meaning in _BY_WORDS.items():
        if words in said:
            return meaning
    return f"it reports {type(error).__name__} {number}".rstrip()
