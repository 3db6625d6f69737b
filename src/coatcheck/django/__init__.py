"""Django's sessions, kept by coatcheck.

SESSION_ENGINE = "coatcheck.django"                         # encrypted, in the cookie
SESSION_STORE = "redis://localhost:6379/0"                  # or on the server

It works with Django's own middleware. `coatcheck.django.SessionMiddleware` in its place
reads the cookies by our rules, and says to caches what they must know.
"""

from __future__ import annotations

try:
    import django  # noqa: F401
except ImportError as _error:
    raise ImportError("coatcheck.django needs Django: pip install 'coatcheck[django]'") from _error

from coatcheck.django.accounts import (
    arevoke,
    arevoke_everyone,
    arevoke_user,
    asessions_of,
    revoke,
    revoke_everyone,
    revoke_user,
    sessions_of,
)
from coatcheck.django.middleware import SessionMiddleware
from coatcheck.django.reports import ReportFilter
from coatcheck.django.session import SessionStore

__all__ = [
    "SessionMiddleware",
    "SessionStore",
    "ReportFilter",
    # The sessions of a user
    "sessions_of",
    "revoke",
    "revoke_user",
    "revoke_everyone",
    "asessions_of",
    "arevoke",
    "arevoke_user",
    "arevoke_everyone",
]
