"""A site with users, several processes of it, and what becomes of every cookie that any of its responses had.

`Place` lets requests and calls go on by one store operation at a time. It holds that, once
something that ends a session has returned,

- no cookie of that session is good for its user in any process, whether it was issued
  before or by a request that was under way;
- a cookie of a user is good for that user or for nobody, and shows nothing of another;
- who signs in after that is signed in;
- the page of a user's sessions shows those that are alive, and no others;
- a user has no more sessions than the configuration allows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from typing import Any

from kit import NOON, Site, name_and_value
from races.steps import Fault, Held
from races.views import View

from coatcheck import Session
from coatcheck.bell import LocalBell
from coatcheck.core.engine import Decision
from coatcheck.core.loaded import Loaded
from coatcheck.core.operations import Operation
from coatcheck.drive import run
from coatcheck.errors import StoreError, TooManySessions
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock

Steps = Generator[Operation | None, Any, None]

MODES = ("cookie", "store", "hybrid")
# Long enough for every seal to be renewed, and for nobody to pass as one who has just signed in.
LATER = 2 * 3600
OVER_THE_GRACE = 11


class Login:
    """What somebody has signed in to, or a guest's session: all cookies that came of it.

    Attributes:
        user: whose it is; None for a guest.
        began, ended: the moments between which `login` was called.
        copies: `Cookie` headers.
        renewed: whether it may have got another id.
    """

    def __init__(self, user: str | None, began: int = 0, ended: int = 0) -> None:
        self.user = user
        self.began = began
        self.ended = ended
        self.copies: list[str] = []
        self.renewed = False


class Who(Held):
    """The session of one request, which has asked the list for its last instant already."""

    instant = 0

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(loaded, os.urandom)

    def _last_instant(self) -> int:
        return self.instant


class Act:
    """One request, or one call.

    Attributes:
        ends: says of a session whether this is to end it.
        began: the moment from which on it does.
        returned: the moment when it was done; None as long as it is not, or if it has failed.
        pending: the operation that comes next; None at a stop in between.
    """

    def __init__(self, place: Place, name: str, number: int) -> None:
        self.place = place
        self.name = name
        self.number = number
        self.ends: Callable[[Login], bool] = lambda _: False
        self.began: int | None = None
        self.returned: int | None = None
        self.done = False
        self.error: Exception | None = None
        self.pending: Operation | None = None
        self._steps = place.steps_of(self)
        self._go(lambda: next(self._steps))

    @property
    def request(self) -> Act:
        """What `orders` looks at."""
        return self

    def __repr__(self) -> str:
        return f"<{self.number} {self.name}>"

    def step(self, fault: Fault) -> None:
        """Makes the pending operation, and goes on to the next stop."""
        operation = self.pending
        try:
            answer = None if operation is None else self.place.ask(operation, fault)
        except StoreError as error:
            raised = error
            self._go(lambda: self._steps.throw(raised))
        else:
            self._go(lambda: self._steps.send(answer))

    def _go(self, move: Callable[[], Operation | None]) -> None:
        try:
            self.pending = move()
        except StopIteration:
            self.done, self.returned = True, self.place.moment
        except (StoreError, TooManySessions) as error:
            self.done, self.error = True, error


class Place:
    """One run. Two devices of ada and one of bob are signed in, and there is a guest.

    Args:
        heard: whether the processes are on one machine: only the bell tells them then. If not, each
            asks at every request.
        together: whether all is done by one process.
        options: settings.
    """

    def __init__(self, mode: str, *, heard: bool = True, together: bool = False, **options: Any) -> None:
        self.clock = Clock(NOON)
        self.store = MemoryStore(clock=self.clock)
        self._bell = LocalBell() if heard else None
        self._options: dict[str, Any] = {"revocations": self.store, "revocation_delay": 3600 if heard else 0, **options}
        if mode != "cookie":
            self._options |= {"store": self.store, "mode": mode}
        self._together = together
        self.sites: list[Site] = []
        self.moment = 0
        self._started_at = -1
        self.acts: list[Act] = []
        self.faulted = False
        self.guest = Login(None)
        self.first, self.second, self.bob = Login("ada"), Login("ada"), Login("bob")
        self.issued = self.first.copies
        self.logins = [self.guest, self.first, self.second, self.bob]
        site = self.process()
        self._begin(site, self.guest)
        for login in (self.first, self.second, self.bob):
            self._begin(site, login)
        self.clock.now += LATER
        self.handle = self._open(site, self.first.copies[0]).handle

    # `orders` calls these

    def begin(self, _: str, view: View) -> Act:
        """Has something begin that has a name: see `steps_of`."""
        act = Act(self, view.steps[0], view.number)
        self.acts.append(act)
        return act

    def step(self, act: Act, fault: Fault = Fault.NONE) -> None:
        self.moment += 1
        self.faulted |= fault is not Fault.NONE
        if act.began is None and act.name.startswith("revoke"):
            act.began = self.moment
        act.step(fault)
        if act.done and act.returned is not None:
            self._check_ended()

    def settle(self) -> None:
        """Looks at everything when all is done."""
        self._check_ended()
        alive = self._check_users()
        if not self.faulted:
            for act in self.acts:
                assert act.error is None or isinstance(act.error, TooManySessions), (self.acts, act.error)
            self._check_lively()
            self._check_pages(alive)
        self.clock.now += OVER_THE_GRACE
        self._check_ended()

    def opens(self, login: Login) -> bool:
        """Says whether any cookie of a login is good for its user."""
        return any(session.user_id is not None for header in login.copies for session in self._users(header))

    # Processes

    def process(self) -> Site:
        """Gives a process that has just started; the one that there is, where one does all."""
        if self.sites and self._together:
            return self.sites[0]
        site = Site(clock=self.clock, bell=self._bell, **self._options)
        self.sites.append(site)
        return site

    def ask(self, operation: Operation, fault: Fault) -> Any:
        if fault is Fault.BEFORE:
            raise StoreError("the store is not reached, as the test wants it")
        ask = getattr(self.store, operation.method)
        answer = ask(*operation.arguments)
        if fault is Fault.AFTER:
            raise StoreError("the answer is lost, as the test wants it")
        return ask(*operation.arguments) if fault is Fault.TWICE else answer

    def _begin(self, site: Site, login: Login) -> None:
        session = Who(run(site.engine.load("", now=self.clock()), site.stores))
        if login.user is not None:
            session.login(login.user)
        session["whose"] = login.user
        login.copies.append(_header(run(site.engine.commit(session, now=self.clock(), https=True), site.stores)))

    def _open(self, site: Site, header: str) -> Session:
        return Who(run(site.engine.load(header, now=self.clock()), site.stores))

    # What may happen

    def steps_of(self, act: Act) -> Steps:
        """Gives the operations of one thing that happens. The first word says what, and the rest whose."""
        site = self.process()
        if act.number % 2:
            # A process that has run for some time knows the list.
            run(site.engine.revocations.refresh(self.clock()), site.stores)  # type: ignore[union-attr]
        verb, _, whose = act.name.partition(" ")
        steps: Steps = getattr(self, f"_{verb}")(act, site, whose)
        return steps

    def _which(self, whose: str) -> Login:
        return {"": self.first, "second": self.second, "bob": self.bob, "guest": self.guest}[whose]

    def _look(self, act: Act, site: Site, whose: str) -> Steps:
        yield from self._visit(act, site, self._which(whose), lambda session: session.get("whose"))

    def _write(self, act: Act, site: Site, whose: str) -> Steps:
        yield from self._visit(act, site, self._which(whose), lambda session: session.update({f"n {act.number}": 1}))

    def _regenerate(self, act: Act, site: Site, whose: str) -> Steps:
        login = self._which(whose)
        login.renewed = True
        yield from self._visit(act, site, login, lambda session: session.regenerate())

    def _logout(self, act: Act, site: Site, whose: str) -> Steps:
        login = self._which(whose)
        act.ends = lambda each: each is login

        def view(session: Session) -> None:
            self._now(act)
            session.logout()

        yield from self._visit(act, site, login, view)

    def _login(self, act: Act, site: Site, names: str) -> Steps:
        """`login guest ada`: the guest signs in as ada."""
        whose, _, user = names.rpartition(" ")
        before, after = self._which(whose), Login(user)
        act.ends = lambda each: each is before
        self.logins.append(after)
        engine = site.engine
        session = Who((yield from engine.load(before.copies[0], now=self.clock())))
        after.began = self.moment
        assert engine.revocations is not None
        yield from engine.revocations.catch_up(self.clock())
        session.instant = engine.revocations.latest
        session.login(user)
        session["whose"] = user
        after.ended = self.moment
        self._now(act)
        yield None
        yield from self._commit(site, session, after)

    def _revoke(self, act: Act, site: Site, what: str) -> Steps:
        accounts, now = site.engine.accounts, self.clock()
        if what == "another's":
            assert not (yield from accounts.revoke(self.handle, "bob", now))
            return
        if what == "":
            # Where it has another handle by now, or is over, the caller is told so.
            if (yield from accounts.revoke(self.handle, "ada", now)):
                act.ends = lambda each: each is self.first
            return
        act.ends = lambda each: each.user == "ada" or what == "everyone"
        yield from accounts.revoke_everyone(now) if what == "everyone" else accounts.revoke_user("ada", None, now)

    def _keep(self, act: Act, site: Site, whose: str) -> Steps:
        """Ends all sessions of ada but that of the request."""
        kept = self._which(whose)
        session = Who((yield from site.engine.load(kept.copies[0], now=self.clock())))
        if session.user_id is not None:
            act.ends = lambda each: each.user == "ada" and each is not kept
            self._now(act)
            yield from site.engine.accounts.revoke_user("ada", session, self.clock())
        yield None
        yield from self._commit(site, session, kept)

    def _visit(self, act: Act, site: Site, login: Login, view: Callable[[Session], object]) -> Steps:
        session = Who((yield from site.engine.load(login.copies[0], now=self.clock())))
        view(session)
        yield None
        yield from self._commit(site, session, login)

    def _commit(self, site: Site, session: Session, login: Login) -> Steps:
        header = _header((yield from site.engine.commit(session, now=self.clock(), https=True)))
        if header:
            login.copies.append(header)

    def _now(self, act: Act) -> None:
        act.began = self.moment

    # What must hold

    def _users(self, header: str) -> list[Session]:
        """Gives what a cookie opens: in a process that starts now, and in each that runs."""
        opened = []
        if self._started_at != self.moment:
            # Nothing happens between two looks of one moment.
            self._started_at = self.moment
            self._started = Site(clock=self.clock, bell=self._bell, **self._options)
        for site in (self._started, *self.sites):
            try:
                opened.append(self._open(site, header))
            except StoreError:
                # It could not read the list a moment ago, and lets nobody in who is signed in.
                assert self.faulted
        return opened

    def _is_over(self, login: Login) -> bool:
        return any(
            act.returned is not None and act.began is not None and login.ended <= act.began and act.ends(login)
            for act in self.acts
        )

    def _check_ended(self) -> None:
        for login in self.logins:
            if self._is_over(login):
                for header in login.copies:
                    for session in self._users(header):
                        assert session.user_id is None, (self.acts, login.user, login.copies.index(header))

    def _check_users(self) -> dict[bytes, str]:
        """Gives the users of all sessions that are alive, by family."""
        alive = {}
        for login in self.logins:
            for header in login.copies:
                for session in self._users(header):
                    assert session.user_id in (None, login.user), self.acts
                    if session.user_id is None:
                        assert session.get("whose") is None, self.acts
                        continue
                    # Who signs in with an id that has just been replaced takes along what this request has added.
                    assert session.get("whose") in {None, login.user}, self.acts
                    assert session._facts is not None
                    alive[session._facts.family] = str(session.user_id)
        return alive

    def _check_lively(self) -> None:
        if self.sites[0].settings.max_sessions_per_user is not None:
            # Each of them may end for another.
            return
        for login in self.logins:
            others = [
                act for act in self.acts if act.ends(login) and (act.returned is None or act.returned > login.began)
            ]
            if login.user is not None and login.copies and not others and not login.renewed:
                for session in self._users(login.copies[-1]):
                    assert session.user_id == login.user, (self.acts, login.user)

    def _check_pages(self, alive: dict[bytes, str]) -> None:
        site = self.process()
        for user in ("ada", "bob"):
            rows = run(site.engine.accounts.sessions_of(user, None, self.clock()), site.stores)
            shown = {each.row.family for each in rows}
            assert shown == {family for family, each in alive.items() if each == user}, (self.acts, user)
            most = site.settings.max_sessions_per_user
            assert most is None or len(shown) <= most, self.acts


def _header(decision: Decision) -> str:
    cookies = dict(map(name_and_value, decision.cookies))
    return "; ".join(f"{name}={value}" for name, value in cookies.items() if value)
