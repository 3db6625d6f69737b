"""Signing in with FastAPI: log in, log out, see where else you are signed in, and end that.

pip install coatcheck fastapi uvicorn python-multipart
export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
uvicorn --app-dir examples sign_in_fastapi:app

Open http://127.0.0.1:8000 in two browsers, sign in as xiaoming with the password
"correct horse", and have one of them end the other. The sessions are in their cookies,
encrypted; revoked.db remembers which of them have been ended.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from html import escape
from typing import Annotated

from fastapi import Depends, FastAPI, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse

from coatcheck import CsrfError
from coatcheck.accounts import AsyncAccountCalls
from coatcheck.asgi import AsyncSession, SessionMiddleware

app = FastAPI()
app.add_middleware(
    SessionMiddleware,
    secret_key=os.environ["SECRET_KEY"],
    store=os.environ.get("SESSION_STORE"),
    revocations=os.environ.get("SESSION_REVOCATIONS", "sqlite:///revoked.db"),
    preset="aal1",
)

SALT = secrets.token_bytes(16)


def digest(password: str) -> bytes:
    return hashlib.scrypt(password.encode(), salt=SALT, n=2**14, r=8, p=1)


# Yours are in a database, each with a salt of its own.
USERS = {"xiaoming": digest("correct horse")}


def of_this_request(request: Request) -> AsyncSession:
    session: AsyncSession = request.scope["session"]
    return session


def accounts_of(request: Request) -> AsyncAccountCalls:
    accounts: AsyncAccountCalls = request.scope["coatcheck"]
    return accounts


Session = Annotated[AsyncSession, Depends(of_this_request)]
Accounts = Annotated[AsyncAccountCalls, Depends(accounts_of)]


def checked(session: Session, csrf: Annotated[str | None, Form()] = None) -> None:
    session.check_csrf(csrf)


def user_of(session: Session) -> str:
    if session.user_id is None:
        raise HTTPException(401, "sign in first")
    return str(session.user_id)


User = Annotated[str, Depends(user_of)]


def home() -> RedirectResponse:
    return RedirectResponse("/", status_code=303)


@app.get("/")
async def index(session: Session, accounts: Accounts) -> HTMLResponse:
    if session.user_id is None:
        return page(
            session,
            form(
                "/login", '<input name="name" placeholder="name"> <input name="password" type="password"> ', "Sign in"
            ),
        )
    rows = [
        f"<li>{escape(info.device or 'something')} at {escape(info.ip)}, "
        + ("this one" if info.current else form("/end", hidden("handle", info.handle), "End it"))
        for info in await accounts.sessions_of(session.user_id)
    ]
    greeting = f"<h1>Hello {escape(str(session.user_id))}!</h1><ul>{''.join(rows)}</ul>"
    return page(session, greeting + form("/end-others", "", "End all others") + form("/logout", "", "Sign out"))


# Not async: checking a password takes a while, and would have all others wait.
@app.post("/login", dependencies=[Depends(checked)])
def login(session: Session, name: Annotated[str, Form()], password: Annotated[str, Form()]) -> RedirectResponse:
    right = hmac.compare_digest(digest(password), USERS.get(name, b""))
    if not right:
        raise HTTPException(403, "wrong name or password")
    session.login(name)
    return home()


@app.post("/logout", dependencies=[Depends(checked)])
async def logout(session: Session) -> RedirectResponse:
    session.logout()
    return home()


@app.post("/end", dependencies=[Depends(checked)])
async def end(user: User, accounts: Accounts, handle: Annotated[str, Form()]) -> RedirectResponse:
    if not await accounts.revoke(handle, user_id=user):
        raise HTTPException(404, "you have no such session")
    return home()


@app.post("/end-others", dependencies=[Depends(checked)])
async def end_others(user: User, session: Session, accounts: Accounts) -> RedirectResponse:
    await accounts.revoke_user(user, keep=session)
    return home()


@app.exception_handler(CsrfError)
async def refuse_form(_: Request, __: Exception) -> PlainTextResponse:
    return PlainTextResponse("This form is no longer good. Go back and load the page again.", status_code=403)


def hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def form(action: str, fields: str, label: str) -> str:
    return f'<form method="post" action="{action}">{fields}<!--csrf--><button>{label}</button></form>'


def page(session: AsyncSession, body: str) -> HTMLResponse:
    """Gives a page, each form of which can come from this session alone."""
    return HTMLResponse(body.replace("<!--csrf-->", hidden("csrf", session.csrf_token())))
