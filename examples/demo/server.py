"""Runs the demo for one person on one machine. Real sites run a WSGI server instead."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError

import click
from flask import Flask
from werkzeug.serving import make_server

HOST = "127.0.0.1"
ADDRESSES = {
    "/": "keeps a name in the session, and answers Hello World!",
    "/username/": "reads the name",
    "/inspect/": "shows what your browser holds of it, and what the server sees",
    "/delete_user/": "deletes the name",
    "/account/": "signs you in, out, and out elsewhere",
}


def port_number(text: str) -> int:
    """Reads a port. Without this check the server would take a larger number for another port."""
    port = int(text)
    if not 0 <= port <= 65535:
        raise ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def serve(app: Flask) -> None:
    """Serves until Ctrl+C. Says which addresses there are, or which port is taken and how to choose another."""
    parser = ArgumentParser(description="The demo of coatcheck.")
    parser.add_argument(
        "--port", type=port_number, default=5000, help="5000 where nothing is said; 0 takes one that is free"
    )
    port = parser.parse_args().port
    try:
        server = make_server(HOST, port, app, threaded=True)
    except SystemExit:
        # The server has said which port and why; what it cannot know is our command line.
        sys.exit(f"Choose another port: python {sys.argv[0]} --port {port + 1}   (0 takes one that is free)")
    origin = f"http://{HOST}:{server.port}"
    click.echo(f"The demo runs on {origin} until you press Ctrl+C. Open these in a browser, one after another:\n")
    for path, purpose in ADDRESSES.items():
        click.echo(f"  {origin + path:36}{purpose}")
    click.echo()
    server.serve_forever()
