"""An OpenID provider on a port of its own: Authlib's server, with keys that are made when it starts."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hmac import compare_digest
from threading import Thread
from time import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin, OpenIDCode, UserInfo
from flask import Flask, render_template_string, request, session
from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug import Response
from werkzeug.serving import make_server

from .process import HOST

LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
ASK = "<!doctype html><title>Provider</title><form method=post>Name <input name=name> <button>Go</button></form>"
POST = """<!doctype html><title>Provider</title>
<form method=post action="{{ action }}">
{% for name, value in fields %}<input type=hidden name="{{ name }}" value="{{ value }}">{% endfor %}
</form>
<script>document.forms[0].submit()</script>"""
CLIENT, CLIENT_SECRET = "shop", secrets.token_urlsafe()


@dataclass
class Guest:
    """A browser's session at the provider."""

    sub: str
    auth_time: int
    sid: str = field(default_factory=secrets.token_urlsafe)


class Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """The one application that is registered."""

    def __init__(self, redirect_uri: str) -> None:
        self.redirect_uri = redirect_uri

    def get_client_id(self) -> str:
        return CLIENT

    def get_allowed_scope(self, scope: str) -> str:
        return scope if scope == "openid" else ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return compare_digest(CLIENT_SECRET, client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code(AuthorizationCodeMixin):  # type: ignore[misc]
    code: str
    guest: Guest
    asked: dict[str, str]

    def get_redirect_uri(self) -> str:
        return self.asked["redirect_uri"]

    def get_scope(self) -> str:
        return self.asked["scope"]

    def get_nonce(self) -> str:
        return self.asked["nonce"]

    def get_auth_time(self) -> int:
        return self.guest.auth_time

    @property
    def code_challenge(self) -> str:
        return self.asked["code_challenge"]

    @property
    def code_challenge_method(self) -> str:
        return self.asked["code_challenge_method"]


class Provider:
    """What a test sees of it."""

    def __init__(self) -> None:
        self.guests: dict[str, Guest] = {}
        self.codes: dict[str, Code] = {}
        self.asked: list[dict[str, str]] = []
        """The parameters of each sign-in that an application has sent a browser for."""
        self.claims: dict[str, Any] = {}
        """What an id_token says in place of the truth."""
        self.issuer = ""
        self.redirect_uri = "http://localhost/callback"
        self.posts = False
        """Whether it answers by a form that the browser posts: `response_mode=form_post`."""
        self.renew_key()
        self.app = Flask("provider")
        self.app.secret_key = secrets.token_hex()
        self.app.config["SESSION_COOKIE_NAME"] = "provider"
        self.server = AuthorizationServer(self.app, lambda _: Client(self.redirect_uri), lambda *_: None)
        self.server.register_grant(_grant(self), [_extension(self), CodeChallenge(required=True)])
        for path, view in (
            ("/.well-known/openid-configuration", self.describe),
            ("/keys", self.keys),
            ("/authorize", self.authorize),
            ("/token", self.server.create_token_response),
        ):
            self.app.add_url_rule(path, view_func=view, endpoint=path, methods=["GET", "POST"])

    def renew_key(self) -> None:
        self.kid = secrets.token_hex(4)
        self.key = ECKey.generate_key("P-256", {"kid": self.kid, "use": "sig"})

    def describe(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/end",
            "id_token_signing_alg_values_supported": ["ES256"],
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
        }

    def keys(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def authorize(self) -> Any:
        """Asks for a name, unless it knows the browser and the application is content with that."""
        asked = request.args.to_dict()
        if request.method == "POST":
            guest = Guest(request.form["name"], int(time()), session.get("sid", secrets.token_urlsafe()))
            self.guests[guest.sid] = guest
            session["sid"] = guest.sid
        else:
            self.asked.append(asked)
            known = self.guests.get(session.get("sid", ""))
            if known is None or asked.get("prompt") == "login" or time() - known.auth_time > int(asked["max_age"]):
                return ASK
            guest = known
        grant = self.server.get_consent_grant(end_user=guest)
        answer: Response = self.server.create_authorization_response(grant_user=guest, grant=grant)
        if not self.posts:
            return answer
        back = urlsplit(answer.headers["Location"])
        return render_template_string(POST, action=back._replace(query="").geturl(), fields=parse_qsl(back.query))

    def logout_token(self, *, key: Any = None, header: dict[str, str] | None = None, **claims: Any) -> str:
        """Gives one, with these claims changed, or left out where they are None."""
        now = int(time())
        told = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(),
            "events": {LOGOUT: {}},
            **claims,
        }
        said: dict[str, str] = {"alg": "ES256", "typ": "logout+jwt", "kid": self.kid, **(header or {})}
        kept = {name: value for name, value in told.items() if value is not None}
        return jwt.encode(said, kept, key or self.key, [said["alg"]])


def _grant(provider: Provider) -> type:
    class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
        def save_authorization_code(self, code: str, asked: Any) -> None:
            provider.codes[code] = Code(code, asked.user, asked.payload.data)

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            return provider.codes.get(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            del provider.codes[authorization_code.code]

        def authenticate_user(self, authorization_code: Code) -> Guest:
            return authorization_code.guest

    return Grant


def _extension(provider: Provider) -> OpenIDCode:
    class Extension(OpenIDCode):  # type: ignore[misc]
        def exists_nonce(self, nonce: str, asked: Any) -> bool:
            return any(code.get_nonce() == nonce for code in provider.codes.values())

        def resolve_client_private_key(self, client: Client) -> ECKey:
            return provider.key

        def get_client_algorithm(self, client: Client) -> str:
            return "ES256"

        def get_encode_header(self, client: Client) -> dict[str, Any]:
            return {"alg": "ES256", "kid": provider.kid}

        def get_client_claims(self, client: Client) -> dict[str, Any]:
            return {"iss": provider.issuer}

        def generate_user_info(self, user: Guest, scope: str) -> UserInfo:
            return UserInfo({"sub": user.sub, "sid": user.sid, **provider.claims})

    return Extension(require_nonce=True)


@contextmanager
def providing() -> Iterator[Provider]:
    """Serves one in a thread."""
    provider = Provider()
    with served(provider.app) as port:
        provider.issuer = f"http://{HOST}:{port}"
        yield provider


@contextmanager
def served(app: Flask) -> Iterator[int]:
    """Serves an application in a thread. Gives its port."""
    server = make_server(HOST, 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
