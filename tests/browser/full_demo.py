"""The demo with one more view, which fills the session with long and hostile words."""

from __future__ import annotations

import sys
from pathlib import Path

from flask import session

DEMO = Path(__file__).parents[2] / "examples" / "demo"

if __name__ == "__main__":
    sys.path.insert(0, str(DEMO))
    from app import app
    from server import serve

    @app.get("/fill/")
    def fill() -> str:
        session["<script>document.title = 'taken over'</script>"] = (
            "<img src=x onerror=\"document.title = 'taken over'\">"
        )
        session["k" * 300] = "v" * 1500
        return "filled"

    serve(app)
