"""What a session on Redis costs a Flask request, beside Flask-Session's.

    python benchmarks/flask_on_redis.py

Both sides use one server, started for this, and one client library, with the
defaults of each. The cost is a request with the session minus the same request with
sessions switched off. All sides run in turn in one process, through the whole WSGI
application. The session is the reference session, which is permanent. Below that, the
commands that the server got for each request.
"""

from __future__ import annotations

from collections.abc import Callable

import redis
from flask import Flask
from flask_requests import Off, client_of, cookie_of, make_app
from flask_session import Session
from servers_for_benchmarks import redis_server
from timing import heading, microseconds

from coatcheck.flask import Coatcheck

GOALS = {"untouched": 0.03, "read": 0.38, "write": 0.65}


def apps(port: int) -> dict[str, Flask]:
    made = {"off": make_app(sessions=False), "flask-session": make_app(sessions=True), "ours": make_app(sessions=True)}
    made["off"].session_interface = Off()
    made["flask-session"].config.update(SESSION_TYPE="redis", SESSION_REDIS=redis.Redis("127.0.0.1", port))
    Session(made["flask-session"])
    Coatcheck(made["ours"], store=f"redis://127.0.0.1:{port}/0")
    return made


def commands(client: redis.Redis, call: Callable[[], object]) -> int:
    """Gives the number of commands that a server gets for one call. What a script runs inside the server is none."""
    with client.monitor() as monitor:
        call()
        client.ping()
        count = 0
        for command in monitor.listen():
            if command["command"] == "PING":
                return count
            count += command["client_type"] != "lua"
    raise AssertionError("the monitor ended")


def main() -> None:
    with redis_server() as server:
        made = apps(server.port)
        cookie = {name: cookie_of(app) for name, app in made.items() if name != "off"}
        cookie["off"] = cookie["ours"]
        print(heading("coatcheck", "Flask", "Flask-Session", "redis", "hiredis"))
        print("cost of the session in one request, microseconds")
        print(f"{'':14}{'Flask-Session':>15}{'coatcheck':>11}{'share':>8}{'goal':>7}")
        for path, goal in GOALS.items():
            sides = {name: client_of(app, f"/{path}", cookie[name]) for name, app in made.items()}
            taken = microseconds(sides, rounds=40, calls=100)
            theirs, mine = taken["flask-session"] - taken["off"], taken["ours"] - taken["off"]
            print(f"{path:14}{theirs:15.1f}{mine:11.1f}{mine / theirs:8.3f}{goal:7.2f}")
        print("commands that the server gets for one request")
        client = redis.Redis("127.0.0.1", server.port)
        for path in GOALS:
            counts = [
                commands(client, client_of(made[name], f"/{path}", cookie[name])) for name in ("flask-session", "ours")
            ]
            print(f"{path:14}{counts[0]:15}{counts[1]:11}")
        client.close()


if __name__ == "__main__":
    main()
