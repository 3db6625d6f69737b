"""A plugin for Flask's tests: every application gets coatcheck's sessions in place of Flask's."""

from __future__ import annotations

import flask
from flask import sessions
from werkzeug.datastructures import ImmutableDict

from coatcheck.flask import CoatcheckSessionInterface

flask.Flask.session_interface = CoatcheckSessionInterface()
# For the tests that derive an interface of their own.
sessions.SecureCookieSessionInterface = CoatcheckSessionInterface  # type: ignore[assignment,misc]
flask.Flask.default_config = ImmutableDict(
    flask.Flask.default_config,
    # Flask sends a permanent session with every response.
    SESSION_REFRESH_INTERVAL=0,
    # Flask's tests use "test key", outside of testing mode too.
    SESSION_ALLOW_WEAK_KEY=True,
)
