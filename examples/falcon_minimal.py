"""Sessions in Falcon, as a WSGI application.

export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
gunicorn --chdir examples falcon_minimal:app
"""

from __future__ import annotations

import os

import falcon

from coatcheck.wsgi import RequestSession, SessionMiddleware


class Request(falcon.Request):
    """A request with its session."""

    @property
    def session(self) -> RequestSession:
        found: RequestSession = self.env["coatcheck.session"]
        return found


class Index:
    def on_get(self, request: Request, response: falcon.Response) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = f"Hello {request.session.get('user', 'stranger')}!"


class Login:
    def on_post(self, request: Request, _: falcon.Response) -> None:
        # Check a password here. Then the old id, which somebody may have planted, is dead.
        request.session.regenerate()
        request.session["user"] = request.get_param("name", required=True)


class Logout:
    def on_post(self, request: Request, _: falcon.Response) -> None:
        request.session.destroy()


class Stream:
    def on_get(self, request: Request, response: falcon.Response) -> None:
        request.session["streams"] = request.session.get("streams", 0) + 1
        response.stream = (f"{number} ".encode() for number in range(3))


pages: falcon.App[Request, falcon.Response] = falcon.App(request_type=Request)
pages.add_route("/", Index())
pages.add_route("/login", Login())
pages.add_route("/logout", Logout())
pages.add_route("/stream", Stream())

app = SessionMiddleware(pages, os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))
