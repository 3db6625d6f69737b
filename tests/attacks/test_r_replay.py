"""R: cookies planted, replayed and carried elsewhere, where nothing remembers what has been ended.

R4, R5, R10, R11, R13 and R14 need somewhere to remember: they are in test_r_sign_in.py.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attacks.harness import (
    CONTENT,
    FOREIGN_SECRET,
    NOW,
    Desk,
    Site,
)
from flask import request

from coatcheck import Keyring, Reason, Session
from coatcheck.flask import session

Check = Callable[..., None]
PLANTED = b"planted by mallo"


def handles(site: Site) -> Site:
    site.app.add_url_rule("/handle", view_func=lambda: session.handle)
    return site


@pytest.mark.parametrize("content", [{}, {"user": "admin"}])
def test_r1_a_planted_session_of_another_maker_gets_another_id(content: dict[str, str]) -> None:
    site = handles(Site())
    planted = Desk(Keyring(FOREIGN_SECRET)).seal(content, session_id=PLANTED)
    for cookie in (f"session={planted}", f"session={PLANTED.hex()}", f"session={PLANTED.decode()}"):
        seen = {site.get("/handle", cookie).text for _ in range(3)}
        assert len(seen) == 3
        assert PLANTED.hex() not in seen
        answer = site.get("/write", cookie)
        assert site.get("/handle", answer.pair).text != PLANTED.hex()


def test_r1_an_empty_session_of_our_own_gives_its_id_to_nobody_who_writes_none() -> None:
    """A visitor who has done nothing has no session, so there is nothing that a neighbour could plant for later."""
    site = handles(Site())
    assert site.get("/handle").cookies == []
    assert site.get("/read").cookies == []


@pytest.mark.parametrize("path", ["/login", "/escalate"])
def test_r2_a_known_anonymous_session_is_worth_nothing_after_the_victim_signs_in(path: str) -> None:
    """The attacker keeps what he planted, and gets neither the victim's id nor identity."""
    site = handles(Site())
    site.app.add_url_rule("/visit", view_func=visit)
    planted = site.get("/visit")
    before = site.get("/handle", planted.pair).text
    victim = site.get(f"{path}?user=victim", planted.pair)
    assert victim.text != before
    assert site.get("/read", victim.pair).text == "user: victim"
    assert site.get("/read", planted.pair).text == "user: nobody"
    assert site.get("/handle", planted.pair).text == before


def visit() -> str:
    session["seen"] = ["/visit"]
    return "seen"


def test_r2_a_login_that_begins_anew_carries_nothing_of_the_planted_session() -> None:
    site = Site()
    site.app.add_url_rule("/visit", view_func=visit)
    victim = site.get("/login?user=victim", site.get("/visit").pair)
    assert site.get("/look", victim.pair).text == "False [('user', 'victim')]"


def test_r3_a_cookie_that_was_copied_before_logout_opens_until_it_expires() -> None:
    """What the documentation says of sealed cookies, and what Flask's signed ones do too.

    `destroy` makes the browser forget the cookie. A copy has to be outlived:
    the lifetime, or the absolute lifetime, is how long that takes.
    """
    site = Site(permanent_lifetime=3600, absolute_lifetime=1800)
    copied = site.get("/write").pair
    answer = site.get("/logout", copied)
    assert answer.pair == "session="
    site.now += 1800
    assert site.get("/read", copied).text == "user: ann"
    site.now += 1
    assert site.get("/read", copied).text == "user: nobody"
    assert site.reasons == [Reason.TOO_OLD]


def test_r3_the_documentation_of_destroy_and_regenerate_says_so() -> None:
    for method in (Session.destroy, Session.regenerate):
        words = " ".join((method.__doc__ or "").split())
        assert "copied before stays valid until it expires" in words


def test_r3_after_logout_the_browser_has_no_session() -> None:
    site = Site()
    client = site.app.test_client()
    client.get("/write")
    assert client.get("/read").text == "user: ann"
    client.get("/logout")
    assert client.get_cookie("session") is None
    assert client.get("/read").text == "user: nobody"


def test_r3_a_logout_and_a_write_in_one_request_leave_only_the_new_session() -> None:
    site = handles(Site())
    old = site.get("/write?user=ann")
    new = site.get("/login?user=bob", old.pair)
    assert site.get("/look", new.pair).text == "False [('user', 'bob')]"
    assert site.get("/handle", new.pair).text != site.get("/handle", old.pair).text


SHOP, FORUM = {"audience": "shop"}, {"audience": "forum"}


def test_r6_a_cookie_of_one_application_gives_an_empty_session_in_another(gives_an_empty_session: Check) -> None:
    """One key and one cookie name; the audience tells them apart."""
    shop, forum, neither = Site(**SHOP), Site(**FORUM), Site()
    for maker in (shop, forum, neither):
        cookie = maker.get("/write").pair
        for site in (shop, forum, neither):
            if site is maker:
                assert site.get("/read", cookie).text == "user: ann"
            else:
                gives_an_empty_session(site, cookie, Reason.FORGED)


def test_r6_a_cookie_that_is_renamed_to_another_application_s_gives_an_empty_session(
    gives_an_empty_session: Check,
) -> None:
    """One key and two cookie names, as behind one host name."""
    shop, forum = Site(cookie_name="shop"), Site(cookie_name="forum")
    token = shop.get("/write").token
    gives_an_empty_session(forum, f"shop={token}")
    gives_an_empty_session(forum, f"forum={token}", Reason.FORGED)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"audience": "a", "cookie_name": "bc"}, {"audience": "ab", "cookie_name": "c"}),
        ({"audience": "", "cookie_name": "abc"}, {"audience": "abc", "cookie_name": "abc"}),
        ({"audience": "\x00", "cookie_name": "s"}, {"audience": "", "cookie_name": "s"}),
        ({"audience": "é", "cookie_name": "s"}, {"audience": "e\u0301", "cookie_name": "s"}),
        ({"audience": "Shop", "cookie_name": "s"}, {"audience": "shop", "cookie_name": "s"}),
    ],
    ids=range(5),
)
def test_r6_no_two_purposes_run_together(one: dict[str, str], other: dict[str, str]) -> None:
    maker, reader = Desk(None, **one), Desk(None, **other)
    assert maker.refusal(maker.seal()) is None
    assert reader.refusal(maker.seal()) is Reason.FORGED


def test_r8_a_staging_cookie_gives_an_empty_session_in_production(gives_an_empty_session: Check) -> None:
    production = Site(audience="production")
    same_key = Site(audience="staging").get("/write").pair
    gives_an_empty_session(production, same_key, Reason.FORGED)
    another_key = Site(audience="production", secret_key=FOREIGN_SECRET).get("/write").pair
    gives_an_empty_session(production, another_key, Reason.UNKNOWN_KEY)


def test_r11_a_session_from_another_network_or_browser_is_the_same_session() -> None:
    """Addresses change under honest visitors; a session that is bound to one is lost on the way home."""
    site = Site()
    cookie = site.get("/write", REMOTE_ADDR="192.0.2.1", HTTP_USER_AGENT="one").pair
    for facts in (
        {"REMOTE_ADDR": "198.51.100.7"},
        {"HTTP_USER_AGENT": "another"},
        {"HTTP_X_FORWARDED_FOR": "203.0.113.9"},
    ):
        assert site.get("/read", cookie, **facts).text == "user: ann"
    assert site.reasons == []


def test_r12_a_token_in_query_header_or_body_is_ignored() -> None:
    site = Site()
    site.app.add_url_rule("/form", view_func=lambda: f"{request.form} {session.get('user')}", methods=["POST"])
    token = site.get("/write").token
    site.events.clear()
    for path in (f"/read?session={token}", f"/read?sid={token}", f"/read;session={token}?", f"/read?_session={token}"):
        assert site.app.test_client().get(path).text in ("user: nobody", site.app.test_client().get("/nowhere").text)
    for header in ("Session", "X-Session", "Authorization", "X-Session-Token", "Set-Cookie", "Cookie2", "X-Cookie"):
        value = f"Bearer {token}" if header == "Authorization" else f"session={token}"
        assert site.app.test_client().get("/read", headers={header: value}).text == "user: nobody"
    answer = site.app.test_client().post("/form", data={"session": token})
    assert token in answer.text
    assert answer.text.endswith(" None")
    assert site.events == []


def test_r12_no_page_of_ours_puts_a_token_into_a_url_or_a_body() -> None:
    site = handles(Site())
    cookie = site.get("/write").pair
    token = cookie.partition("=")[2]
    for path in ("/read", "/look", "/handle", "/untouched", "/nowhere", "/read/"):
        answer = site.get(path, cookie)
        assert token not in answer.text
        assert token not in str(answer.headers)


def test_r13_signing_in_as_another_user_carries_nothing_over() -> None:
    site = handles(Site())
    ann = f"session={Desk().seal(CONTENT | {'role': 'admin'})}"
    answer = site.get("/login?user=bob", ann)
    assert site.get("/look", answer.pair).text == "False [('user', 'bob')]"
    assert answer.text == site.get("/handle", answer.pair).text != site.get("/handle", ann).text


def test_r13_a_new_session_in_place_of_an_old_one_has_its_own_beginning() -> None:
    site = Site()
    site.app.add_url_rule("/created", view_func=lambda: f"{session.created_at.timestamp():.0f}")
    old = site.get("/write").pair
    site.now += 100
    new = site.get("/login?user=bob", old).pair
    assert site.get("/created", old).text == str(NOW)
    assert site.get("/created", new).text == str(NOW + 100)


FORMS = [
    "",
    "a",
    "seven77",
    "x" * 10_240,
    ":",
    "*",
    "/",
    "..",
    "../../etc/passwd",
    "\x00",
    "\r",
    "\n",
    "\r\nSet-Cookie: a=b",
]
FORMS += ["' OR 1=1 --", "session:*", "%00", "$(true)", "{{7*7}}", "\\", "null", "0", "-1", "AAAA" * 3, "\xff" * 32]


@pytest.mark.parametrize("value", FORMS, ids=range(len(FORMS)))
def test_r15_a_value_of_any_other_form_gives_an_empty_session(
    site: Site, value: str, gives_an_empty_session: Check
) -> None:
    reason = Reason.TOO_LONG if len(value) > 4096 else Reason.MALFORMED
    gives_an_empty_session(site, f"session={value}", reason)


def test_r_a_handle_is_useless_as_a_cookie(site: Site, gives_an_empty_session: Check) -> None:
    handle = handles(site).get("/handle", site.get("/write").pair).text
    gives_an_empty_session(site, f"session={handle}", Reason.MALFORMED)
