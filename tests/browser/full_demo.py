"""The demo with two more views: one fills the session with long and hostile words, one has the time go on."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from flask import session

from coatcheck.testing import Clock

DEMO = Path(__file__).parents[2] / "examples" / "demo"

if __name__ == "__main__":
    sys.path.insert(0, str(DEMO))
    from app import app
    from server import serve

    clock = Clock(time.time())
    app.config["SESSION_CLOCK"] = clock

    @app.get("/later/")
    def later() -> str:
        clock.advance(61)
        return "a minute later"

    @app.get("/fill/")
    def fill() -> str:
        session["<script>document.title = 'taken over'</script>"] = (
            "<img src=x onerror=\"document.title = 'taken over'\">"
        )
        session["k" * 300] = "v" * 1500
        return "filled"

    serve(app)
