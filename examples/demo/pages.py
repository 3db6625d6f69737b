"""How the demo makes a page of a template."""

from __future__ import annotations

import time
from typing import Any

from flask import Response, current_app, make_response, render_template

# Everything that a page needs comes from here, and no script runs on it, whatever a session holds.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def show(template: str, **values: Any) -> Response:
    """Gives a page that differs from visitor to visitor, and that nobody stores."""
    response = make_response(render_template(template, now=int(now()), **values))
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = _POLICY
    response.vary.add("Cookie")
    return response


def now() -> float:
    """Gives the time by the clock of the sessions."""
    clock = current_app.config.get("SESSION_CLOCK") or time.time
    return float(clock())
