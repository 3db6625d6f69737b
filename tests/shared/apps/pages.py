"""The pages that every application here has."""

from __future__ import annotations

import json

from coatcheck import Session


def run(page: str, session: Session, host: str) -> str:
    """Does what a page does. Gives its text: the content of the session, as JSON."""
    if page == "login":
        session.regenerate()
        session["user"] = "xiaoming"
    elif page == "visit":
        session.setdefault("been", []).append(host)
    elif page == "logout":
        session.destroy()
    return json.dumps(dict(session), sort_keys=True)
