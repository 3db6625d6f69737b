"""Signing in and out, as browsers, copies of cookies and listeners see it, and where a store fails half way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kit import NOON, OTHER_SECRET, SECRET, Browser, Visit, attributes
from modes import REMEMBERING, SignInSite, in_every_mode, kinds, login, logout, where_it_is_remembered
from races.steps import Request

from coatcheck import Event, Session, SessionTooLarge, StoreError
from coatcheck.core.engine import Decision
from coatcheck.core.events import Kind, Reason
from coatcheck.core.operations import Steps
from coatcheck.core.record import Record
from coatcheck.testing import FailingStore

DAY = 86400
State = tuple[Any, dict[str, Any]]
DEAD: State = (None, {})


def state(site: SignInSite, header: str) -> State:
    session = site.open(header)
    return session.user_id, dict(session)


def guest(site: SignInSite) -> Browser:
    browser = Browser(site)
    browser.visit(lambda session: session.update(cart=1))
    site.told()
    return browser


def somebody(site: SignInSite) -> Browser:
    return site.sign_in("ada", cart=1)


# Each view, with who is signed in afterwards and what is in the session, if all goes well.
Begin = Callable[[SignInSite], Browser]
View = Callable[[Session], object]
GUEST_S: dict[str, tuple[View, State]] = {
    "login": (login(name="Ada"), ("ada", {"cart": 1, "name": "Ada"})),
    "login, permanent": (
        lambda s: (s.login("ada"), s.update(_permanent=True)),
        ("ada", {"cart": 1, "_permanent": True}),
    ),
    "login, new id": (lambda s: (s.login("ada"), s.regenerate()), ("ada", {"cart": 1})),
    "new id, login": (lambda s: (s.regenerate(), s.login("ada")), ("ada", {"cart": 1})),
    "login twice": (lambda s: (s.login("ada"), s.login("ada")), ("ada", {"cart": 1})),
    "login as two": (lambda s: (s.login("ada"), s.login("bob", keep=["cart"])), ("bob", {"cart": 1})),
    "login, logout": (lambda s: (s.login("ada"), s.logout()), DEAD),
    "login, clear": (lambda s: (s.login("ada"), s.clear()), DEAD),
    "login, clear, set": (lambda s: (s.login("ada"), s.clear(), s.update(a=1)), (None, {"a": 1})),
    "login, logout, login": (lambda s: (s.login("ada"), s.logout(), s.login("bob")), ("bob", {})),
    "logout, keep": (logout("cart"), (None, {"cart": 1})),
}
USER_S: dict[str, tuple[View, State]] = {
    "login": (login(name="Ada"), ("ada", {"cart": 1, "name": "Ada"})),
    "login as another": (login("bob", a=1), ("bob", {"a": 1})),
    "login as another, keep": (lambda s: s.login("bob", keep=["cart"]), ("bob", {"cart": 1})),
    "login as another, new id": (lambda s: (s.login("bob"), s.regenerate()), ("bob", {})),
    "logout": (logout(), DEAD),
    "logout, keep": (logout("cart"), (None, {"cart": 1})),
    "logout, set": (lambda s: (s.logout(), s.update(a=1)), (None, {"a": 1})),
    "clear": (Session.clear, DEAD),
    "clear, set": (lambda s: (s.clear(), s.update(a=1)), (None, {"a": 1})),
    "destroy": (Session.destroy, DEAD),
    "logout, login": (lambda s: (s.logout(), s.login("ada")), ("ada", {})),
    "logout, login as another": (lambda s: (s.logout(keep=["cart"]), s.login("bob")), ("bob", {"cart": 1})),
    "login, logout": (lambda s: (s.login("ada"), s.logout()), DEAD),
    "login as another, logout": (lambda s: (s.login("bob"), s.logout()), DEAD),
    "new id": (Session.regenerate, ("ada", {"cart": 1})),
    "every key removed": (lambda s: s.pop("cart"), ("ada", {})),
}
CASES: dict[str, tuple[Begin, View, State]] = {
    **{f"guest: {name}": (guest, *case) for name, case in GUEST_S.items()},
    **{f"user: {name}": (somebody, *case) for name, case in USER_S.items()},
}
# What nobody has to remember: the id stays.
SAME_ID = {"user: every key removed"}
# The former id shows for a few seconds what was there.
GRACE_CASES = {"user: new id"}
in_every_case = pytest.mark.parametrize("case", CASES)


# What a request does


@in_every_mode
@in_every_case
def test_after_the_request_its_browser_is_who_the_view_said(mode: str, case: str) -> None:
    begin, view, after = CASES[case]
    site = SignInSite(mode)
    browser = begin(site)
    browser.visit(view)
    assert state(site, browser.header) == after
    # And stays so, in another process and a day later.
    later = SignInSite(mode, like=site)
    site.clock.advance(DAY)
    assert state(later, browser.header) == after


@where_it_is_remembered
@in_every_case
def test_after_the_request_a_copy_of_the_cookie_before_it_is_dead(mode: str, case: str) -> None:
    begin, view, _ = CASES[case]
    site = SignInSite(mode)
    browser = begin(site)
    copy = browser.header
    browser.visit(view)
    if case in SAME_ID:
        assert browser.header != copy or mode != "list"
        return
    if case in GRACE_CASES:
        site.clock.advance(11)
    for process in (site, SignInSite(mode, like=site)):
        assert state(process, copy) == DEAD
    site.clock.advance(DAY)
    assert state(site, copy) == DEAD


@where_it_is_remembered
@in_every_case
def test_who_is_signed_in_is_who_the_roster_has(mode: str, case: str) -> None:
    begin, view, (user_id, _) = CASES[case]
    site = SignInSite(mode)
    browser = begin(site)
    browser.visit(view)
    current = site.open(browser.header)
    for name in ("ada", "bob"):
        found = site.sessions_of(name, current)
        assert [each.current for each in found] == ([True] if name == user_id else [])
        assert [each.row.handle.hex() for each in found] == ([current.handle] if name == user_id else [])


SAID = {
    "guest: login, logout": set(),
    "guest: login, clear": set(),
    "guest: login, clear, set": set(),
    "guest: logout, keep": set(),
    "user: login": {"signed_in"},
    "user: new id": set(),
    "user: every key removed": set(),
}


@in_every_mode
@in_every_case
def test_a_listener_hears_who_signed_in_and_out_once(mode: str, case: str) -> None:
    begin, view, (user_id, _) = CASES[case]
    site = SignInSite(mode)
    browser = begin(site)
    browser.visit(view)
    told = site.told()
    changes = {"signed_in"} if user_id is not None else set()
    if begin is somebody:
        changes |= {"signed_out"}
    assert kinds(told) == SAID.get(case, changes)
    assert len([kind for kind, _ in told if kind in ("signed_in", "signed_out")]) == len(SAID.get(case, changes))


def test_a_listener_hears_the_handles_of_both_sessions() -> None:
    site = SignInSite("store")
    browser = site.sign_in("ada")
    before = site.open(browser.header).handle
    browser.visit(login("bob"))
    after = site.open(browser.header).handle
    assert Event(Kind.SIGNED_OUT, None, before) in site.events
    assert Event(Kind.SIGNED_IN, None, after) in site.events


@pytest.mark.parametrize("mode", REMEMBERING)
def test_without_a_place_to_remember_a_listener_hears_that_copies_stay_valid(mode: str) -> None:
    site = SignInSite("cookie")
    browser = site.sign_in()
    copy = browser.header
    browser.visit(logout())
    assert ("signed_out", Reason.UNREVOKED) in site.told()
    assert state(site, copy) == ("ada", {})
    remembering = SignInSite(mode)
    remembering.sign_in().visit(logout())
    assert ("signed_out", "") in remembering.told()


# How long it lasts


@in_every_mode
def test_the_absolute_lifetime_counts_from_the_sign_in(mode: str) -> None:
    site = SignInSite(mode, absolute_lifetime=3600, refresh_interval=1)
    browser = guest(site)
    site.clock.advance(3000)
    browser.visit(login())
    copy = browser.header
    site.clock.advance(3599)
    assert site.user_of(browser.header) == "ada"
    browser.visit(lambda session: session.update(a=1))
    site.clock.advance(2)
    for header in (browser.header, copy):
        assert state(site, header) == DEAD
    browser.visit(login())
    assert site.user_of(browser.header) == "ada"


@in_every_mode
def test_the_cookie_of_a_permanent_session_lasts_as_long_as_its_sign_in(mode: str) -> None:
    site = SignInSite(mode, absolute_lifetime=3600)
    browser = guest(site)
    site.clock.advance(3000)
    (cookie,) = browser.visit(login(_permanent=True)).cookies
    assert attributes(cookie)["max-age"] == "3600"


@in_every_mode
def test_who_is_idle_is_signed_out(mode: str) -> None:
    site = SignInSite(mode, idle=900)
    browser = site.sign_in()
    for _ in range(4):
        site.clock.advance(899)
        browser.visit(lambda session: session.get("a"))
        assert site.user_of(browser.header) == "ada"
    site.clock.advance(901)
    assert site.user_of(browser.header) is None


@where_it_is_remembered
def test_a_signed_in_session_gets_another_id_as_often_as_is_said(mode: str) -> None:
    site = SignInSite(mode, rotate_every=600)
    browser = somebody(site)
    site.clock.advance(600)
    browser.visit(lambda session: session.get("cart"))
    assert site.told() == []
    copy, handle = browser.header, site.open(browser.header).handle
    site.clock.advance(1)
    browser.visit(lambda session: session.get("cart"))
    assert ("regenerated", "") in site.told()
    assert site.open(browser.header).handle != handle
    assert state(site, browser.header) == state(site, copy) == ("ada", {"cart": 1})
    browser.visit(lambda session: session.update(a=1))
    assert ("regenerated", "") not in site.told()
    assert [each.row.handle.hex() for each in site.sessions_of()] == [site.open(browser.header).handle]
    site.clock.advance(11)
    assert state(site, browser.header) == ("ada", {"cart": 1, "a": 1})
    # Who comes with the former id now has a copy, and nobody can say which of the two is the thief.
    assert state(site, copy) == DEAD
    assert ("reused", "") in site.told()
    assert state(site, browser.header) == DEAD
    for _ in range(3):
        site.told()
        assert state(site, copy) == DEAD
        assert "reused" not in kinds(site.told())


@where_it_is_remembered
def test_a_guest_keeps_the_id(mode: str) -> None:
    site = SignInSite(mode, rotate_every=600)
    browser = guest(site)
    handle = site.open(browser.header).handle
    site.clock.advance(700)
    browser.visit(lambda session: session.update(a=1))
    assert site.open(browser.header).handle == handle


@where_it_is_remembered
@pytest.mark.parametrize("view", [lambda s: s.update(late=1), Session.regenerate, lambda s: s.update(_permanent=True)])
def test_what_is_changed_under_a_replaced_id_of_a_user_leads_to_no_cookie(mode: str, view: View) -> None:
    site = SignInSite(mode)
    browser = somebody(site)
    late = Browser(site)
    late.cookies = dict(browser.cookies)
    browser.visit(Session.regenerate)
    site.told()
    copy = late.header
    assert late.visit(view).cookies == ()
    assert ("dropped", "ended") in site.told()
    assert late.header == copy
    assert late.visit(lambda session: session.get("cart")).cookies == ()
    assert state(site, browser.header) == ("ada", {"cart": 1})


@where_it_is_remembered
def test_who_signs_out_under_a_replaced_id_signs_out_of_the_session(mode: str) -> None:
    site = SignInSite(mode)
    browser = somebody(site)
    other_tab = Browser(site)
    other_tab.cookies = dict(browser.cookies)
    browser.visit(Session.regenerate)
    other_tab.visit(logout())
    assert state(site, browser.header) == DEAD


# A page for the error


@where_it_is_remembered
@in_every_case
@pytest.mark.parametrize("lost", [False, True], ids=["not reached", "answer lost"])
def test_a_store_that_fails_leaves_the_session_as_it_was_or_dead(mode: str, case: str, lost: bool) -> None:
    """At each operation in turn: before it takes place, or after. And then the browser tries again."""
    begin, view, after = CASES[case]
    # Under one id, a change whose answer was lost is a change.
    allowed = [DEAD, after] if case in SAME_ID else [DEAD]
    failed = 0
    for number in range(1000):
        site = SignInSite(mode)
        browser = begin(site)
        before = state(site, browser.header)
        fault = FailAt(site, number, lost=lost)
        try:
            browser.visit(view)
        except StoreError:
            failed += 1
            assert state(site, browser.header) in (before, *allowed)
            fault.over()
            now = state(site, browser.header)
            assert now in (before, *allowed)
            if now == before:
                browser.visit(view)
                assert state(site, browser.header) == after
        else:
            fault.over()
            assert state(site, browser.header) == after
        if not fault.hit:
            break
    assert failed > 0 or case in SAME_ID


class FailAt:
    """Has one operation of a site's store fail, the one of this number from now on."""

    def __init__(self, site: SignInSite, number: int, *, lost: bool) -> None:
        self.hit = False
        self._left = number
        self._lost = lost
        self._run = site.store._run  # noqa: SLF001
        self._site = site
        site.store._run = self._fail  # type: ignore[method-assign]  # noqa: SLF001

    def _fail(self, name: str, operation: Callable[..., Any], *arguments: object) -> Any:
        self._left -= 1
        if self._left != -1:
            return self._run(name, operation, *arguments)
        self.hit = True
        if self._lost:
            operation(*arguments)
        raise StoreError("the store fails, as the test wants it")

    def over(self) -> None:
        self._site.store._run = self._run  # type: ignore[method-assign]  # noqa: SLF001


@where_it_is_remembered
@in_every_case
def test_a_second_response_of_the_request_does_what_the_first_could_not(mode: str, case: str) -> None:
    """An error page is answered with the same session, and the store is back by then."""
    begin, view, after = CASES[case]
    for number in range(1000):
        site = SignInSite(mode)
        browser = begin(site)
        session = site.open(browser.header)
        session.get("cart")
        view(session)
        fault = FailAt(site, number, lost=False)
        try:
            decision = site.commit(session)
        except StoreError:
            fault.over()
            session.reopen()
            decision = site.commit(session)
        fault.over()
        take(browser, decision.cookies)
        assert state(site, browser.header) in (after, DEAD)
        assert len(site.sessions_of("ada")) + len(site.sessions_of("bob")) <= 1
        if not fault.hit:
            assert state(site, browser.header) == after
            break


def take(browser: Browser, cookies: tuple[str, ...]) -> None:
    for cookie in cookies:
        name, _, value = cookie.partition(";")[0].partition("=")
        browser.cookies.pop(name, None)
        if attributes(cookie).get("max-age") != "0":
            browser.cookies[name] = value


@in_every_mode
@pytest.mark.parametrize("begin", [guest, somebody])
def test_a_session_that_is_too_large_leaves_what_was_there(mode: str, begin: Begin) -> None:
    size = 5000 if mode in ("cookie", "list") else 2_000_000
    site = SignInSite(mode)
    browser = begin(site)
    before = state(site, browser.header)
    with pytest.raises(SessionTooLarge):
        browser.visit(login("ada", large="a" * size))
    assert state(site, browser.header) == before
    session = site.open(browser.header)
    session.login("ada")
    session["large"] = "a" * size
    with pytest.raises(SessionTooLarge):
        site.commit(session)
    session.reopen()
    del session["large"]
    take(browser, site.commit(session).cookies)
    assert state(site, browser.header) == ("ada", {"cart": 1})


def test_a_session_that_is_too_large_leaves_what_was_there_on_its_way_to_a_cookie() -> None:
    former = SignInSite("store")
    moving, sealed = somebody(former), somebody(former)
    site = SignInSite("list", like=former, earlier_store=former.store)
    sealed.site = site
    sealed.visit(lambda session: session.get("cart"))
    for browser in (moving, sealed):
        browser.site = site
        with pytest.raises(SessionTooLarge):
            browser.visit(login("ada", large="a" * 5000))
        assert state(site, browser.header) == ("ada", {"cart": 1})


@pytest.mark.parametrize("mode", ["list", "cookie"])
def test_who_signs_out_and_keeps_too_much_hears_of_it_before_anything_has_ended(mode: str) -> None:
    site = SignInSite(mode)
    browser = somebody(site)
    with pytest.raises(SessionTooLarge):
        browser.visit(lambda session: (session.logout(), session.update(large="a" * 5000)))
    assert state(site, browser.header) == ("ada", {"cart": 1})


@where_it_is_remembered
def test_a_login_that_cannot_ask_what_has_been_ended_is_none(mode: str) -> None:
    site = SignInSite(mode)
    browser = guest(site)
    session = site.open(browser.header)
    session.get("cart")
    site.store.down = True
    with pytest.raises(StoreError):
        session.login("ada")
    assert session.user_id is None
    assert dict(session) == {"cart": 1}


# What cannot be read


@where_it_is_remembered
def test_while_the_list_cannot_be_read_guests_go_on_and_nobody_is_signed_in(mode: str) -> None:
    lists = FailingStore(SignInSite("list").memory)
    site = SignInSite(mode, revocations=lists)
    user, visitor = somebody(site), guest(site)
    site.clock.advance(2)
    lists.down = True
    for _ in range(2):
        with pytest.raises(StoreError, match="cannot be read which sessions have been ended"):
            site.user_of(user.header)
    assert state(site, visitor.header) == (None, {"cart": 1})
    site.clock.advance(2)
    lists.down = False
    assert state(site, user.header) == ("ada", {"cart": 1})


@where_it_is_remembered
def test_open_goes_on_with_what_is_known(mode: str) -> None:
    lists = FailingStore(SignInSite("list").memory)
    site = SignInSite(mode, revocations=lists, revocations_down="open")
    user, other = somebody(site), site.sign_in("bob")
    site.revoke_user("bob")
    site.clock.advance(2)
    lists.down = True
    assert state(site, user.header) == ("ada", {"cart": 1})
    assert state(site, other.header) == DEAD


@where_it_is_remembered
def test_a_failing_store_gives_an_empty_session_where_the_settings_say_so(mode: str) -> None:
    site = SignInSite(mode, store_down="empty")
    browser = somebody(site)
    site.clock.advance(2)
    site.store.down = True
    session = site.open(browser.header)
    assert (session.user_id, dict(session)) == DEAD
    session.update(a=1)
    assert site.commit(session).cookies == ()
    site.store.down = False
    site.clock.advance(2)
    assert state(site, browser.header) == ("ada", {"cart": 1})


# From before there was a list, and to another place


def test_a_session_from_before_the_list_is_judged_by_its_id_and_its_age() -> None:
    before = SignInSite("cookie")
    one, other = guest(before), guest(before)
    site = SignInSite("list", like=before)
    assert state(site, one.header) == (None, {"cart": 1})
    copy, one.site = one.header, site
    one.visit(Session.destroy)
    assert state(site, copy) == DEAD
    assert state(site, other.header) == (None, {"cart": 1})
    before.clock.advance(1)
    site.revoke_everyone()
    assert state(site, other.header) == DEAD
    before.clock.advance(1)
    later = guest(before)
    assert state(site, later.header) == (None, {"cart": 1})


def test_a_replaced_id_from_before_the_list_that_comes_back_is_dead() -> None:
    before = SignInSite("cookie")
    browser = guest(before)
    site = SignInSite("list", like=before)
    browser.site = site
    copy = browser.header
    browser.visit(Session.regenerate)
    assert state(site, copy) == (None, {"cart": 1})
    site.clock.advance(11)
    assert state(site, copy) == DEAD
    assert ("reused", "") in site.told()


def test_who_signed_in_before_the_list_is_judged_as_who_did_so_later() -> None:
    before = SignInSite("cookie")
    ada, bob = before.sign_in("ada"), before.sign_in("bob")
    site = SignInSite("list", like=before)
    assert (site.user_of(ada.header), site.user_of(bob.header)) == ("ada", "bob")
    site.revoke_user("ada")
    assert (site.user_of(ada.header), site.user_of(bob.header)) == (None, "bob")
    site.revoke_everyone()
    assert site.user_of(bob.header) is None


WAYS = [(one, other) for one in ("cookie", "list", "store", "hybrid") for other in ("list", "store", "hybrid")]


@pytest.mark.parametrize(("one", "other"), WAYS)
def test_who_is_signed_in_stays_so_in_another_place_and_can_be_signed_out_there(one: str, other: str) -> None:
    former = SignInSite(one)
    browser = former.sign_in(7, cart=1)
    options = {"earlier_store": former.store} if one in ("store", "hybrid") and other == "list" else {}
    site = SignInSite(other, like=former, **options)
    if options:
        # The list stays where it was.
        assert site.engine.revocations is not None
    copies = [browser.header]
    browser.site = site
    for number in range(3):
        site.clock.advance(4000)
        assert site.open(browser.header).authenticated_at == former.open(copies[0]).authenticated_at or number
        browser.visit(lambda session: session.update(cart=2))
        assert state(site, browser.header) == (7, {"cart": 2})
        copies.append(browser.header)
    if one != "cookie":
        assert [each.current for each in site.sessions_of(7, site.open(browser.header))] == [True]
    browser.visit(logout())
    for copy in copies:
        assert state(site, copy) == DEAD


@pytest.mark.parametrize(("one", "other"), WAYS)
def test_who_moves_while_being_revoked_is_dead(one: str, other: str) -> None:
    former = SignInSite(one)
    browser = former.sign_in(7, cart=1)
    options = {"earlier_store": former.store} if one in ("store", "hybrid") and other == "list" else {}
    site = SignInSite(other, like=former, **options)
    browser.site = site
    session = site.open(browser.header)
    session["cart"] = 2
    copy = browser.header
    former_or_site = site if one == "cookie" else former
    former_or_site.revoke_user(7)
    site.clock.advance(2)
    take(browser, site.commit(session).cookies)
    for header in (copy, browser.header):
        assert site.user_of(header) is None


def test_a_key_that_is_replaced_signs_nobody_out_and_revokes_all_the_same() -> None:
    before = SignInSite("list")
    ada, bob = before.sign_in("ada"), before.sign_in("bob")
    before.revoke_user("bob")
    site = SignInSite("list", OTHER_SECRET, [SECRET], like=before)
    assert (site.user_of(ada.header), site.user_of(bob.header)) == ("ada", None)
    assert len(site.sessions_of("ada")) == 1
    site.revoke_user("ada")
    site.clock.advance(2)
    assert before.user_of(ada.header) is None
    new = site.sign_in("bob")
    assert site.user_of(new.header) == "bob"


# A list that was not asked


def test_a_copy_that_came_back_is_written_down_by_the_commit_where_nothing_is_asked_before() -> None:
    """As on asyncio, where a look asks nobody."""
    site = SignInSite("list")
    browser = somebody(site)
    copy = browser.header
    browser.visit(Session.regenerate)
    site.clock.advance(11)
    assert site.user_of(browser.header) == "ada"
    site.told()

    class Unasked(Visit):
        def _load(self) -> Any:
            steps = site.engine.load(self.header, now=site.clock(), ask=False)
            with pytest.raises(StopIteration) as stopped:
                next(steps)
            return stopped.value.value

    session = Unasked(site, copy)
    assert dict(session) == {}
    assert site.told() == [("reused", ""), ("rejected", "reused")]
    assert site.engine.commit_sealed(session, site.clock(), True) is None
    site.commit(session)
    other = SignInSite("list", like=site)
    assert other.user_of(browser.header) is None


def test_a_sealed_session_is_not_judged_without_the_list_where_the_quick_way_is_taken() -> None:
    site = SignInSite("list", revocation_delay=5)
    browser = somebody(site)
    assert site.engine.load_sealed(browser.header, site.clock()) is not None
    site.clock.advance(5)
    assert site.engine.load_sealed(browser.header, site.clock()) is None
    assert site.engine.asks_first(browser.header, now=site.clock())
    assert not site.engine.asks_first("other=1", now=site.clock())
    assert site.user_of(browser.header) == "ada"
    assert not site.engine.asks_first(browser.header, now=site.clock())
    assert site.engine.load_sealed(browser.header, site.clock()) is not None


def test_who_comes_with_rubbish_has_nothing_asked() -> None:
    site = SignInSite("list")
    other = SignInSite("list", OTHER_SECRET).sign_in()
    for header in ("session=rubbish", "session=" + "A" * 200, other.header, f"{other.header}; session=rubbish"):
        assert state(site, header) == DEAD
    assert site.store.calls == []


@in_every_mode
def test_of_a_login_that_is_committed_twice_a_listener_hears_once(mode: str) -> None:
    site = SignInSite(mode)
    session = site.open()
    session.login("ada")
    site.commit(session)
    session.reopen()
    session["a"] = 1
    header = site.commit(session).cookies[0].partition(";")[0]
    assert [kind for kind, _ in site.told()].count("signed_in") == 1
    assert state(site, header) == ("ada", {"a": 1})


@pytest.mark.parametrize("signs_in", [True, False])
def test_who_comes_with_a_replaced_id_and_signs_in_takes_nothing_along(signs_in: bool) -> None:
    """As with a second click on "sign in". What was there may be another's."""
    site = SignInSite("store")
    browser = somebody(site)
    late = Browser(site)
    late.cookies = dict(browser.cookies)
    browser.visit(Session.regenerate)
    late.visit(lambda s: (s.login("ada") if signs_in else s.regenerate(), s.update(a=1)))
    assert state(site, late.header) == ("ada" if signs_in else None, {"a": 1})
    if not signs_in:
        assert state(site, browser.header) == ("ada", {"cart": 1})


# The quick way


def test_a_sealed_session_signs_in_and_out_the_quick_way_where_nothing_remembers() -> None:
    site = SignInSite("cookie")
    session = site.open()
    session.login("ada")
    decision = site.engine.commit_sealed(session, site.clock(), True)
    assert decision is not None
    assert kinds(site.told()) == {"signed_in"}
    header = decision.cookies[0].partition(";")[0]
    session = site.open(header)
    session.parts()[site] = Greeting()
    session.logout()
    session.parts()[site] = Greeting()
    decision = site.engine.commit_sealed(session, site.clock(), True)
    assert decision is not None
    assert ("signed_out", "unrevoked") in site.told()
    assert state(site, decision.cookies[0].partition(";")[0]) == (None, {"greeting": "hello"})


class Greeting:
    """A part of a session that always has something to say."""

    def write(self, content: dict[str, Any]) -> bool:
        content["greeting"] = "hello"
        return True


def test_the_quick_way_fails_as_the_other_does() -> None:
    site = SignInSite("cookie")
    session = site.open()
    session["large"] = "a" * 5000
    with pytest.raises(SessionTooLarge):
        site.engine.commit_sealed(session, site.clock(), True)
    # The error page is answered with the same session, and who is told has been told.
    assert site.engine.commit_sealed(session, site.clock(), True) == Decision(vary=True)

    def interrupt(_: Event) -> None:
        raise KeyboardInterrupt

    site.engine._committer._emit = interrupt  # noqa: SLF001
    session = site.open()
    session["a"] = 1
    with pytest.raises(KeyboardInterrupt):
        site.engine.commit_sealed(session, site.clock(), True)
    assert not session.settled()


def test_a_session_that_is_not_of_a_request_signs_in_as_well() -> None:
    site = SignInSite("cookie")
    request = Request(site, "", login("ada", a=1)).finish()
    assert state(site, request.next_header) == ("ada", {"a": 1})


def test_the_record_s_own_id_is_no_way_around_its_family() -> None:
    site = SignInSite("list")
    browser = somebody(site)
    session = site.open(browser.header)
    assert session.user_id == "ada"
    facts = session._facts  # noqa: SLF001
    assert facts is not None and site.engine.revocations is not None
    site.revoke_user("ada")
    planted = Record(bytes(16), NOON, NOON, b"\x80", facts)
    assert site.engine.revocations.judge(planted, facts, NOON) is Reason.REVOKED


@pytest.mark.parametrize("mode", REMEMBERING)
def test_a_guest_of_a_process_that_has_not_read_the_list_is_not_ended_by_what_is_long_past(mode: str) -> None:
    earlier = SignInSite(mode)
    earlier.revoke_everyone()
    earlier.clock.advance(3600)
    started, other = SignInSite(mode, like=earlier), SignInSite(mode, like=earlier)
    browser = guest(started)
    assert state(other, browser.header) == (None, {"cart": 1})


@pytest.mark.parametrize("mode", REMEMBERING)
def test_a_session_that_could_not_be_ended_for_another_is_still_listed(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would live on, and no page would show it."""

    def fail(*_: object) -> Steps[int]:
        raise StoreError("the list cannot be written")
        yield

    site = SignInSite(mode, max_sessions_per_user=1)
    first = site.sign_in()
    site.clock.advance(100)
    with monkeypatch.context() as patch:
        patch.setattr(site.engine.revocations, "append", fail)
        with pytest.raises(StoreError):
            site.sign_in()
    assert site.user_of(first.header) == "ada"
    handle = site.open(first.header).handle
    assert handle in {found.row.handle.hex() for found in site.sessions_of()}
    site.sign_in()
    assert site.user_of(first.header) is None
    assert handle not in {found.row.handle.hex() for found in site.sessions_of()}
