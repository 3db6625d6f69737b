"""The page "where you are signed in", for no framework in particular: what it shows, does and refuses."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from logging import getLogger
from typing import Any

from coatcheck.accounts import SessionInfo
from coatcheck.core.session import Session
from coatcheck.errors import CsrfError
from coatcheck.pages.options import PageOptions, PageRequest, PageSettings
from coatcheck.pages.reply import Reply, page, redirect
from coatcheck.pages.rows import Row, make_row
from coatcheck.pages.running import Ask, Steps

_OTHERS = "others"
# In the session, and no part of an address: a link could claim that something was done.
_NOTICE = "_signed_out"
_NOTICES = ("ended_one", "ended_others")


class SessionsPage:
    """Answers requests for the page. Raises `UsageError` for options that cannot be right."""

    def __init__(self, options: PageOptions) -> None:
        self.settings: PageSettings = PageSettings(options)

    def answer(self, request: PageRequest, session: Session) -> Steps:
        """Gives the answer, in steps that `run_page` takes. Raises `StoreError`."""
        return _Visit(self.settings, request, session).answer()


class _Visit:
    """One request."""

    def __init__(self, settings: PageSettings, request: PageRequest, session: Session) -> None:
        self._settings = settings
        self._request = request
        self._session = session
        self._words = settings.choose_words(request)
        self._login_url = settings.find_login_url(request)
        # What begins with two slashes names another host.
        self._path = "/" + request.path.lstrip("/")

    def answer(self) -> Steps:
        request, session = self._request, self._session
        if request.method not in ("GET", "HEAD", "POST"):
            return self._refuse(405, ("Allow", "GET, HEAD, POST"))
        if session.user_id is None:
            return redirect(self._login_url) if self._login_url else self._refuse(401)
        if request.method != "POST":
            return (yield from self._list())
        try:
            session.check_csrf(request.form.get("csrf"))
        except CsrfError:
            return self._refuse(403)
        wanted = request.form.get("end")
        if not wanted:
            return self._refuse(400)
        if wanted == _OTHERS:
            yield lambda accounts: accounts.revoke_user(session.user_id, keep=session)
            return self._return_with("ended_others")
        return (yield from self._end(wanted))

    def _list(self) -> Steps:
        session, settings = self._session, self._settings
        places: dict[str, str] = {"": ""}
        rows: list[Row] = []
        for info in (yield from self._infos()):
            if info.ip not in places:
                places[info.ip] = yield from self._locate(info.ip)
            rows.append(
                make_row(
                    info,
                    self._words,
                    place=places[info.ip],
                    now=session._now(),  # noqa: SLF001  # the clock that the list goes by
                    zone=settings.zone,
                )
            )
        notice = session.pop(_NOTICE, None)
        return self._show(
            200,
            "coatcheck/sessions.html",
            rows=rows,
            others=any(not row.current for row in rows),
            notice=self._words[notice] if notice in _NOTICES else "",
            csrf=session.csrf_token(),
            # More of them, where the framework has something to add.
            fields={},
        )

    def _infos(self) -> Generator[Ask, Any, Sequence[SessionInfo]]:
        session = self._session
        infos: Sequence[SessionInfo] = yield lambda accounts: accounts.sessions_of(session.user_id, current=session)
        return infos

    def _locate(self, address: str) -> Generator[Ask, Any, str]:
        place = self._settings.place
        if place is None:
            return ""
        try:
            return str((yield lambda _: place(address)) or "")
        except Exception as error:  # noqa: BLE001  # without its places the page can still sign out a thief
            getLogger("coatcheck").warning("place= raised %s: the page shows no place", type(error).__name__)
            return ""

    def _end(self, handle: str) -> Steps:
        # What is not in the list is somebody else's, or has ended.
        infos = yield from self._infos()
        chosen = next((info for info in infos if info.handle == handle), None)
        if chosen is None:
            return self._refuse(404)
        if chosen.current:
            yield from self._sign_out_here()
            return redirect(self._login_url or self._path)
        user_id = self._session.user_id
        if not (yield lambda accounts: accounts.revoke(handle, user_id=user_id)):
            return self._refuse(404)
        return self._return_with("ended_one")

    def _sign_out_here(self) -> Generator[Ask, Any, None]:
        request, logout = self._request, self._settings.logout
        if logout is not None:
            yield lambda _: logout(request.source)
        elif request.sign_out is not None:
            request.sign_out()
        # Whatever these have done, the session is nobody's now.
        if self._session.user_id is not None:
            self._session.logout()

    def _show(self, status: int, template: str, **context: Any) -> Reply:
        nonce = self._request.nonce
        policy = self._settings.policy.write(nonce, self._login_url)
        return page(status, template, {"words": self._words, "nonce": nonce, **context}, policy)

    def _refuse(self, status: int, *headers: tuple[str, str]) -> Reply:
        back = self._path if status in (400, 403, 404) else ""
        reply = self._show(status, "coatcheck/refusal.html", reason=self._words[str(status)], back=back)
        return reply.adding(*headers)

    def _return_with(self, notice: str) -> Reply:
        self._session[_NOTICE] = notice
        return redirect(self._path)
