"""Web sessions that the browser can neither read nor change.

from flask import Flask, session
from coatcheck.flask import Coatcheck

app = Flask(__name__)
app.config["SECRET_KEY"] = ...
Coatcheck(app)
"""

from __future__ import annotations

from coatcheck.accounts import SessionInfo
from coatcheck.core.events import Event, Kind, Reason
from coatcheck.core.keys import Keyring
from coatcheck.core.session import Session
from coatcheck.core.settings import Settings
from coatcheck.errors import (
    CoatcheckError,
    CsrfError,
    InvalidSession,
    ReauthenticationRequired,
    SessionTooLarge,
    StoreError,
    TooManySessions,
    Unserializable,
    UsageError,
)

__all__ = [
    # What a program works with
    "Session",
    "Settings",
    "Keyring",
    "SessionInfo",
    # What it may be told
    "Event",
    "Kind",
    "Reason",
    # What it may catch
    "CoatcheckError",
    "UsageError",
    "SessionTooLarge",
    "Unserializable",
    "InvalidSession",
    "ReauthenticationRequired",
    "TooManySessions",
    "CsrfError",
    "StoreError",
]
