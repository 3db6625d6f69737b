"""A plugin for Flask's tests, after `swap`: the sessions are kept on the server."""

from __future__ import annotations

import flask
from werkzeug.datastructures import ImmutableDict

flask.Flask.default_config = ImmutableDict(flask.Flask.default_config, SESSION_STORE="memory:")
